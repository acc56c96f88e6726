"""The append-only audit trail and its head, and what reconciliations reported."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ledger.tables.base import Json, Row


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


class Reconciliation(Row):
    """One comparison of books and outside: who asked, over which time, and what came of it."""

    __tablename__ = "reconciliations"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    requested_by: Mapped[str] = mapped_column(String(128))
    status: Mapped[str] = mapped_column(String(16))
    days: Mapped[int]
    grace_seconds: Mapped[int]
    requested_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    report: Mapped[Json | None]
