"""What the customer's bank does about a card payment, as it was last seen: it decides where a refund stands."""

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from domain.disputes import OPEN_STAGES, Contest, DisputeStage, FraudWarning, SeenDispute
from domain.findings import FindingKind
from domain.payouts import PAID
from domain.refunds import StatusReason
from ledger import cases
from ledger.contests import contest_by, disputes_of
from ledger.database import Database
from ledger.findings import close_findings_of, open_finding
from ledger.tables import Hold, PaymentDispute, PaymentWarning, Payout, Refund

REASONS = {Contest.OPEN: StatusReason.PAYOUT_DISPUTED, Contest.LOST: StatusReason.DISPUTE_LOST}
KINDS = {Contest.OPEN: FindingKind.PAYOUT_DISPUTED, Contest.LOST: FindingKind.DISPUTE_LOST}


def record(session: Session, database: Database, row: Refund, seen: Sequence[SeenDispute]) -> None:
    """Keep every dispute of the payment as it is now; one that is open and not shown any more is over."""
    known = {it.dispute_id: it for it in disputes_of(session, row)}
    for dispute in seen:
        before = known.pop(dispute.dispute_id, None)
        if before is None:
            session.add(PaymentDispute(refund_id=row.id, **dispute.model_dump(), seen_at=database.now()))
        elif _as_seen(before) != dispute:
            for name, value in dispute.model_dump(exclude={"dispute_id"}).items():
                setattr(before, name, value)
            before.seen_at = database.now()
        else:
            continue
        _note(session, database, row, dispute)
    for gone in known.values():
        if gone.stage in OPEN_STAGES:
            gone.stage, gone.withdrawn_minor, gone.seen_at = DisputeStage.CLOSED.value, 0, database.now()
            _note(session, database, row, _as_seen(gone))
    session.flush()


def report(session: Session, database: Database, row: Refund, payout: Payout) -> None:
    """Open one finding for each dispute and stage that stands against a refund: what happened, where the money is.

    A stage is a matter of its own: an inquiry that becomes a chargeback, or a second dispute, is told anew.
    """
    hold = session.get(Hold, row.id)
    for dispute in disputes_of(session, row):
        contest = contest_by(dispute)
        if contest == Contest.NONE:
            continue
        open_finding(
            session,
            database,
            kind=KINDS[contest],
            key=f"refund/{row.id}/{payout.attempt}/dispute/{dispute.dispute_id}/{dispute.stage}",
            evidence={
                "attempt": payout.attempt,
                "rail": row.rail,
                "dispute_id": dispute.dispute_id,
                "stage": dispute.stage,
                "dispute_status": dispute.status,
                "disputed_minor": dispute.amount_minor,
                "disputed_currency": dispute.currency,
                "withdrawn_minor": dispute.withdrawn_minor,
                "provider_ref": payout.provider_ref,
                "payout_status": payout.status,
                "amount_minor": payout.amount_minor,
                "currency": payout.currency,
                "books": _book(hold),
                # The customer has the refund, and the bank took the payment as well.
                "is_double_loss": payout.status in PAID and dispute.withdrawn_minor > 0,
            },
            refund_id=row.id,
        )


def accept_losses(session: Session, row: Refund) -> list[str]:
    """Mark the lost disputes of a refund as accepted by a person, and name them."""
    lost = [it for it in disputes_of(session, row) if contest_by(it) == Contest.LOST]
    for dispute in lost:
        dispute.is_accepted = True
    session.flush()
    return [it.dispute_id for it in lost]


def close_findings(session: Session, database: Database, row: Refund, *, operator: str) -> None:
    """Close what was found of a refund's disputes: an operator has taken the loss, which is their last word."""
    now, reason = database.now(), "the loss was accepted"
    close_findings_of(session, now, row, KINDS.values(), operator=operator, reason=reason)


def record_warnings(session: Session, database: Database, row: Refund, seen: Iterable[FraudWarning]) -> None:
    """Mark the refund with each early fraud warning, and tell people of a new one; nothing waits for it."""
    for warning in seen:
        known = session.get(PaymentWarning, (row.id, warning.warning_id))
        if known is not None:
            known.is_actionable = warning.is_actionable
            continue
        told = warning.model_dump()
        session.add(PaymentWarning(refund_id=row.id, **told, seen_at=database.now()))
        session.flush()
        cases.note(session, database, row, "payment.fraud_warning", subject=warning.warning_id, detail=told)
        open_finding(
            session,
            database,
            kind=FindingKind.FRAUD_WARNING,
            key=f"fraud_warning/{row.id}/{warning.warning_id}",
            evidence={**told, "deposit_id": row.deposit_id},
            refund_id=row.id,
        )


def _as_seen(row: PaymentDispute) -> SeenDispute:
    return SeenDispute.model_validate(row, from_attributes=True)


def _note(session: Session, database: Database, row: Refund, dispute: SeenDispute) -> None:
    detail = dispute.model_dump(mode="json", exclude={"dispute_id", "stage"})
    cases.note(session, database, row, f"dispute.{dispute.stage}", subject=dispute.dispute_id[:160], detail=detail)


def _book(hold: Hold | None) -> str | None:
    """Name the book in which the deposit's money stands."""
    names = {"active": "held", "captured": "refunded", "released": "spendable"}
    return names.get(hold.state, hold.state) if hold is not None else None
