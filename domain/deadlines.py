"""The time to pay: how much of it is over, and at which moments people hear of a refund that is still unpaid."""

from datetime import datetime
from fractions import Fraction

from domain.findings import FindingKind

# Each is told once, and each is more urgent than the one before.
MARKS: tuple[tuple[Fraction, FindingKind], ...] = (
    (Fraction(1, 2), FindingKind.DEADLINE_HALF),
    (Fraction(3, 4), FindingKind.DEADLINE_THREE_QUARTERS),
    (Fraction(9, 10), FindingKind.DEADLINE_NINE_TENTHS),
)


def mark_at(requested_at: datetime, due_at: datetime, mark: int) -> datetime:
    """Return the moment of a mark, counted from 0."""
    share, _ = MARKS[mark]
    whole = due_at - requested_at
    return requested_at + whole * share.numerator / share.denominator
