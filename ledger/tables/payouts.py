"""Payouts, wallets, and the signed bytes of chain transactions."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ledger.columns import WholeNumber
from ledger.tables.base import Json, Row


class Wallet(Row):
    """A hot wallet on one chain: the next nonce to assign, and whether it may assign at all.

    Every nonce from `first_nonce` on is ours to explain; what the wallet did before is not. `nonce_final_seen` is
    the highest final count that was ever more than we assigned. Words to start it up to `pause_word_seq` were said
    before it paused, so they count for nothing.
    """

    __tablename__ = "wallets"

    chain_id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    first_nonce: Mapped[int]
    next_nonce: Mapped[int]
    nonce_final_seen: Mapped[int] = mapped_column(default=0)
    pause_reason: Mapped[str | None] = mapped_column(String(64))
    pause_word_seq: Mapped[int] = mapped_column(default=0)
    disagreeing_since: Mapped[datetime | None]


class Payout(Row):
    """One attempt to move the money of one deposit. Only a dead attempt frees the deposit's slot.

    The slot is one for all refunds, attempts and rails, and a payout's rail is its deposit's own. `key_used_at` is
    when the memory of the processor for this attempt's key can have begun at the earliest, `is_failure_stored` that
    it repeats a failure until it forgets the key. `unclear_answers` counts those in a row that told nothing.
    """

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
        ForeignKeyConstraint(["deposit_id", "rail"], ["deposits.id", "deposits.rail"], name="fk_payouts_own_rail"),
        CheckConstraint(
            "CASE rail WHEN 'card' THEN chain_id IS NULL AND wallet IS NULL AND destination IS NULL "
            "WHEN 'crypto' THEN payment_intent IS NULL ELSE 1 = 0 END",
            name="one_way",
        ),
    )

    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    deposit_id: Mapped[str] = mapped_column(String(128))
    rail: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(16), index=True)
    detail: Mapped[str] = mapped_column(String(400), default="")
    provider_ref: Mapped[str | None] = mapped_column(String(255), index=True)
    payment_intent: Mapped[str | None] = mapped_column(String(255))
    destination_type: Mapped[str | None] = mapped_column(String(16))
    reference: Mapped[str | None] = mapped_column(String(64))
    reference_status: Mapped[str | None] = mapped_column(String(64))
    reference_type: Mapped[str | None] = mapped_column(String(64))
    amount_minor: Mapped[int | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    chain_id: Mapped[int | None]
    wallet: Mapped[str | None] = mapped_column(String(42))
    destination: Mapped[str | None] = mapped_column(String(42))
    asset: Mapped[str | None] = mapped_column(String(42))
    amount_base_units: Mapped[int | None] = mapped_column(WholeNumber)
    nonce: Mapped[int | None]
    tx_hash: Mapped[str | None] = mapped_column(String(66))
    block_number: Mapped[int | None]
    block_hash: Mapped[str | None] = mapped_column(String(66))
    is_buried: Mapped[bool] = mapped_column(default=False)
    is_cancel_asked: Mapped[bool] = mapped_column(default=False)
    lost_since: Mapped[datetime | None]
    key_used_at: Mapped[datetime | None]
    is_failure_stored: Mapped[bool] = mapped_column(default=False)
    unclear_answers: Mapped[int] = mapped_column(default=0)
    unclear_since: Mapped[datetime | None]
    lost_block: Mapped[int | None]
    begun_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ChainTransaction(Row):
    """Signed bytes, stored before they are sent. All rows of a payout share its one nonce.

    `purpose` is `pay` or `cancel`; `terms` holds the `TransferTerms` that were signed.
    """

    __tablename__ = "chain_transactions"
    __table_args__ = (
        UniqueConstraint("refund_id", "attempt", "sequence", name="uq_chain_transactions_sequence"),
        Index("ix_chain_transactions_payout", "refund_id", "attempt"),
    )

    tx_hash: Mapped[str] = mapped_column(String(66), primary_key=True)
    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"))
    attempt: Mapped[int]
    sequence: Mapped[int]
    purpose: Mapped[str] = mapped_column(String(8))
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    terms: Mapped[Json]
    sends: Mapped[int] = mapped_column(default=0)
    last_answer: Mapped[str | None] = mapped_column(String(32))
    is_taken: Mapped[bool] = mapped_column(default=False)
    first_sent_at: Mapped[datetime | None]
    first_sent_block: Mapped[int | None]
    last_sent_at: Mapped[datetime | None]
    signed_at: Mapped[datetime]
