"""Who may call, and what people decided."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ledger.tables.base import Json, Row


class Client(Row):
    """Who may call the API: machines (billing, help desk) and operators. Tokens are stored hashed.

    `note` is why the right to call was last taken away or given back.
    """

    __tablename__ = "clients"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    is_active: Mapped[bool] = mapped_column(default=True)
    note: Mapped[str | None] = mapped_column(Text)
    note_salt: Mapped[str | None] = mapped_column(String(32))


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
