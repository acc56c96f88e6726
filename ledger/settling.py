"""A payout settled: payout, books and refund moved to what was seen outside, in one database transaction."""

from typing import Any

from sqlalchemy.orm import Session

from domain.disputes import Contest
from domain.findings import FindingKind
from domain.payouts import DEAD, PayoutOutcome, PayoutStatus
from domain.refunds import Rail, RefundStatus, StatusReason, WaitingFor
from ledger import bank_messages, cases, disputes
from ledger.contests import contest_of
from ledger.database import Database
from ledger.endings import attend, stand_before_operator
from ledger.findings import open_finding
from ledger.shortages import watch_balance
from ledger.tables import Hold, Payout, Refund

REASONS_OF_DEAD = {
    PayoutStatus.REFUSED: StatusReason.PAYOUT_REFUSED,
    PayoutStatus.FAILED: StatusReason.PAYOUT_FAILED,
    PayoutStatus.CANCELED: StatusReason.PAYOUT_CANCELED,
    PayoutStatus.REVERTED: StatusReason.PAYOUT_REVERTED,
}

CONTESTED = frozenset([StatusReason.PAYOUT_DISPUTED, StatusReason.DISPUTE_LOST])

# A payout can go wrong as long as its refund is not ended unpaid; paid is no end of care.
MAY_FAIL = (RefundStatus.PAYING, RefundStatus.CONFIRMING, RefundStatus.REFUNDED, RefundStatus.NEEDS_ATTENTION)


def settle(session: Session, database: Database, row: Refund, payout: Payout, outcome: PayoutOutcome) -> None:
    """Move payout, books and refund to what was seen, in the caller's transaction."""
    if outcome.saw_disputes and (outcome.provider_ref is not None or outcome.disputes):
        disputes.record(session, database, row, outcome.disputes)
    if payout.status in DEAD or payout.status == PayoutStatus.PAID_OUTSIDE:
        _settle_again(session, database, row, payout, outcome)
        return
    changed = (payout.status, payout.provider_ref) != (outcome.status, outcome.provider_ref or payout.provider_ref)
    payout.status = outcome.status.value
    payout.provider_ref = outcome.provider_ref or payout.provider_ref
    payout.detail = outcome.detail[:400]
    payout.unclear_answers, payout.unclear_since = 0, None
    if changed:
        payout.updated_at = database.now()
        detail = {
            "rail": payout.rail,
            "attempt": payout.attempt,
            "provider_ref": payout.provider_ref,
            "tx_hash": payout.tx_hash,
        }
        cases.note(session, database, row, f"payout.{outcome.status}", detail=detail)
    watch_balance(session, database, row, payout, outcome)
    bank_messages.keep(session, database, row, payout, outcome.bank)
    if payout.attempt != row.attempt:
        return
    reason = _reason(session, row, outcome)
    if outcome.status == PayoutStatus.SUCCEEDED and reason is None:
        _settle_paid(session, database, row)
    elif outcome.status == PayoutStatus.SUCCEEDED:
        if not is_charged_back(session, row):
            cases.capture_hold(session, database, row)  # the money has left, whatever else a person must look at
        _attend(session, database, row, payout, reason or StatusReason.PAYOUT_UNKNOWN)
    elif outcome.status == PayoutStatus.PENDING and reason is None:
        if row.status == RefundStatus.PAYING or row.status_reason in CONTESTED:
            _confirm(session, database, row)
    elif outcome.status in DEAD:
        cases.reopen_hold(session, database, row)
        if payout.rail == Rail.CARD:  # whatever was seen in between: a customer who was told hears that it is not so
            bank_messages.tell_it_came_back(session, database, row, payout)
        _attend(session, database, row, payout, reason or StatusReason.PAYOUT_FAILED)
    elif reason is not None:
        _attend(session, database, row, payout, reason)


def _reason(session: Session, row: Refund, outcome: PayoutOutcome) -> StatusReason | None:
    """Return why a person must act, by all disputes that are known and then by what became of the payout itself."""
    if outcome.status == PayoutStatus.UNKNOWN:
        return outcome.reason
    contested = disputes.REASONS.get(contest_of(session, row))
    if contested is not None:
        return contested
    if outcome.reason in CONTESTED and outcome.disputes:
        # Every dispute that was seen is over, or its loss was accepted.
        return REASONS_OF_DEAD.get(outcome.status)
    return outcome.reason


def _settle_again(session: Session, database: Database, row: Refund, payout: Payout, outcome: PayoutOutcome) -> None:
    """Keep what is final as it is: a person hears of money that moved after all, or of one more look in vain."""
    if payout.status == PayoutStatus.PAID_OUTSIDE:
        _follow_the_bank(session, database, row, payout)
        return
    dead = PayoutStatus(payout.status)
    has_moved = outcome.status in (PayoutStatus.PENDING, PayoutStatus.SUCCEEDED)
    if has_moved:
        open_finding(
            session,
            database,
            kind=FindingKind.DEAD_PAYOUT_MOVED,
            key=f"payout/{payout.refund_id}/{payout.attempt}/moved",
            evidence={"attempt": payout.attempt, "was": payout.status, "provider_ref": outcome.provider_ref},
            refund_id=payout.refund_id,
        )
    if payout.attempt != row.attempt:
        return
    contested = disputes.REASONS.get(contest_of(session, row))
    is_looked_for = row.status in (RefundStatus.PAYING, RefundStatus.CONFIRMING)
    if is_looked_for or contested is not None or row.status_reason in CONTESTED:
        is_telling = has_moved or outcome.reason in (StatusReason.PAYOUT_DISPUTED, StatusReason.REFUNDED_OUTSIDE)
        told = outcome.reason if is_telling and not outcome.disputes else None
        # Nothing to be seen of a dead payout is no news of it, but what the bank does about the payment is.
        _attend(session, database, row, payout, contested or told or REASONS_OF_DEAD[dead])


def _follow_the_bank(session: Session, database: Database, row: Refund, payout: Payout) -> None:
    """Bring a refund that was paid by other means before an operator while the bank takes the payment back too."""
    if payout.attempt != row.attempt:
        return
    contested = disputes.REASONS.get(contest_of(session, row))
    if contested is not None:
        _attend(session, database, row, payout, contested)
    elif row.status in (RefundStatus.NEEDS_ATTENTION, RefundStatus.CONFIRMING):
        is_lost = is_charged_back(session, row)
        row.watch_over = True
        reason = StatusReason.LOSS_ACCEPTED if is_lost else StatusReason.PAID_OUTSIDE
        cases.move(session, database, row, RefundStatus.REFUNDED, reason)


def _settle_paid(session: Session, database: Database, row: Refund) -> None:
    if row.status == RefundStatus.REFUNDED:
        return
    if row.status == RefundStatus.PAYING:
        _confirm(session, database, row)
    if is_charged_back(session, row):
        cases.move(session, database, row, RefundStatus.REFUNDED, StatusReason.LOSS_ACCEPTED)
        return
    cases.capture_hold(session, database, row)
    cases.move(session, database, row, RefundStatus.REFUNDED, StatusReason.PAID)


def is_charged_back(session: Session, row: Refund) -> bool:
    """Tell whether the bank's word over the deposit is booked already: nothing is captured or held any more."""
    hold = session.get(Hold, row.id)
    return hold is not None and hold.state == "charged_back"


def _confirm(session: Session, database: Database, row: Refund) -> None:
    cases.move(
        session,
        database,
        row,
        RefundStatus.CONFIRMING,
        StatusReason.PAYOUT_ACCEPTED,
        waiting_for=provider_of(row),
    )


def _attend(session: Session, database: Database, row: Refund, payout: Payout, reason: StatusReason) -> None:
    """Bring a refund before an operator, with what is known of its money: once, and for each stage of a dispute."""
    if row.status not in MAY_FAIL:
        # It has ended unpaid, which nothing moves; people hear what the bank does all the same.
        disputes.report(session, database, row, payout)
        return
    if (row.status, row.status_reason) != (RefundStatus.NEEDS_ATTENTION, reason):
        if reason in CONTESTED and contest_of(session, row) != Contest.NONE:
            stand_before_operator(session, database, row, reason)
        else:
            attend(session, database, row, reason, _evidence(payout))
        row.watch_over = False
    disputes.report(session, database, row, payout)


def _evidence(payout: Payout) -> dict[str, Any]:
    """Say what a person needs to find the money of a card payout."""
    if payout.rail != Rail.CARD:
        return {}
    return {
        "provider_ref": payout.provider_ref,
        "detail": payout.detail,
        "amount_minor": payout.amount_minor,
        "currency": payout.currency,
        "payout_status": payout.status,
    }


def provider_of(row: Refund) -> WaitingFor:
    """Name who moves a payout on: the card processor, or the chain."""
    return WaitingFor.PROVIDER if row.rail == Rail.CARD else WaitingFor.CHAIN
