"""From a request to a verdict: whose deposit, is ownership proved, do the rules pass, and then the hold."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.digests import digest
from domain.eligibility import assess
from domain.findings import OVERDUE
from domain.money import Money, TokenAmount
from domain.payments import CardPaymentRef, PaymentFacts, PaymentRef
from domain.policy import Policy
from domain.refunds import (
    END_STATES,
    Channel,
    Rail,
    RefundState,
    RefundStatus,
    StatusReason,
    WaitingFor,
)
from domain.verdicts import Outcome, Rule, Verdict
from ledger import cases, deadlines
from ledger.billing import payment_of, weight_minor
from ledger.claims import claim, other_claimant
from ledger.database import Database
from ledger.endings import attend, end, hold_back, is_withdrawn, report_lost_payment, withdraw
from ledger.findings import open_finding
from ledger.identifying import identify, missing, other_holder
from ledger.intake import has_unread_proof, is_charge
from ledger.switches import has_stopped_itself
from ledger.tables import Deposit, OwnershipConfirmation, Payout, Refund, Withdrawal
from ledger.watches import resume_watch

# The waits that may run out, and what a refund is then ended for.
EXPIRED_REASONS: dict[str, StatusReason] = {
    WaitingFor.PAYMENT_PROOF: StatusReason.CUSTOMER_DID_NOT_ANSWER,
    WaitingFor.DEPOSIT: StatusReason.CUSTOMER_DID_NOT_ANSWER,
    WaitingFor.ORDERS: StatusReason.ORDERS_UNDECIDED,
    WaitingFor.PAYMENT: StatusReason.PAYMENT_UNDECIDED,
}


class Checking:
    """Identifies the deposit, judges it, and holds it, each step in one database transaction."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def charge_to_resolve(self, refund_id: str) -> str | None:
        """Return the charge that a proof names, while no payment of ours is known for it."""
        with self._database.read() as session:
            proof = cases.get(session, refund_id).payment_proof
            return proof if proof is not None and is_charge(proof) else None

    def record_resolved_charge(self, refund_id: str, payment_intent: str | None) -> None:
        """Write which payment a charge belongs to; None leaves the proof as one that matches nothing."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            if payment_intent is not None and row.payment_proof != payment_intent:
                row.payment_proof = payment_intent
                cases.note(session, self._database, row, "proof.resolved")

    def identify(self, refund_id: str) -> tuple[RefundState, PaymentRef | None]:
        """Find the deposit and the proof of ownership; return the payment to read, or None while it waits."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            if is_withdrawn(session, row) and withdraw(session, self._database, row):
                return cases.state_of(session, row), None
            if row.status == RefundStatus.CHECKING:
                self._identify(session, row)
            if row.status not in (RefundStatus.CHECKING, RefundStatus.AWAITING_ORDERS) or row.deposit_id is None:
                return cases.state_of(session, row), None
            return cases.state_of(session, row), payment_of(session.get_one(Deposit, row.deposit_id))

    def _identify(self, session: Session, row: Refund) -> None:
        if cases.active_hold(session, row.id) is not None:
            return  # whose it is was proved before its money was held; asked again, another deposit could be named
        found = identify(session, self._policy, row)
        row.deposit_id = found.deposit_id
        if found.proof_fails and row.channel == Channel.TICKET:
            cases.end_unpaid(session, self._database, row, RefundStatus.REJECTED, StatusReason.PROOF_MATCHES_NOTHING)
            return
        lacking = missing(self._policy, row, found)
        if lacking is not None:
            reason, waiting_for = lacking
            row.due_at = self._database.now() + timedelta(days=self._policy.handling.customer_wait_days)
            cases.move(session, self._database, row, RefundStatus.AWAITING_OWNERSHIP, reason, waiting_for=waiting_for)
            return
        holder = other_holder(session, row, row.deposit_id or "")
        if holder is not None:
            row.duplicate_of = holder.refund_id
            cases.end_unpaid(
                session,
                self._database,
                row,
                RefundStatus.DUPLICATE,
                StatusReason.HELD_BY_OTHER_REFUND,
                detail={"held_by": holder.refund_id},
            )

    def judge(self, refund_id: str, facts: PaymentFacts) -> RefundState:
        """Apply the rules and hold the deposit if they pass; a refund that is past judging stays as it is."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            if is_withdrawn(session, row):
                withdraw(session, self._database, row, facts)
            elif row.status in (RefundStatus.CHECKING, RefundStatus.AWAITING_ORDERS):
                deposit = session.get_one(Deposit, row.deposit_id)
                verdict = verdict_for(session, row, deposit, facts, self._policy)
                row.verdict = verdict.model_dump(mode="json")
                if verdict.outcome != Outcome.FAIL:
                    claim(session, self._database, row, deposit, facts)
                self._follow(session, row, deposit, verdict, facts)
            return cases.state_of(session, row)

    def _follow(self, session: Session, row: Refund, deposit: Deposit, verdict: Verdict, facts: PaymentFacts) -> None:
        if verdict.outcome == Outcome.FAIL:
            self._end_failed(session, row, verdict, facts)
            return
        if verdict.outcome == Outcome.WAIT:
            on_orders = verdict.result(Rule.UNUSED).outcome == Outcome.WAIT
            reason = StatusReason.ORDERS_PENDING if on_orders else StatusReason.PAYMENT_UNSETTLED
            if cases.active_hold(session, row.id) is not None:
                # Only what is not held may wait and run out unattended; giving a hold back needs fresh facts.
                attend(session, self._database, row, reason)
                return
            if row.status == RefundStatus.CHECKING:
                row.due_at = self._database.now() + timedelta(days=self._policy.handling.customer_wait_days)
            cases.move(
                session,
                self._database,
                row,
                RefundStatus.AWAITING_ORDERS,
                reason,
                waiting_for=WaitingFor.ORDERS if on_orders else WaitingFor.PAYMENT,
            )
            return
        if row.status == RefundStatus.AWAITING_ORDERS:
            cases.move(session, self._database, row, RefundStatus.CHECKING, None)
        cases.place_hold(session, self._database, row, deposit)
        if verdict.destination is None:
            attend(session, self._database, row, StatusReason.ROUTE_UNKNOWN)
            return
        ask_approval(session, self._database, self._policy, row, verdict, StatusReason.APPROVAL_NEEDED)

    def _end_failed(self, session: Session, row: Refund, verdict: Verdict, facts: PaymentFacts) -> None:
        clean = verdict.result(Rule.CLEAN)
        if clean.code == "held_by_other_refund" and row.status == RefundStatus.CHECKING:
            row.duplicate_of = str(clean.facts["held_by"])
            status, reason = RefundStatus.DUPLICATE, StatusReason.HELD_BY_OTHER_REFUND
        else:
            status, reason = RefundStatus.INELIGIBLE, verdict.failed_reason
        if end(session, self._database, row, facts, status, reason):
            report_lost_payment(session, self._database, row, facts)

    def attend(self, refund_id: str, reason: StatusReason) -> RefundState:
        """Bring a refund before an operator; one that has ended or stands there already stays as it is.

        One that waits for approval keeps its place and its approvals: only the reason to wait is new.
        """
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            if is_withdrawn(session, row) and withdraw(session, self._database, row):
                return cases.state_of(session, row)
            is_begun = row.status in (RefundStatus.PAYING, RefundStatus.CONFIRMING)
            if is_begun and reason == StatusReason.FACTS_UNAVAILABLE:
                pass  # the answer to the step that began the payout was lost: the payout goes on
            elif reason == StatusReason.FACTS_UNAVAILABLE and has_stopped_itself(session, row.rail):
                # One finding says so for the whole rail: what is approved waits for its start, the rest reads on.
                if row.status == RefundStatus.AWAITING_APPROVAL:
                    hold_back(session, self._database, row, StatusReason.RAIL_STOPPED)
            elif is_begun or row.status == RefundStatus.CHECKING:
                attend(session, self._database, row, reason)
            elif row.status == RefundStatus.AWAITING_ORDERS:
                cases.move(session, self._database, row, RefundStatus.CHECKING, None)
                attend(session, self._database, row, reason)
            elif row.status == RefundStatus.AWAITING_APPROVAL:
                hold_back(session, self._database, row, reason)
            return cases.state_of(session, row)

    def expire(self, refund_id: str) -> RefundState:
        """End a wait whose time the run's timer has measured; an answer that came wins.

        Only waits for the customer, an order or a payment end so. What an operator must do never expires.
        """
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            reason = EXPIRED_REASONS.get(row.waiting_for or "")
            if reason == StatusReason.PAYMENT_UNDECIDED and row.rail == Rail.CRYPTO:
                # A chain transaction that never became final proves nothing of the money: a person looks for it.
                cases.move(session, self._database, row, RefundStatus.CHECKING, None)
                attend(session, self._database, row, StatusReason.PAYMENT_UNSETTLED)
            elif reason is not None and not has_unapplied(session, row):
                end(session, self._database, row, None, RefundStatus.EXPIRED, reason)
            return cases.state_of(session, row)

    def remind(self, refund_id: str, urgency: str) -> RefundState:
        """Write that a refund waits too long for a person, or for an answer; once per urgency and attempt."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            resume_watch(session, self._database, row)  # it was woken, and nobody could tell it by what
            if RefundStatus(row.status) not in END_STATES:
                open_finding(
                    session,
                    self._database,
                    kind=OVERDUE[urgency],
                    key=f"overdue/{row.id}/{row.status}/{row.attempt}/{urgency}",
                    evidence={"status": row.status, "attempt": row.attempt},
                    refund_id=row.id,
                )
                if row.waiting_for == WaitingFor.APPROVAL:  # one that is held back keeps the reason it is held by
                    cases.move(
                        session,
                        self._database,
                        row,
                        RefundStatus.AWAITING_APPROVAL,
                        StatusReason.APPROVAL_OVERDUE,
                        waiting_for=WaitingFor.APPROVAL,
                    )
            return cases.state_of(session, row)

    def tell_deadline(self, refund_id: str, mark: int) -> RefundState:
        """Write that a mark of the time to pay has come; nothing else follows from it."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            deadlines.tell(session, self._database, row, session.get(Payout, (row.id, row.attempt)), mark)
            return cases.state_of(session, row)


def has_unapplied(session: Session, row: Refund) -> bool:
    """Tell whether an answer was recorded that the run has not read yet."""
    confirmation = select(OwnershipConfirmation.confirmation_id).where(
        OwnershipConfirmation.refund_id == row.id, OwnershipConfirmation.is_applied.is_(False)
    )
    return (
        session.scalar(confirmation.limit(1)) is not None
        or session.get(Withdrawal, row.id) is not None
        or has_unread_proof(row)
    )


def verdict_for(session: Session, row: Refund, deposit: Deposit, facts: PaymentFacts, policy: Policy) -> Verdict:
    """Judge a refund's deposit by the books as they are in this transaction."""
    taken_by = other_claimant(session, deposit, facts)
    return assess(
        cases.deposit_facts(session, row, deposit).model_copy(update={"payment_taken_by": taken_by}),
        facts,
        policy,
        requested_at=row.requested_at,
        received_at=row.received_at,
    )


def amount_to_pay(deposit: Deposit) -> Money | TokenAmount:
    """Return what was paid, which is what goes back; what was credited may differ."""
    payment = payment_of(deposit)
    if isinstance(payment, CardPaymentRef):
        return Money(amount_minor=payment.amount_minor, currency=payment.currency)
    return TokenAmount(amount_base_units=payment.amount_base_units, asset=payment.asset)


def digest_for(row: Refund, deposit: Deposit, verdict: Verdict) -> str:
    """Return the digest that an approval of the present attempt must name."""
    return digest(
        refund_id=row.id,
        attempt=row.attempt,
        deposit_id=deposit.id,
        amount=amount_to_pay(deposit),
        rail=row.rail,
        verdict=verdict,
    )


def ask_approval(
    session: Session,
    database: Database,
    policy: Policy,
    row: Refund,
    verdict: Verdict,
    reason: StatusReason,
    *,
    actor: str = cases.SERVICE,
) -> None:
    """Bring a held deposit before the approvers, with the digest of exactly what they see."""
    deposit = session.get_one(Deposit, row.deposit_id)
    row.verdict = verdict.model_dump(mode="json")
    row.digest = digest_for(row, deposit, verdict)
    row.approvals_needed = policy.handling.approvals_needed(weight_minor(deposit), deposit.currency)
    row.due_at = database.now() + timedelta(hours=policy.handling.remind_hours)
    detail = {"digest": row.digest, "policy_version": verdict.policy_version}
    before = row.version
    cases.move(
        session,
        database,
        row,
        RefundStatus.AWAITING_APPROVAL,
        reason,
        waiting_for=WaitingFor.APPROVAL,
        actor=actor,
        detail=detail,
    )
    if row.version == before:  # the digest changed a second time: the same place, and yet something else to approve
        cases.note(session, database, row, f"refund.{row.status}", actor=actor, detail=detail)
