"""How a refund ends unpaid: a hold is given back only when all that is known shows the money still with us."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.findings import FindingKind, kind_of
from domain.payments import CardPayment, Dispute, PaymentFacts
from domain.refunds import WITHDRAWABLE, Rail, RefundStatus, StatusReason, WaitingFor
from ledger import cancelling, cases
from ledger.database import Database
from ledger.findings import open_finding
from ledger.tables import Deposit, Finding, Refund, Withdrawal

# How money of a refund is found that has left although no payout of it counts as paid.
FOUND_PAID = (FindingKind.PAID_NOT_BOOKED, FindingKind.PAID_TWICE, FindingKind.DEAD_PAYOUT_MOVED)


def end(
    session: Session,
    database: Database,
    row: Refund,
    facts: PaymentFacts | None,
    status: RefundStatus,
    reason: StatusReason,
    *,
    actor: str = cases.SERVICE,
) -> bool:
    """End a refund unpaid and return True; or keep it, and its hold, and return False.

    What is held of a card payment is given back only by facts read just now, and what is held of a chain payment only
    while no earlier attempt may still pay, or was found to have paid.
    """
    if cases.active_hold(session, row.id) is not None:
        if row.rail == Rail.CRYPTO and not _is_releasable_on_chain(session, database, row):
            return False
        if row.rail == Rail.CARD and not _is_releasable_by_card(session, database, row, facts):
            return False
    cases.end_unpaid(session, database, row, status, reason, actor=actor)
    return True


def _is_releasable_by_card(session: Session, database: Database, row: Refund, facts: PaymentFacts | None) -> bool:
    """Tell whether a card payment is still with us, or its loss is booked; else let the refund wait.

    It can go back without us, by a dispute or by a refund outside. So without facts nothing happens, a payment that
    is not found any more and an open dispute keep the hold, a lost one moves it to charged back, and a refund brings
    the case before an operator: somebody else's, or one of our own that was taken for dead, or that a restored
    database has forgotten.
    """
    if not isinstance(facts, CardPayment):
        return False
    if not facts.found:
        # It was there when its money was held: the key is of another account, or the processor is at fault.
        keep(session, database, row, StatusReason.FACTS_UNAVAILABLE)
        return False
    if facts.dispute == Dispute.OPEN:
        keep(session, database, row, StatusReason.PAYOUT_DISPUTED)
        return False
    if facts.dispute == Dispute.LOST:
        cases.charge_back_hold(session, database, row)
    elif facts.refunded_minor + facts.own_refunded_minor > 0:
        went_back = {"refunded_minor": facts.refunded_minor, "own_refunded_minor": facts.own_refunded_minor}
        attend(session, database, row, StatusReason.REFUNDED_OUTSIDE, went_back)
        return False
    return True


def _is_releasable_on_chain(session: Session, database: Database, row: Refund) -> bool:
    """Tell whether nothing of a chain refund has left the wallet, or can; else let the refund wait.

    An earlier attempt whose final block is gone may still pay until its nonce is closed. What was found paid, by an
    attempt that counts as dead or by one that a restored database has forgotten, is for a person.
    """
    paid = found_paid(session, row)
    if paid is not None:
        attend(session, database, row, StatusReason.REFUNDED_OUTSIDE, {"finding": paid})
        return False
    nonce = cancelling.open_nonce(session, row)
    if nonce is not None:
        keep(session, database, row, StatusReason.PAYOUT_REORGED)
    return nonce is None


def found_paid(session: Session, row: Refund) -> int | None:
    """Return an open finding that says that a refund of this deposit was paid after all, or None.

    A reconciliation found it, or a dead attempt left its final block and paid in another. Which ticket asked for it
    counts for nothing: a deposit is paid back once.
    """
    of_deposit = select(Refund.id).where((Refund.id == row.id) | (Refund.deposit_id == row.deposit_id))
    found = select(Finding.id).where(
        Finding.refund_id.in_(of_deposit), Finding.kind.in_(FOUND_PAID), Finding.closed_at.is_(None)
    )
    return session.scalar(found.limit(1))


def deposits_found_paid(session: Session, rows: Sequence[Refund]) -> set[str | None]:
    """Return those deposits of these refunds of which `found_paid` would return a finding."""
    found = (
        select(Refund.deposit_id)
        .join(Finding, Finding.refund_id == Refund.id)
        .where(
            Refund.deposit_id.in_([it.deposit_id for it in rows]),
            Finding.kind.in_(FOUND_PAID),
            Finding.closed_at.is_(None),
        )
    )
    return set(session.scalars(found))


def is_withdrawn(session: Session, row: Refund) -> bool:
    """Tell whether the customer took the refund back while it still may be."""
    return RefundStatus(row.status) in WITHDRAWABLE and session.get(Withdrawal, row.id) is not None


def withdraw(session: Session, database: Database, row: Refund, facts: PaymentFacts | None = None) -> bool:
    """End a refund that the customer took back before anything was paid; return False where it must wait."""
    return end(session, database, row, facts, RefundStatus.WITHDRAWN, StatusReason.CUSTOMER_WITHDREW)


def keep(session: Session, database: Database, row: Refund, reason: StatusReason) -> None:
    """Keep a refund and its hold where they are; one that is neither approvable nor with an operator goes to one."""
    if row.status == RefundStatus.AWAITING_APPROVAL:
        hold_back(session, database, row, reason)
    else:
        attend(session, database, row, reason)


def hold_back(session: Session, database: Database, row: Refund, reason: StatusReason) -> None:
    """Let a refund wait where it is, approvals and all, with a finding that says why."""
    cases.move(session, database, row, RefundStatus.AWAITING_APPROVAL, reason, waiting_for=WaitingFor.OPERATOR)
    open_finding(
        session,
        database,
        kind=kind_of(reason),
        key=f"refund/{row.id}/{row.attempt}/held_back/{reason}",
        evidence=_whose(session, row),
        refund_id=row.id,
    )


def attend(
    session: Session,
    database: Database,
    row: Refund,
    reason: StatusReason,
    evidence: Mapping[str, Any] | None = None,
) -> None:
    """Bring a refund before an operator, with a finding that names it."""
    stand_before_operator(session, database, row, reason)
    open_finding(
        session,
        database,
        kind=kind_of(reason),
        key=f"refund/{row.id}/{row.attempt}/{reason}",
        evidence={**_whose(session, row), **(evidence or {})},
        refund_id=row.id,
    )


def _whose(session: Session, row: Refund) -> dict[str, Any]:
    """Name the payment by which a person finds the matter at the card processor, or on the chain."""
    deposit = session.get(Deposit, row.deposit_id) if row.deposit_id is not None else None
    payment = None if deposit is None else deposit.payment_intent or deposit.tx_hash
    return {"attempt": row.attempt, "rail": row.rail, "deposit_id": row.deposit_id, "payment": payment}


def stand_before_operator(session: Session, database: Database, row: Refund, reason: StatusReason) -> None:
    """Let an operator move a refund next; what was found is told by the caller."""
    cases.move(session, database, row, RefundStatus.NEEDS_ATTENTION, reason, waiting_for=WaitingFor.OPERATOR)
    row.due_at = None


def report_lost_payment(session: Session, database: Database, row: Refund, facts: PaymentFacts) -> None:
    """Tell of a payment that went back without us while its deposit is not held: its balance may be spent."""
    if not isinstance(facts, CardPayment) or (facts.dispute == Dispute.NONE and facts.refunded_minor == 0):
        return
    if row.deposit_id is not None and cases.holder_of(session, row.deposit_id) is not None:
        return  # another ticket's refund holds it or paid it back, and what its payment does is told there
    if facts.dispute == Dispute.LOST:
        cases.charge_back_spendable(session, database, row)
    open_finding(
        session,
        database,
        kind=FindingKind.PAYMENT_WENT_BACK,
        key=f"payment_went_back/{row.deposit_id}/{facts.dispute}/{facts.refunded_minor}",
        evidence={
            "deposit_id": row.deposit_id,
            "dispute": facts.dispute.value,
            "refunded_minor": facts.refunded_minor,
        },
        refund_id=row.id,
    )
