"""The tables. What must be unique stands here, in the schema, and not only in code."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ledger.columns import UtcTime, WholeNumber

Json = dict[str, Any]


class Row(DeclarativeBase):
    """The base of all tables. Constraints get predictable names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # SQLite numbers rows by itself only in a column declared INTEGER, which holds 64 bits there anyway.
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it
        datetime: UtcTime,
        Json: JSON,
        int: BigInteger().with_variant(Integer, "sqlite"),
    }


class Client(Row):
    """Who may call the API: machines (billing, help desk) and operators. Tokens are stored hashed."""

    __tablename__ = "clients"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    is_active: Mapped[bool] = mapped_column(default=True)


class Account(Row):
    """A customer's prepaid account."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    username: Mapped[str] = mapped_column(String(128), unique=True)
    email: Mapped[str | None] = mapped_column(String(320))
    status: Mapped[str] = mapped_column(String(16))


class Deposit(Row):
    """One payment into an account. A payment backs one deposit, whichever rail it came by."""

    __tablename__ = "deposits"
    __table_args__ = (
        UniqueConstraint("chain_id", "tx_hash", "log_index", name="uq_deposits_chain_payment"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
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


class Refund(Row):
    """One case: a request to pay one deposit back. `version` counts its changes."""

    __tablename__ = "refunds"
    __table_args__ = (UniqueConstraint("ticket_system", "ticket_id", name="uq_refunds_ticket"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    status: Mapped[str] = mapped_column(String(24), index=True)
    status_reason: Mapped[str | None] = mapped_column(String(32))
    waiting_for: Mapped[str | None] = mapped_column(String(16))
    ticket_system: Mapped[str] = mapped_column(String(32))
    ticket_id: Mapped[str] = mapped_column(String(128))
    ticket_url: Mapped[str | None] = mapped_column(String(2048))
    channel: Mapped[str] = mapped_column(String(8))
    requester: Mapped[str] = mapped_column(String(128))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    rail: Mapped[str] = mapped_column(String(8))
    asked_deposit_id: Mapped[str | None] = mapped_column(String(128))
    payment_proof: Mapped[str | None] = mapped_column(String(255))
    locale: Mapped[str] = mapped_column(String(35))
    requested_at: Mapped[datetime]
    received_at: Mapped[datetime]
    is_request_time_confirmed: Mapped[bool] = mapped_column(default=False)
    ownership: Mapped[str] = mapped_column(String(24))
    deposit_id: Mapped[str | None] = mapped_column(ForeignKey("deposits.id"), index=True)
    duplicate_of: Mapped[str | None] = mapped_column(String(32))
    attempt: Mapped[int] = mapped_column(default=1)
    verdict: Mapped[Json | None]
    digest: Mapped[str | None] = mapped_column(String(80))
    approvals_needed: Mapped[int | None]
    due_at: Mapped[datetime | None]
    watch_over: Mapped[bool] = mapped_column(default=False)
    news_at: Mapped[datetime | None] = mapped_column(index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Hold(Row):
    """What a deposit was credited with, reserved for one refund until it is paid or ends unpaid."""

    __tablename__ = "holds"
    __table_args__ = (
        Index(
            "uq_holds_one_active_per_deposit",
            "deposit_id",
            unique=True,
            sqlite_where=text("state IN ('active', 'captured')"),
            postgresql_where=text("state IN ('active', 'captured')"),
        ),
    )

    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), primary_key=True)
    deposit_id: Mapped[str] = mapped_column(ForeignKey("deposits.id"))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(16))
    moves: Mapped[int] = mapped_column(default=0)


class OwnershipConfirmation(Row):
    """An operator's word on who asks. `evidence` may hold personal data and can be erased."""

    __tablename__ = "ownership_confirmations"

    confirmation_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), index=True)
    operator: Mapped[str] = mapped_column(ForeignKey("clients.name"))
    action: Mapped[str] = mapped_column(String(16))
    evidence: Mapped[str] = mapped_column(Text)
    deposit_id: Mapped[str | None] = mapped_column(String(128))
    is_request_time_confirmed: Mapped[bool]
    salt: Mapped[str] = mapped_column(String(32))
    is_applied: Mapped[bool] = mapped_column(default=False)
    recorded_at: Mapped[datetime]


class Decision(Row):
    """An operator's approve or reject, bound to the digest that they saw."""

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("refund_id", "operator", "digest", name="uq_decisions_operator_digest"),)

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    decision_id: Mapped[str] = mapped_column(String(128), unique=True)
    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), index=True)
    operator: Mapped[str] = mapped_column(ForeignKey("clients.name"))
    action: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str | None] = mapped_column(Text)
    acknowledge: Mapped[Json]
    salt: Mapped[str] = mapped_column(String(32))
    recorded_at: Mapped[datetime]


class Withdrawal(Row):
    """The customer changed their mind, as the help desk tells."""

    __tablename__ = "withdrawals"

    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), primary_key=True)
    client: Mapped[str] = mapped_column(ForeignKey("clients.name"))
    reason: Mapped[str] = mapped_column(Text)
    salt: Mapped[str] = mapped_column(String(32))
    recorded_at: Mapped[datetime]


class Resolution(Row):
    """What an operator does about a refund that needs attention."""

    __tablename__ = "resolutions"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    resolution_id: Mapped[str] = mapped_column(String(128), unique=True)
    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), index=True)
    operator: Mapped[str] = mapped_column(ForeignKey("clients.name"))
    action: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int]
    evidence: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    salt: Mapped[str] = mapped_column(String(32))
    is_applied: Mapped[bool] = mapped_column(default=False)
    recorded_at: Mapped[datetime]


class Wallet(Row):
    """A hot wallet on one chain: the next nonce to assign, and whether it may assign at all."""

    __tablename__ = "wallets"

    chain_id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    next_nonce: Mapped[int]
    pause_reason: Mapped[str | None] = mapped_column(String(64))


class Payout(Row):
    """One attempt to move the money of one deposit. Only a dead attempt frees the deposit's slot."""

    __tablename__ = "payouts"
    __table_args__ = (
        Index(
            "uq_payouts_one_live_per_deposit",
            "deposit_id",
            unique=True,
            sqlite_where=text("status NOT IN ('refused', 'failed', 'canceled', 'reverted')"),
            postgresql_where=text("status NOT IN ('refused', 'failed', 'canceled', 'reverted')"),
        ),
        UniqueConstraint("chain_id", "wallet", "nonce", name="uq_payouts_nonce"),
        CheckConstraint(
            "(nonce IS NULL) = (status IN ('queued', 'paid_outside', 'refused') OR rail = 'card')",
            name="nonce_if_sent",
        ),
    )

    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    deposit_id: Mapped[str] = mapped_column(ForeignKey("deposits.id"))
    rail: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(16), index=True)
    detail: Mapped[str] = mapped_column(String(400), default="")
    provider_ref: Mapped[str | None] = mapped_column(String(255))
    payment_intent: Mapped[str | None] = mapped_column(String(255))
    amount_minor: Mapped[int | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    chain_id: Mapped[int | None]
    wallet: Mapped[str | None] = mapped_column(String(42))
    destination: Mapped[str | None] = mapped_column(String(42))
    asset: Mapped[str | None] = mapped_column(String(42))
    amount_base_units: Mapped[int | None] = mapped_column(WholeNumber)
    nonce: Mapped[int | None]
    tx_hash: Mapped[str | None] = mapped_column(String(66))
    is_buried: Mapped[bool] = mapped_column(default=False)
    begun_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ChainTransaction(Row):
    """Signed bytes, stored before they are sent. All rows of a payout share its one nonce."""

    __tablename__ = "chain_transactions"
    __table_args__ = (
        UniqueConstraint("refund_id", "attempt", "sequence", name="uq_chain_transactions_sequence"),
        Index("ix_chain_transactions_payout", "refund_id", "attempt"),
    )

    tx_hash: Mapped[str] = mapped_column(String(66), primary_key=True)
    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"))
    attempt: Mapped[int]
    sequence: Mapped[int]
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    gas: Mapped[int]
    max_fee_per_gas_wei: Mapped[int] = mapped_column(WholeNumber)
    sends: Mapped[int] = mapped_column(default=0)
    last_answer: Mapped[str | None] = mapped_column(String(32))
    signed_at: Mapped[datetime]


class RailStop(Row):
    """A rail that may not pay now."""

    __tablename__ = "rail_stops"

    rail: Mapped[str] = mapped_column(String(8), primary_key=True)
    operator: Mapped[str] = mapped_column(ForeignKey("clients.name"))
    reason: Mapped[str] = mapped_column(Text)
    stopped_at: Mapped[datetime]


class Finding(Row):
    """Something a person must look at. `key` names the matter, so that it is found once while it is open."""

    __tablename__ = "findings"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(400), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    refund_id: Mapped[str | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    evidence: Mapped[Json]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class Message(Row):
    """What the customer is told, ready for the help desk to post; one per refund, kind and attempt."""

    __tablename__ = "messages"

    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime]


class AuditEntry(Row):
    """One change, chained by hash to the one before. Holds ids, codes and keyed hashes, no personal data."""

    __tablename__ = "audit_entries"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(160))
    event: Mapped[str] = mapped_column(String(64))
    refund_id: Mapped[str | None] = mapped_column(String(32), index=True)
    subject: Mapped[str | None] = mapped_column(String(160))
    detail: Mapped[Json]
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class AuditHead(Row):
    """The end of the audit chain. Locking its one row makes writers take turns, on every database."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
