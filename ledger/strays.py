"""What left a wallet under nonces that no payout of ours has: which they are, and whose refund each may have paid."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.differences import KEY_PREFIX, Difference, DifferenceKind, LikelyRefund
from domain.refunds import UNPAID_ENDS, RefundStatus
from ledger.tables import Deposit, Finding, Payout, Refund, Wallet

# How a reconciliation calls a chain transaction of the wallet that no payout of ours explains.
STRAY_KINDS = (DifferenceKind.UNOWNED_PAYMENT, DifferenceKind.PAID_NOT_BOOKED, DifferenceKind.PAID_TWICE)


def stray_subject(chain_id: int, wallet: str, nonce: int) -> str:
    """Name the matter of one nonce."""
    return f"chain/{chain_id}/{wallet}/{nonce}"


def stray_nonces(session: Session, chain_id: int, wallet: str, below: int, limit: int) -> list[int]:
    """List the nonces that the wallet has used and that no payout of ours has, lowest first."""
    known = session.get(Wallet, (chain_id, wallet))
    if known is None:
        return []  # its settings name a first nonce that the chain has not reached
    ours = session.scalars(
        select(Payout.nonce)
        .where(Payout.chain_id == chain_id, Payout.wallet == wallet, Payout.nonce < below)
        .order_by(Payout.nonce)
    ).yield_per(1000)
    strays: list[int] = []
    expected = known.first_nonce
    for nonce in (*ours, below):
        strays += range(expected, min(nonce or 0, expected + limit - len(strays)))
        expected = max(expected, (nonce or 0) + 1)
    return strays[:limit]


def known_strays(session: Session, chain_id: int, wallet: str) -> dict[int, Difference]:
    """Return what earlier reconciliations found of nonces, by nonce, as far as it is open or a person closed it.

    What the service itself closed was found anew under another kind. Where a refund was named, the name stays: the
    refund may be resolved by now, or a newer one look as likely, and no two payments may be given one name.
    """
    found: dict[int, Difference] = {}
    kinds = [it.value for it in STRAY_KINDS]
    for finding in session.scalars(select(Finding).where(Finding.kind.in_(kinds)).order_by(Finding.id)):
        evidence = dict(finding.evidence)
        nonce, is_over = evidence.get("nonce"), finding.closed_at is not None and finding.closed_by is None
        kind = DifferenceKind(finding.kind)
        subject = finding.key.removeprefix(f"{KEY_PREFIX}{kind}/")
        if is_over or not isinstance(nonce, int) or subject != stray_subject(chain_id, wallet, nonce):
            continue
        deposit_id = evidence.pop("deposit_id", None)
        for name in ("scope", "at"):
            evidence.pop(name, None)
        if nonce in found and found[nonce].refund_id is not None:
            continue
        found[nonce] = Difference(
            kind=kind, subject=subject, refund_id=finding.refund_id, deposit_id=deposit_id, evidence=evidence
        )
    return found


def likely_refunds(
    session: Session, chain_id: int, to: str | None, asset: str, amount_base_units: int
) -> tuple[LikelyRefund, ...]:
    """Find the refunds to this receiver of this asset and amount: one may be what was paid.

    Those that may still be paid come first: named, they are not paid again. Among each the newest comes first.
    """
    query = (
        select(Refund)
        .join(Deposit, Deposit.id == Refund.deposit_id)
        .where(
            Deposit.chain_id == chain_id,
            Deposit.asset == asset,
            Deposit.amount_base_units == amount_base_units,
        )
        .order_by(Refund.created_at.desc(), Refund.id)
        .limit(1000)
    )
    rows = [row for row in session.scalars(query) if row.verdict and row.verdict.get("destination") == to]
    return tuple(
        LikelyRefund(
            refund_id=row.id,
            deposit_id=row.deposit_id or "",
            is_paid=row.status == RefundStatus.REFUNDED,
        )
        for row in sorted(rows, key=lambda it: it.status in UNPAID_ENDS)
    )
