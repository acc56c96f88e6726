"""The payout: begun in one transaction that checks everything again, and settled by what is seen outside."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from domain.disputes import FraudWarning
from domain.errors import NotFound, NotReady
from domain.findings import FindingKind
from domain.money import Money
from domain.payments import CardPaymentRef, ChainPaymentRef, PaymentFacts, PaymentRef
from domain.payouts import CardPayout, Departure, PayoutOutcome, PayoutStatus
from domain.policy import Policy
from domain.refunds import RefundState, RefundStatus, StatusReason, WaitingFor
from domain.verdicts import Outcome, Verdict
from ledger import cases, disputes
from ledger.approvals import Approvals, is_approved
from ledger.billing import payment_of
from ledger.checking import amount_to_pay, ask_approval, digest_for, verdict_for
from ledger.claims import claim
from ledger.database import Database
from ledger.endings import attend, end, hold_back, is_withdrawn, withdraw
from ledger.findings import open_finding
from ledger.settling import provider_of, settle
from ledger.switches import is_stopped
from ledger.tables import Deposit, Hold, Payout, Refund
from ledger.watches import end_watch, resume_watch

# Stripe keeps a key for at least 24 h: docs.stripe.com/api/idempotent_requests. The hour is for clocks that differ,
# and for a request that took its time to leave.
KEY_FORGOTTEN_AFTER = timedelta(hours=25)
# Some four minutes of quick failures, or an hour of slow ones.
UNCLEAR_ANSWERS_MAX = 8
UNCLEAR_AFTER = timedelta(hours=1)


class Payouts:
    """Begins payouts and books what became of them. Every step may run twice and does its work once."""

    def __init__(self, database: Database, policy: Policy, wallets: Mapping[int, str] | None = None) -> None:
        """`wallets` maps a chain id to the address that pays on that chain."""
        self._database = database
        self._policy = policy
        self._wallets = wallets or {}

    def payment(self, refund_id: str) -> PaymentRef:
        """Return the payment to read again before paying."""
        with self._database.read() as session:
            row = cases.get(session, refund_id)
            return payment_of(session.get_one(Deposit, row.deposit_id))

    def begin(self, refund_id: str, facts: PaymentFacts) -> RefundState:
        """Check everything once more and record the payout; from here on nobody can withdraw.

        What no longer holds sends the refund where it belongs: ineligible, to approval anew, or it stays.
        """
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            if row.status == RefundStatus.AWAITING_APPROVAL:
                self._begin(session, row, facts)
            return cases.state_of(session, row)

    def _begin(self, session: Session, row: Refund, facts: PaymentFacts) -> None:
        if is_withdrawn(session, row):
            withdraw(session, self._database, row, facts)
            return
        deposit = session.get_one(Deposit, row.deposit_id)
        verdict = verdict_for(session, row, deposit, facts, self._policy)
        is_whole = cases.is_whole(session, session.get(Hold, row.id))
        if verdict.outcome == Outcome.FAIL or not is_whole:
            row.verdict = verdict.model_dump(mode="json")
            reason = verdict.failed_reason if verdict.outcome == Outcome.FAIL else StatusReason.UNUSED_FAILED
            end(session, self._database, row, facts, RefundStatus.INELIGIBLE, reason)
            return
        claim(session, self._database, row, deposit, facts)
        if verdict.outcome == Outcome.WAIT:
            self._stay(session, row, StatusReason.PAYMENT_UNSETTLED)
        elif verdict.destination is None or not self._has_wallet(deposit):
            attend(session, self._database, row, StatusReason.ROUTE_UNKNOWN)
        elif digest_for(row, deposit, verdict) != row.digest:
            ask_approval(session, self._database, self._policy, row, verdict, StatusReason.DIGEST_CHANGED)
        elif not is_approved(session, row, verdict, self._policy):
            if row.waiting_for != WaitingFor.APPROVAL:  # else the reason that brought it there stays readable
                self._stay(session, row, StatusReason.APPROVAL_NEEDED)
        elif is_stopped(session, row.rail, deposit.chain_id):
            self._stay(session, row, StatusReason.RAIL_STOPPED)
        else:
            self._insert(session, row, deposit, verdict)

    def _has_wallet(self, deposit: Deposit) -> bool:
        return deposit.chain_id is None or deposit.chain_id in self._wallets

    def _stay(self, session: Session, row: Refund, reason: StatusReason) -> None:
        if reason != StatusReason.APPROVAL_NEEDED:
            hold_back(session, self._database, row, reason)
            return
        cases.move(
            session,
            self._database,
            row,
            RefundStatus.AWAITING_APPROVAL,
            reason,
            waiting_for=WaitingFor.APPROVAL,
        )

    def _insert(self, session: Session, row: Refund, deposit: Deposit, verdict: Verdict) -> None:
        payment, amount, now = payment_of(deposit), amount_to_pay(deposit), self._database.now()
        payout = Payout(
            refund_id=row.id,
            attempt=row.attempt,
            deposit_id=deposit.id,
            rail=row.rail,
            status=PayoutStatus.QUEUED.value,
            begun_at=now,
            updated_at=now,
        )
        if isinstance(payment, ChainPaymentRef):
            payout.chain_id, payout.wallet = payment.chain_id, self._wallets[payment.chain_id]
            payout.destination, payout.asset = verdict.destination, payment.asset
            payout.amount_base_units = payment.amount_base_units
        elif isinstance(amount, Money):
            payout.payment_intent = payment.payment_intent
            payout.amount_minor, payout.currency = amount.amount_minor, amount.currency
        session.add(payout)
        row.verdict = verdict.model_dump(mode="json")
        waited_seconds = self._approval_wait_seconds(row)
        row.due_at = None
        cases.move(
            session,
            self._database,
            row,
            RefundStatus.PAYING,
            StatusReason.PAYOUT_SENDING,
            waiting_for=provider_of(row),
            detail={"digest": row.digest, "approval_wait_seconds": waited_seconds},
        )

    def _approval_wait_seconds(self, row: Refund) -> int | None:
        """Return how long approval was waited for: it falls due a fixed time after it was asked for."""
        if row.due_at is None:
            return None
        asked_at = row.due_at - timedelta(hours=self._policy.handling.remind_hours)
        return max(0, int((self._database.now() - asked_at).total_seconds()))

    def card_payout(self, refund_id: str, attempt: int) -> tuple[CardPayout, PayoutStatus]:
        """Return what to send or to look for, and what is known of it."""
        with self._database.read() as session:
            payout = self._get(session, refund_id, attempt)
            paid = payment_of(session.get_one(Deposit, payout.deposit_id))
            if not isinstance(paid, CardPaymentRef):
                raise NotFound("card payout", f"{refund_id}/{attempt}")
            card = CardPayout.model_validate(
                {
                    "refund_id": refund_id,
                    "attempt": attempt,
                    # What was paid by other means names no payment of its own: the deposit's may still be contested.
                    "payment_intent": payout.payment_intent or paid.payment_intent,
                    "amount_minor": payout.amount_minor or paid.amount_minor,
                    "currency": payout.currency or paid.currency,
                    "provider_ref": payout.provider_ref,
                }
            )
            return card, PayoutStatus(payout.status)

    def state(self, refund_id: str) -> RefundState:
        """Return where the refund stands."""
        with self._database.read() as session:
            return cases.state_of(session, cases.get(session, refund_id))

    def hold_back(self, refund_id: str) -> RefundState:
        """Let an approved refund wait before its stopped rail, approvals and all; one that is being paid goes on."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            if row.status == RefundStatus.AWAITING_APPROVAL and is_stopped(session, row.rail, None):
                self._stay(session, row, StatusReason.RAIL_STOPPED)
            return cases.state_of(session, row)

    def record_sending(self, refund_id: str, attempt: int) -> Departure:
        """Write, right before the request leaves, that from now on the outcome is unknown until it is seen.

        A request that may have left already is not repeated either while its rail is stopped, nor while its key
        answers with a stored failure. A key that is forgotten by now begins anew with this request.
        """
        with self._database.write() as session:
            row, payout = cases.get(session, refund_id), self._get(session, refund_id, attempt)
            before = PayoutStatus(payout.status)
            if before not in (PayoutStatus.QUEUED, PayoutStatus.UNKNOWN):
                return Departure.STAY
            if is_stopped(session, payout.rail, payout.chain_id):
                return Departure.STAY
            approvals = Approvals(session, self._policy, [row])
            if before == PayoutStatus.QUEUED and not is_still_approved(
                session, self._database, row, payout, approvals
            ):
                return Departure.STAY
            now = self._database.now()
            is_forgotten = payout.key_used_at is None or now - payout.key_used_at >= KEY_FORGOTTEN_AFTER
            if payout.is_failure_stored and not is_forgotten:
                return Departure.ASK_LATER
            if is_forgotten:
                payout.key_used_at, payout.is_failure_stored = now, False
            if before == PayoutStatus.QUEUED:
                payout.status = PayoutStatus.UNKNOWN.value
                payout.updated_at = now
                detail = {"rail": payout.rail, "attempt": attempt}
                cases.note(session, self._database, row, "payout.sending", detail=detail)
            return Departure.GO

    def record_unclear(self, refund_id: str, attempt: int, cause: str, *, is_stored: bool) -> None:
        """Count an answer that told nothing; after eight in a row, or an hour of them, a person hears of it.

        `is_stored` says that the processor will repeat this failure until it forgets the payout's key.
        """
        with self._database.write() as session:
            row, payout = cases.get(session, refund_id), self._get(session, refund_id, attempt)
            now = self._database.now()
            payout.is_failure_stored |= is_stored
            payout.unclear_answers += 1
            payout.unclear_since = payout.unclear_since or now
            if payout.unclear_answers >= UNCLEAR_ANSWERS_MAX or now - payout.unclear_since >= UNCLEAR_AFTER:
                tell_of_unclear(session, self._database, row, payout, cause)

    def record_outcome(
        self, refund_id: str, attempt: int, outcome: PayoutOutcome, *, is_unsent: bool = False
    ) -> RefundState:
        """Book what was seen outside. An older attempt's answer changes its payout, never the refund's state.

        `is_unsent` says that whoever looked has sent nothing, and knew of no other request. Then a refusal is proof
        only while no request was recorded: another worker may have sent one meanwhile.
        """
        with self._database.write() as session:
            row, payout = cases.get(session, refund_id), self._get(session, refund_id, attempt)
            if is_unsent and outcome.status == PayoutStatus.REFUSED and payout.status != PayoutStatus.QUEUED:
                if payout.status == PayoutStatus.UNKNOWN:
                    raise NotReady("another worker is sending this payout: what became of it is looked at again")
                return cases.state_of(session, row)
            settle(session, self._database, row, payout, outcome)
            return cases.state_of(session, row)

    def record_warnings(self, refund_id: str, warnings: Sequence[FraudWarning]) -> RefundState:
        """Mark the refund with what the card's issuer suspects; where it stands does not change."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            disputes.record_warnings(session, self._database, row, warnings)
            return cases.state_of(session, row)

    def end_watch(self, refund_id: str) -> RefundState:
        """Write that a paid refund was watched for as long as promised."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            end_watch(session, self._database, row)
            return cases.state_of(session, row)

    def unseen(self, refund_id: str) -> RefundState:
        """Return where a refund stands that could not be looked at; one that nobody watches any more is, again."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            resume_watch(session, self._database, row)
            return cases.state_of(session, row)

    def _get(self, session: Session, refund_id: str, attempt: int) -> Payout:
        payout = session.get(Payout, (refund_id, attempt))
        if payout is None:
            raise NotFound("payout", f"{refund_id}/{attempt}")
        return payout


def is_still_approved(
    session: Session, database: Database, row: Refund, payout: Payout, approvals: Approvals
) -> bool:
    """Tell whether a queued payout may leave now; one whose approvals count no longer is dead, and never was sent.

    It may have been queued for days, behind a stopped rail or an empty wallet, and people may have changed since.
    """
    if approvals.is_approved(row, Verdict.model_validate(row.verdict)):
        return True
    refused = PayoutOutcome(
        status=PayoutStatus.REFUSED, reason=StatusReason.PAYOUT_REFUSED, detail="approval_counts_no_longer"
    )
    settle(session, database, row, payout, refused)
    return False


def tell_of_unclear(session: Session, database: Database, row: Refund, payout: Payout, cause: str) -> None:
    """Tell people of a payout of which nothing is known for long, in the caller's transaction. It goes on itself."""
    is_unknown = payout.status == PayoutStatus.UNKNOWN  # else it is known, and only cannot be read
    open_finding(
        session,
        database,
        kind=FindingKind.PAYOUT_UNKNOWN if is_unknown else FindingKind.FACTS_UNAVAILABLE,
        key=f"payout/{payout.refund_id}/{payout.attempt}/unclear/{payout.status}",
        evidence={
            "attempt": payout.attempt,
            "rail": payout.rail,
            "answers": payout.unclear_answers,
            "since": payout.unclear_since.isoformat() if payout.unclear_since else None,
            "is_failure_stored": payout.is_failure_stored,
            "cause": cause[:200],
        },
        refund_id=row.id,
    )
