"""A nonce that is closed by moving nothing: when a person may ask for it, and what waits until it is closed."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import Conflict, WrongState
from domain.findings import FindingKind
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from ledger.tables import Finding, Payout, Refund

CANCELABLE = (PayoutStatus.UNKNOWN, PayoutStatus.PENDING)


def require_cancelable(session: Session, row: Refund, payout: Payout | None) -> None:
    """Refuse to cancel what has no nonce, what is settled, and what is simply on its way."""
    stuck = select(Finding.id).where(
        Finding.refund_id == row.id, Finding.kind == FindingKind.PAYOUT_STUCK, Finding.closed_at.is_(None)
    )
    if row.status != RefundStatus.NEEDS_ATTENTION and session.scalar(stuck.limit(1)) is None:
        raise WrongState("be resolved by cancel_nonce", row.status)
    if payout is None or payout.nonce is None:
        raise Conflict(
            "No nonce was assigned for this refund: there is nothing to cancel.", field="action", rule="has_nonce"
        )
    if payout.status not in CANCELABLE:
        raise Conflict(
            f"The payout is {payout.status}: its nonce is spent for good.", field="action", rule="live_payout"
        )


def require_no_open_nonce(session: Session, row: Refund) -> None:
    """Refuse what would pay again, or give the hold back, while a dead payout is in no block any more."""
    nonce = open_nonce(session, row)
    if nonce is not None:
        raise Conflict(
            f"Nonce {nonce} of a dead payout is in no block any more, so it might still pay until it is closed.",
            field="action",
            rule="no_live_payout",
        )


def open_nonce(session: Session, row: Refund) -> int | None:
    """Return a nonce of its deposit's payouts that no block holds, or None; another ticket may have made them."""
    return open_nonces(session, [row]).get(row.deposit_id)


def open_nonces(session: Session, rows: Sequence[Refund]) -> dict[str | None, int]:
    """Return, by deposit, one nonce of each deposit of these refunds that has a payout which no block holds."""
    unmined = select(Payout.deposit_id, Payout.nonce).where(
        Payout.deposit_id.in_([it.deposit_id for it in rows]),
        Payout.nonce.is_not(None),
        Payout.block_number.is_(None),
        Payout.is_buried.is_(False),
    )
    return {deposit: nonce for deposit, nonce in session.execute(unmined) if nonce is not None}
