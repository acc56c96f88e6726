"""The time to pay of a refund: which mark of it comes next, and that each is told once."""

from datetime import datetime

from sqlalchemy.orm import Session

from domain.deadlines import MARKS, mark_at
from domain.findings import FindingKind
from domain.payouts import PAID
from domain.refunds import END_STATES
from ledger.database import Database
from ledger.findings import close_findings_of, open_finding
from ledger.tables import Payout, Refund

# What a refund no longer needs told once it was paid or ended.
CLOSED_BY_AN_END = (FindingKind.BALANCE_SHORT, *(kind for _, kind in MARKS))


def next_mark(row: Refund, payout: Payout | None) -> tuple[int, datetime] | None:
    """Return the mark that comes next and its moment; None for a refund that is paid or ended, or told of in full."""
    if not is_unpaid(row, payout) or row.pay_marks_told >= len(MARKS):
        return None
    return row.pay_marks_told, mark_at(row.requested_at, row.pay_due_at, row.pay_marks_told)


def is_unpaid(row: Refund, payout: Payout | None) -> bool:
    """Tell whether the customer still has to get their money, whatever the refund waits for."""
    return row.status not in END_STATES and (payout is None or payout.status not in PAID)


def tell(session: Session, database: Database, row: Refund, payout: Payout | None, mark: int) -> None:
    """Tell that a mark has come, as the run's timer has measured; a mark that was told is not told again."""
    if mark < row.pay_marks_told or not is_unpaid(row, payout):
        return
    for number in range(row.pay_marks_told, min(mark + 1, len(MARKS))):
        _, kind = MARKS[number]
        evidence = {
            "requested_at": row.requested_at.isoformat(),
            "pay_due_at": row.pay_due_at.isoformat(),
            "status": row.status,
            "status_reason": row.status_reason,
            "attempt": row.attempt,
        }
        key = f"deadline/{row.id}/{kind}"
        open_finding(session, database, kind=kind, key=key, evidence=evidence, refund_id=row.id)
    row.pay_marks_told = min(mark + 1, len(MARKS))
    session.flush()


def close_what_an_end_settles(session: Session, at: datetime, row: Refund) -> None:
    """Take back what was told only because a refund was unpaid."""
    close_findings_of(session, at, row, CLOSED_BY_AN_END, operator=None, reason=f"the refund is {row.status}")
