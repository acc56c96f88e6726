"""Accounts, deposits and orders as billing tells them, and the books they are booked in."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ledger.columns import WholeNumber
from ledger.tables.base import Row


class Account(Row):
    """A customer's prepaid account."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    username: Mapped[str] = mapped_column(String(128), unique=True)
    email: Mapped[str | None] = mapped_column(String(320))
    status: Mapped[str] = mapped_column(String(16))


class Deposit(Row):
    """One payment into an account. A payment backs one deposit, whichever rail it came by.

    `log_index` is what the feed said, -1 where it said none. `claimed_log_index` is the payment itself: -1 for the
    native coin, else the log that credited us; null while only the chain could tell which log that is.
    """

    __tablename__ = "deposits"
    __table_args__ = (
        UniqueConstraint("chain_id", "tx_hash", "log_index", name="uq_deposits_chain_payment"),
        UniqueConstraint("chain_id", "tx_hash", "claimed_log_index", name="uq_deposits_claimed_log"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        UniqueConstraint("id", "rail", name="uq_deposits_rail"),  # what a payout's own rail refers to
    )

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    paid_at: Mapped[datetime]
    terms_version: Mapped[str | None] = mapped_column(String(64))
    rail: Mapped[str] = mapped_column(String(8))
    payment_intent: Mapped[str | None] = mapped_column(String(255), unique=True)
    payment_amount_minor: Mapped[int | None]
    payment_currency: Mapped[str | None] = mapped_column(String(3))
    chain_id: Mapped[int | None]
    tx_hash: Mapped[str | None] = mapped_column(String(66))
    log_index: Mapped[int | None]
    claimed_log_index: Mapped[int | None]
    asset: Mapped[str | None] = mapped_column(String(42))
    amount_base_units: Mapped[int | None] = mapped_column(WholeNumber)
    state: Mapped[str] = mapped_column(String(16), default="open")


class Order(Row):
    """Something bought from the balance."""

    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    product: Mapped[str] = mapped_column(String(16))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    moves: Mapped[int] = mapped_column(default=0)


class OrderPart(Row):
    """The part of an order that one deposit pays. Parts never move; cancelling removes them."""

    __tablename__ = "order_parts"

    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    deposit_id: Mapped[str] = mapped_column(ForeignKey("deposits.id"), primary_key=True, index=True)
    amount_minor: Mapped[int]


class Entry(Row):
    """One movement in the books. `key` names the effect, so that it is booked once."""

    __tablename__ = "entries"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(400), unique=True)
    at: Mapped[datetime]


class Posting(Row):
    """One side of an entry; the postings of an entry sum to zero."""

    __tablename__ = "postings"
    __table_args__ = (Index("ix_postings_balance", "account_id", "currency", "book"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("entries.id"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    deposit_id: Mapped[str] = mapped_column(ForeignKey("deposits.id"), index=True)
    currency: Mapped[str] = mapped_column(String(3))
    book: Mapped[str] = mapped_column(String(16))
    amount_minor: Mapped[int]
