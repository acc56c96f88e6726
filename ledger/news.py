"""Rows whose run has not been told the news yet, so that a lost signal or start costs time, never a refund."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update

from domain.refunds import UNPAID_ENDS, RefundStatus, TicketRef
from ledger.database import Database
from ledger.tables import Refund


class Untold(NamedTuple):
    """A refund whose run is to be told, and since when it has the news."""

    refund_id: str
    ticket: TicketRef
    news_at: datetime | None


class News:
    """What the API must still tell Temporal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, refund_id: str) -> Untold | None:
        """Return a refund and the news it has now, told or not; None where no such refund is."""
        with self._database.read() as session:
            row = session.get(Refund, refund_id)
            return _untold(row) if row else None

    def told(self, told: Iterable[Untold]) -> None:
        """Write that these runs were told; news of the same refund from another moment stay untold.

        The moment names the news, not the row's version: the run moves on, and may have done so before we come here.
        """
        with self._database.write() as session:
            for it in told:
                news = update(Refund).where(Refund.id == it.refund_id, Refund.news_at == it.news_at)
                session.execute(news.values(news_at=None))

    def untold(self, older_than_seconds: float) -> list[Untold]:
        """List refunds with news that nobody told their run, oldest first."""
        limit = self._database.now() - timedelta(seconds=older_than_seconds)
        with self._database.read() as session:
            rows = session.scalars(select(Refund).where(Refund.news_at <= limit).order_by(Refund.news_at).limit(200))
            return [_untold(row) for row in rows]

    def unfinished(self, quiet_seconds: float) -> list[tuple[str, TicketRef]]:
        """List refunds that a run should be caring for and whose row was quiet this long, the quietest first."""
        limit = self._database.now() - timedelta(seconds=quiet_seconds)
        cared_for = Refund.status.not_in(UNPAID_ENDS) & (
            (Refund.status != RefundStatus.REFUNDED) | Refund.watch_over.is_(False)
        )
        query = select(Refund).where(cared_for, Refund.updated_at <= limit).order_by(Refund.updated_at)
        with self._database.read() as session:
            return [(it.refund_id, it.ticket) for it in map(_untold, session.scalars(query))]


def _untold(row: Refund) -> Untold:
    return Untold(row.id, TicketRef(system=row.ticket_system, id=row.ticket_id), row.news_at)
