"""What must hold before money may leave again or go back: asked when a person's word is recorded, and when it acts.

Between the two a dead payout may leave its block, or be seen to have moved after all.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.decisions import ResolutionAction
from domain.errors import Conflict
from domain.findings import FindingKind
from domain.payouts import MAY_STILL_LAND, PAID
from domain.refunds import Rail, StatusReason
from ledger import cancelling
from ledger.endings import found_paid
from ledger.tables import Finding, Payout, Refund


def require_dead(session: Session, row: Refund, action: ResolutionAction) -> None:
    """Raise `Conflict` while any payout of this refund may still land, or is known to have moved money."""
    payout = session.get(Payout, (row.id, row.attempt))
    if payout is not None and payout.status in MAY_STILL_LAND | PAID:
        raise Conflict(
            f"The payout is {payout.status}: until it is known to be dead, only look_again is safe.",
            field="action",
            rule="no_live_payout",
        )
    cancelling.require_no_open_nonce(session, row)
    if action in (ResolutionAction.RETRY, ResolutionAction.GIVE_UP):
        _require_nothing_moved(session, row, action)
    if action == ResolutionAction.PAID_OUTSIDE:
        _require_uncontested(row, payout)


def _require_nothing_moved(session: Session, row: Refund, action: ResolutionAction) -> None:
    """Refuse to pay again, or to give the hold back, while money of this refund is known to have moved after all."""
    moved = select(Finding.id).where(
        Finding.refund_id == row.id, Finding.kind == FindingKind.DEAD_PAYOUT_MOVED, Finding.closed_at.is_(None)
    )
    finding = session.scalar(moved.limit(1))
    if action == ResolutionAction.GIVE_UP and row.rail == Rail.CRYPTO:
        finding = found_paid(session, row)  # no fresh facts of a chain could show it, as they do of a card payment
    if finding is not None:
        raise Conflict(
            f"Finding {finding} says that money of this refund moved after all: where it arrived, only paid_outside, "
            "with its reference as evidence, is true; where it did not, close the finding first.",
            field="action",
            rule="no_moved_payout",
        )


def _require_uncontested(row: Refund, payout: Payout | None) -> None:
    """Refuse another way of paying while the customer's bank contests the payment: it may give the money back."""
    # What stopped an attempt stays true of it: after a dispute that we won, the next attempt pays, or fails, anew.
    if row.status_reason == StatusReason.PAYOUT_DISPUTED or (payout is not None and "dispute" in payout.detail):
        raise Conflict(
            "The customer's bank contests the payment and may give the money back itself: answer the dispute. Once "
            "it is won, retry; nothing is paid another way before.",
            field="action",
            rule="no_dispute",
        )
