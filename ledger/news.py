"""Rows whose run has not been told the news yet, so that a lost signal or start costs time, never a refund."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select, update

from domain.refunds import UNPAID_ENDS, RefundStatus, TicketRef
from ledger.database import Database
from ledger.tables import Refund


class News:
    """What the API must still tell Temporal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self, told: Iterable[tuple[str, int]]) -> None:
        """Write that these runs were told all news of their refund up to a version; later news stay untold."""
        with self._database.write() as session:
            for refund_id, version in told:
                session.execute(
                    update(Refund).where(Refund.id == refund_id, Refund.version <= version).values(news_at=None)
                )

    def untold(self, older_than_seconds: float) -> list[tuple[str, TicketRef, int]]:
        """List refunds with news that nobody told their run: id, ticket and version, oldest first."""
        limit = self._database.now() - timedelta(seconds=older_than_seconds)
        with self._database.read() as session:
            rows = session.scalars(select(Refund).where(Refund.news_at <= limit).order_by(Refund.news_at).limit(200))
            return [
                (row.id, TicketRef(system=row.ticket_system, id=row.ticket_id), row.version) for row in rows.all()
            ]

    def unfinished(self, quiet_seconds: float) -> list[tuple[str, TicketRef]]:
        """List refunds that a run should be caring for and whose row was quiet this long, the quietest first."""
        limit = self._database.now() - timedelta(seconds=quiet_seconds)
        cared_for = Refund.status.not_in(UNPAID_ENDS) & (
            (Refund.status != RefundStatus.REFUNDED) | Refund.watch_over.is_(False)
        )
        query = select(Refund).where(cared_for, Refund.updated_at <= limit).order_by(Refund.updated_at)
        with self._database.read() as session:
            return [(row.id, TicketRef(system=row.ticket_system, id=row.ticket_id)) for row in session.scalars(query)]
