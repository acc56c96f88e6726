"""What would become of a request: the same judging as of a real one, and nothing written, nothing held."""

from sqlalchemy.orm import Session

from domain.checks import CheckOutcome, CheckQuestion, CheckRequest
from domain.errors import InvalidRequest
from domain.payments import PaymentFacts, PaymentRef
from domain.policy import Policy
from domain.refunds import (
    AccountRef,
    Channel,
    OwnershipLevel,
    Rail,
    RefundRequest,
    RefundStatus,
    StatusReason,
    TicketRef,
    WaitingFor,
    refund_id,
)
from domain.verdicts import Outcome, Rule, Verdict
from ledger.billing import payment_of, weight_minor
from ledger.checking import verdict_for
from ledger.database import Database
from ledger.identifying import identify, missing, other_holder
from ledger.intake import Intake, normalised
from ledger.tables import Deposit, Refund

NO_TICKET = TicketRef(system="check", id="none")


class Previews:
    """Reads only. Every row of a refund that is judged here is made up and never added to the session."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy
        self._intake = Intake(database, policy)

    def prepare(self, question: CheckQuestion) -> CheckRequest:
        """Refuse what a refund's request would be refused for; leave out what names a person."""
        now = self._database.now()
        with self._database.read() as session:
            account, rail = question.account, question.rail
            if question.deposit_id is not None and account is None:
                deposit = session.get(Deposit, question.deposit_id)
                if deposit is None:
                    raise InvalidRequest("deposit_id", "known_deposit", "is not a known deposit")
                account, rail = AccountRef(id=deposit.account_id), rail or Rail(deposit.rail)
            if account is None or rail is None:
                field = "account" if account is None else "rail"
                raise InvalidRequest(field, "required", "must be given, unless deposit_id is")
            request = RefundRequest(
                ticket=question.ticket or NO_TICKET,
                channel=question.channel,
                account=account,
                rail=rail,
                deposit_id=question.deposit_id,
                payment_proof=question.payment_proof,
                session_claim=question.session_claim,
                requested_at=question.requested_at or now,
            )
            return CheckRequest(
                refund_id=refund_id(question.ticket) if question.ticket else None,
                channel=request.channel,
                account_id=self._intake.check(session, request).id,
                rail=request.rail,
                deposit_id=request.deposit_id,
                payment_proof=normalised(request.payment_proof),
                requested_at=request.requested_at,
                received_at=now,
            )

    def payment(self, check: CheckRequest) -> PaymentRef | None:
        """Return the payment to read, or None while no deposit is known."""
        with self._database.read() as session:
            found = identify(session, self._policy, _made_up(check))
            return payment_of(session.get_one(Deposit, found.deposit_id)) if found.deposit_id else None

    def judge(self, check: CheckRequest, facts: PaymentFacts | None) -> CheckOutcome:
        """Return where the refund would stand; without facts only what is missing can be told."""
        with self._database.read() as session:
            row = _made_up(check)
            found = identify(session, self._policy, row)
            row.deposit_id = found.deposit_id
            outcome = CheckOutcome(status=RefundStatus.CHECKING, deposit_id=found.deposit_id)
            if found.deposit_id is not None and facts is not None:
                deposit = session.get_one(Deposit, found.deposit_id)
                verdict = verdict_for(session, row, deposit, facts, self._policy)
                needed = self._policy.handling.approvals_needed(weight_minor(deposit), deposit.currency)
                outcome = outcome.model_copy(update={"verdict": verdict, "approvals_needed": needed})
            if found.proof_fails and check.channel == Channel.TICKET:
                return _at(outcome, RefundStatus.REJECTED, StatusReason.PROOF_MATCHES_NOTHING)
            lacking = missing(self._policy, row, found)
            if lacking is not None:
                return _at(outcome, RefundStatus.AWAITING_OWNERSHIP, *lacking)
            return self._judged(session, row, outcome)

    def _judged(self, session: Session, row: Refund, outcome: CheckOutcome) -> CheckOutcome:
        holder = other_holder(session, row, row.deposit_id or "")
        if holder is not None:
            held = outcome.model_copy(update={"duplicate_of": holder.refund_id})
            return _at(held, RefundStatus.DUPLICATE, StatusReason.HELD_BY_OTHER_REFUND)
        if outcome.verdict is None:
            raise AssertionError("a known deposit is judged by its payment's facts")
        return _at(outcome, *_standing(outcome.verdict))


def _standing(verdict: Verdict) -> tuple[RefundStatus, StatusReason, WaitingFor | None]:
    """Return where a verdict leads a refund of which nothing is missing."""
    if verdict.outcome == Outcome.FAIL:
        return RefundStatus.INELIGIBLE, verdict.failed_reason, None
    if verdict.outcome == Outcome.WAIT and verdict.result(Rule.UNUSED).outcome == Outcome.WAIT:
        return RefundStatus.AWAITING_ORDERS, StatusReason.ORDERS_PENDING, WaitingFor.ORDERS
    if verdict.outcome == Outcome.WAIT:
        return RefundStatus.AWAITING_ORDERS, StatusReason.PAYMENT_UNSETTLED, WaitingFor.PAYMENT
    if verdict.destination is None:
        return RefundStatus.NEEDS_ATTENTION, StatusReason.ROUTE_UNKNOWN, WaitingFor.OPERATOR
    return RefundStatus.AWAITING_APPROVAL, StatusReason.APPROVAL_NEEDED, WaitingFor.APPROVAL


def _at(
    outcome: CheckOutcome, status: RefundStatus, reason: StatusReason, waiting_for: WaitingFor | None = None
) -> CheckOutcome:
    return outcome.model_copy(update={"status": status, "status_reason": reason, "waiting_for": waiting_for})


def _made_up(check: CheckRequest) -> Refund:
    """Return a row as intake would write it for a help desk, whose word on the customer counts as it does there."""
    vouched = check.channel == Channel.TICKET
    return Refund(
        id=check.refund_id or "",
        status=RefundStatus.CHECKING.value,
        channel=check.channel.value,
        account_id=check.account_id,
        rail=check.rail.value,
        asked_deposit_id=check.deposit_id,
        payment_proof=check.payment_proof,
        requested_at=check.requested_at,
        received_at=check.received_at,
        is_request_time_confirmed=False,
        ownership=(OwnershipLevel.HELPDESK_ASSERTED if vouched else OwnershipLevel.UNVERIFIED).value,
        attempt=1,
    )
