"""The watch over a paid refund: when it is over, and when it has to go on."""

from sqlalchemy.orm import Session

from domain.refunds import RefundStatus
from ledger import cases
from ledger.database import Database
from ledger.tables import Refund


def end_watch(session: Session, database: Database, row: Refund) -> None:
    """Write that a paid refund was watched for as long as promised; a second call changes nothing."""
    if row.status == RefundStatus.REFUNDED and not row.watch_over:
        row.watch_over = True
        cases.note(session, database, row, "watch.over")


def resume_watch(session: Session, database: Database, row: Refund) -> None:
    """Watch a paid refund again that something woke after its watch, and that could not be looked at.

    The news are told and gone by then. Without this nobody would ever ask what they were of.
    """
    if row.status == RefundStatus.REFUNDED and row.watch_over:
        row.watch_over = False
        cases.note(session, database, row, "watch.resumed")
