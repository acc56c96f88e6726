"""How far a refund's payment is contested by the disputes that were last seen of it: read only."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.disputes import OPEN_STAGES, Contest, DisputeStage
from domain.errors import Conflict
from domain.payouts import MAY_STILL_LAND, PayoutStatus
from domain.refunds import Rail, RefundStatus
from ledger.tables import PaymentDispute, Payout, Refund


def disputes_of(session: Session, row: Refund) -> list[PaymentDispute]:
    """List every dispute of a refund's payment, the one that changed last at the end."""
    mine = select(PaymentDispute).where(PaymentDispute.refund_id == row.id)
    with session.no_autoflush:  # a dispute never waits to be written
        return list(session.scalars(mine.order_by(PaymentDispute.seen_at, PaymentDispute.dispute_id)))


def contest_by(dispute: PaymentDispute) -> Contest:
    """Tell how far one dispute contests the payment now."""
    if dispute.stage in OPEN_STAGES:
        return Contest.OPEN
    return Contest.LOST if dispute.stage == DisputeStage.LOST and not dispute.is_accepted else Contest.NONE


def contest_of(session: Session, row: Refund) -> Contest:
    """Weigh all disputes: one that is open counts first, then one that was lost and that nobody has accepted."""
    contests = {contest_by(it) for it in disputes_of(session, row)}
    return next((it for it in (Contest.OPEN, Contest.LOST) if it in contests), Contest.NONE)


def is_contested(session: Session, row: Refund, payout: Payout | None) -> bool:
    """Tell whether an operator has a card refund of which the processor may still bring other news."""
    if row.rail != Rail.CARD or row.status != RefundStatus.NEEDS_ATTENTION or payout is None:
        return False
    may_change = payout.status in (PayoutStatus.PENDING, PayoutStatus.SUCCEEDED)
    return may_change or contest_of(session, row) == Contest.OPEN


def require_acceptable(session: Session, row: Refund, payout: Payout | None) -> None:
    """Raise `Conflict` unless a dispute was lost for good and nothing of the refund may still move."""
    is_settled = payout is not None and payout.status not in MAY_STILL_LAND
    if contest_of(session, row) != Contest.LOST or not is_settled:
        raise Conflict(
            "There is no loss to accept: no dispute was lost, one is still open, or the payout may still land.",
            field="action",
            rule="dispute_lost",
        )


def refuse_while_contested(session: Session, row: Refund) -> None:
    """Raise `Conflict` while the bank may take the money, or has taken it: paying besides would lose it twice."""
    if contest_of(session, row) != Contest.NONE:
        raise Conflict(
            "The customer's bank contests this payment, or took it back: until the dispute is won, nobody may be "
            "paid besides. A dispute that was lost is closed by accept_loss.",
            field="action",
            rule="no_open_dispute",
        )
