"""Refunds with their holds, findings and messages."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from ledger.tables.base import Json, Row


class Refund(Row):
    """One case: a request to pay one deposit back. `version` counts its changes."""

    __tablename__ = "refunds"
    __table_args__ = (
        UniqueConstraint("ticket_system", "ticket_id", name="uq_refunds_ticket"),
        Index("ix_refunds_status", "status", "rail"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    status: Mapped[str] = mapped_column(String(24))
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
    pay_due_at: Mapped[datetime]
    pay_marks_told: Mapped[int] = mapped_column(default=0)
    watch_over: Mapped[bool] = mapped_column(default=False)
    salt: Mapped[str] = mapped_column(String(32))
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


class Finding(Row):
    """Something a person must look at. `key` names the matter, so that it is found once while it is open."""

    __tablename__ = "findings"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(400), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    refund_id: Mapped[str | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    evidence: Mapped[Json]
    openings: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(ForeignKey("clients.name"))
    closed_reason: Mapped[str | None] = mapped_column(Text)
    salt: Mapped[str | None] = mapped_column(String(32))


class Message(Row):
    """What the customer is told, ready for the help desk to post; one per refund, kind and attempt."""

    __tablename__ = "messages"

    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime]
