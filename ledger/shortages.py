"""A balance at the card processor that is too short for a refund: finance hears of it at once."""

from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.payouts import PayoutOutcome, PayoutStatus
from ledger.database import Database
from ledger.findings import close_findings_of, open_finding
from ledger.tables import Payout, Refund

# What the processor says where it took the refund and waits for money, where it waited in vain, and where it refused.
SHORT = frozenset(
    [
        (PayoutStatus.PENDING, "insufficient_funds"),
        (PayoutStatus.FAILED, "insufficient_funds"),
        (PayoutStatus.REFUSED, "balance_insufficient"),
    ]
)


def watch_balance(session: Session, database: Database, row: Refund, payout: Payout, outcome: PayoutOutcome) -> None:
    """Tell of a balance that is too short, with the amount; take it back as soon as the refund goes on."""
    if payout.rail != "card":
        return
    key = f"balance_short/{row.id}/{payout.attempt}"
    if (outcome.status, outcome.detail) in SHORT:
        evidence = {
            "attempt": payout.attempt,
            "provider_ref": payout.provider_ref,
            "amount_minor": payout.amount_minor,
            "currency": payout.currency,
            "payout_status": payout.status,
        }
        kind = FindingKind.BALANCE_SHORT
        open_finding(session, database, kind=kind, key=key, evidence=evidence, refund_id=row.id)
    elif outcome.status in (PayoutStatus.PENDING, PayoutStatus.SUCCEEDED):
        kinds = [FindingKind.BALANCE_SHORT]
        close_findings_of(session, database.now(), row, kinds, operator=None, reason="the refund goes on")
