"""The life of one refund, from a ticket to money that arrived and stayed there."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.card import CardActivities
from activities.cases import CaseActivities
from activities.crypto import CryptoActivities
from activities.payments import PaymentActivities
from domain.errors import InvalidRequest
from domain.policy import PolicySnapshot
from domain.refunds import (
    END_STATES,
    UNPAID_ENDS,
    WITHDRAWABLE,
    Rail,
    RefundState,
    RefundStatus,
    StatusReason,
    parse_ticket,
    refund_id,
    workflow_id,
)
from domain.runs import Attend, OpenRefund, PayoutKey, ReadRecords, RefundKey, RefundOutcome, Remind
from workflows import attributes
from workflows.policies import ANSWER, LEDGER, MONEY, READ

ORDERS_LOOK_SECONDS_MAX = 6 * 3600
TOLD_MAX = 50  # ids that came by signal or update, kept until they are looked up; a flood is not remembered
ANSWERED = UNPAID_ENDS | {RefundStatus.AWAITING_OWNERSHIP, RefundStatus.REFUNDED}


@workflow.defn(name="RefundWorkflow")
class RefundWorkflow:
    """One refund. The row in the database is the truth; this run gives it order, time and persistence.

    Every step is an activity that reads the row, changes it if it still may, and returns it. So a step may
    run twice, and a new run of the same refund simply goes on from the row.
    """

    @workflow.init
    def __init__(self, raw: Any = None) -> None:
        self._raw = raw
        self._refund: RefundState | None = None
        self._waits = PolicySnapshot()
        self._since = workflow.now()
        self._looks = 0
        self._has_news = False
        self._told: list[str] = []
        self._reading = False

    @workflow.run
    async def run(self, raw: Any = None) -> RefundOutcome:
        """Follow the refund from where its row stands until it has ended and is no longer watched."""
        refused = await self._open()
        if refused is not None:
            return refused
        while not self._is_over:
            match self._now.status:
                case RefundStatus.CHECKING:
                    await self._check()
                case RefundStatus.AWAITING_OWNERSHIP:
                    await self._wait_for_customer()
                case RefundStatus.AWAITING_ORDERS:
                    await self._wait_for_orders()
                case RefundStatus.AWAITING_APPROVAL:
                    await self._wait_for_approval()
                case RefundStatus.PAYING:
                    await self._pay()
                case RefundStatus.CONFIRMING:
                    await self._confirm()
                case RefundStatus.NEEDS_ATTENTION:
                    await self._wait_for_operator()
                case RefundStatus.REFUNDED:
                    await self._watch()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.refund()

    # --- the life, step by step ---

    async def _open(self) -> RefundOutcome | None:
        """Find or write the row. A malformed start ends here, as a result that names the field."""
        try:
            expected = workflow_id(refund_id(parse_ticket(self._raw)))
        except InvalidRequest as error:
            return _refused(error.field, error.message)
        if workflow.info().workflow_id != expected:
            return _refused("ticket", f"ticket: the run of this ticket is {expected}")
        opened = await workflow.execute_activity_method(
            CaseActivities.open_refund, OpenRefund(raw=self._raw), summary="find or write the row", **LEDGER
        )
        self._waits = opened.waits
        if opened.refund is None:
            return _refused(opened.invalid_field, opened.invalid_message)
        # A run that begins in the middle reads first what people recorded while nobody ran.
        self._has_news = opened.refund.status != RefundStatus.CHECKING
        await self._note(opened.refund)
        return None

    async def _check(self) -> None:
        """Whose deposit is it, and may it be refunded? If so, its money is held from here on."""
        self._has_news = False
        try:
            await self._note(
                await workflow.execute_activity_method(
                    PaymentActivities.check_refund, self._key, summary="verify, judge, hold", **READ
                )
            )
        except ActivityError:
            await self._attend(StatusReason.FACTS_UNAVAILABLE)

    async def _wait_for_customer(self) -> None:
        """Wait for an operator who confirms the ownership, or for the proof that a mail lacked."""
        left = self._since + timedelta(days=self._waits.customer_wait_days) - workflow.now()
        if await self._news(left, "waits for the customer"):
            await self._read_records()
        else:
            await self._expire()

    async def _wait_for_orders(self) -> None:
        """Look again, ever more slowly, whether a pending order or an unsettled payment is decided."""
        left = self._since + timedelta(days=self._waits.customer_wait_days) - workflow.now()
        if left <= timedelta(0):
            await self._expire()
            return
        pause = min(self._waits.orders_look_seconds * 2**self._looks, ORDERS_LOOK_SECONDS_MAX)
        self._looks += 1
        await self._news(min(left, timedelta(seconds=pause)), "waits for orders or the payment")
        if self._told:
            await self._read_records()
        else:
            await self._check()

    async def _wait_for_approval(self) -> None:
        """Wait for people, without an end that breaks the promise: overdue means reminded, and still open."""
        if await self._news(self._until_reminder(), "waits for approval"):
            await self._read_records()
        elif self._now.reason not in (StatusReason.RAIL_STOPPED, StatusReason.PAYMENT_UNSETTLED):
            await self._remind()
            return
        else:
            await self._read_records()
        if self._now.approved and self._now.status == RefundStatus.AWAITING_APPROVAL:
            await self._begin()

    async def _begin(self) -> None:
        """Check everything again and record the payout: the point from which nobody can withdraw."""
        try:
            await self._note(
                await workflow.execute_activity_method(
                    PaymentActivities.begin_payout, self._key, summary="re-check, record the payout", **READ
                )
            )
        except ActivityError:
            await self._remind()  # facts stay unavailable: it stays approved and open, and is tried again
            self._has_news = True

    async def _pay(self) -> None:
        """Let the money leave, by card at once, on chain through the wallet's outbox."""
        if self._now.rail == Rail.CRYPTO:
            await self._confirm()
            return
        try:
            await self._note(
                await workflow.execute_activity_method(
                    CardActivities.send_card_refund, self._payout_key, summary="look, leap, look again", **MONEY
                )
            )
            self._looks += 1
        except ActivityError:
            await self._attend(StatusReason.PAYOUT_UNKNOWN)

    async def _confirm(self) -> None:
        """Look at the payout on a timer; news from the wallet make it faster, losing them costs only time."""
        if self._looks > 0:
            waits = self._waits.payout_look_seconds
            pause = timedelta(seconds=waits[min(self._looks, len(waits) - 1)])
            if await self._news(pause, "waits for the payout to be seen"):
                await self._follow_news()
                return
        self._looks += 1
        if self._looks == len(self._waits.payout_look_seconds):
            await self._remind()
        await self._look()

    async def _watch(self) -> None:
        """Keep looking after a paid refund: it may still fail, be disputed, or leave its block."""
        if self._now.rail == Rail.CARD:
            hours = self._waits.watch_card_hours
            if self._looks >= len(hours):
                await self._note(
                    await workflow.execute_activity_method(CardActivities.end_watch, self._key, **LEDGER)
                )
                return
            left = self._since + timedelta(hours=hours[self._looks]) - workflow.now()
        else:
            left = timedelta(seconds=self._waits.watch_chain_seconds)
        if await self._news(left, "watches the paid refund"):
            await self._follow_news()
            return
        self._looks += 1
        await self._look()

    async def _wait_for_operator(self) -> None:
        """Wait for a person's resolution; the end of waiting is escalation, never silence."""
        if await self._news(self._until_reminder(), "waits for an operator"):
            await self._read_records()
        else:
            await self._remind()

    # --- the steps they share ---

    async def _look(self) -> None:
        """Ask the provider, or wake the wallet that looks at the chain. What stays unclear is looked at again."""
        try:
            if self._now.rail == Rail.CARD:
                refund = await workflow.execute_activity_method(
                    CardActivities.look_at_card_refund, self._payout_key, summary="look at the refund", **MONEY
                )
            else:
                refund = await workflow.execute_activity_method(
                    CryptoActivities.wake_wallet, self._key, summary="wake the wallet", **LEDGER
                )
            await self._note(refund)
        except ActivityError:
            await self._attend(StatusReason.PAYOUT_UNKNOWN)

    async def _follow_news(self) -> None:
        """While a payout is under way: a wallet's news stand in our row, a card's news at the processor."""
        if self._told or self._now.rail == Rail.CRYPTO:
            await self._read_records()
        else:
            self._has_news = False
            await self._look()

    async def _read_records(self) -> None:
        """Apply what people recorded, in recorded order; what was only told counts for nothing."""
        told, self._told, self._has_news = tuple(self._told), [], False
        request = ReadRecords(refund_id=self._now.refund_id, told=told)
        self._reading = True
        refund = await workflow.execute_activity_method(CaseActivities.read_records, request, **LEDGER)
        await self._note(refund)
        self._reading = False

    async def _expire(self) -> None:
        await self._note(await workflow.execute_activity_method(CaseActivities.expire, self._key, **LEDGER))
        self._has_news = True  # an answer that came at the last moment wins, and is read now

    async def _attend(self, reason: StatusReason) -> None:
        request = Attend(refund_id=self._now.refund_id, reason=reason)
        await self._note(await workflow.execute_activity_method(CaseActivities.attend, request, **LEDGER))

    async def _remind(self) -> None:
        waited = workflow.now() - self._since
        urgency = "escalation" if waited >= timedelta(hours=self._waits.escalate_hours) else "reminder"
        request = Remind(refund_id=self._now.refund_id, urgency=urgency)
        await self._note(await workflow.execute_activity_method(CaseActivities.remind, request, **LEDGER))

    async def _note(self, refund: RefundState) -> None:
        """Take in the row as an activity read it; show it to people, and tell the ticket where it must know."""
        before, self._refund = self._refund, refund
        updates = attributes.changes(before, refund)
        if updates:
            workflow.upsert_search_attributes(updates)
        workflow.set_current_details(attributes.in_words(refund))
        if before is not None and (before.status, before.attempt) == (refund.status, refund.attempt):
            return
        was = before.status if before else None
        self._since = workflow.now()
        if (was, refund.status) != (RefundStatus.PAYING, RefundStatus.CONFIRMING):
            self._looks = 0
        if refund.status in ANSWERED:
            try:
                await workflow.execute_activity_method(
                    CaseActivities.answer_ticket, self._key, summary="tell the ticket", **ANSWER
                )
            except ActivityError:
                workflow.logger.error("ticket.unanswered refund_id=%s", refund.refund_id)

    async def _news(self, patience: timedelta, summary: str) -> bool:
        """Wait until somebody wakes this run; return False when the time is over first."""
        try:
            await workflow.wait_condition(
                lambda: self._has_news, timeout=max(patience, timedelta(0)), timeout_summary=summary
            )
        except TimeoutError:
            return False
        return True

    def _until_reminder(self) -> timedelta:
        """Return how long to wait before the next reminder; a refund that only a stop holds back looks sooner."""
        if self._now.reason in (StatusReason.RAIL_STOPPED, StatusReason.PAYMENT_UNSETTLED):
            return timedelta(seconds=self._waits.orders_look_seconds)
        waited = workflow.now() - self._since
        for hours in (self._waits.remind_hours, self._waits.escalate_hours):
            if waited < timedelta(hours=hours):
                return timedelta(hours=hours) - waited
        return timedelta(hours=self._waits.escalate_hours)

    @property
    def _now(self) -> RefundState:
        if self._refund is None:
            raise RuntimeError("the refund is not open yet")
        return self._refund

    @property
    def _key(self) -> RefundKey:
        return RefundKey(refund_id=self._now.refund_id)

    @property
    def _payout_key(self) -> PayoutKey:
        return PayoutKey(refund_id=self._now.refund_id, attempt=self._now.attempt)

    @property
    def _is_over(self) -> bool:
        ended = self._now.status in END_STATES
        return ended and (self._now.status != RefundStatus.REFUNDED or self._now.watch_over)

    # --- what people see and bring: news only wake the run, which then reads the records ---

    @workflow.query
    def refund(self) -> RefundOutcome:
        """Tell where the refund stands."""
        if self._refund is None:
            return RefundOutcome(refund_id=None, status=RefundStatus.CHECKING)
        return RefundOutcome.model_validate(self._refund, from_attributes=True)

    @workflow.signal
    def wake(self) -> None:
        """Somebody recorded something: read it."""
        self._has_news = True

    @workflow.signal
    def approve(self, raw: Any = None) -> None:
        """Bring the news of a recorded approval."""
        self._hear(_identifier(raw, "decision_id"))

    @workflow.signal
    def reject(self, raw: Any = None) -> None:
        """Bring the news of a recorded rejection."""
        self._hear(_identifier(raw, "decision_id"))

    @workflow.update
    async def decide(self, raw: Any) -> RefundOutcome:
        """Bring the news of a recorded decision, and wait until it was read."""
        return await self._heard(_identifier(raw, "decision_id"))

    @workflow.update
    async def confirm_ownership(self, raw: Any) -> RefundOutcome:
        """Bring the news of a recorded confirmation, and wait until it was read."""
        return await self._heard(_identifier(raw, "confirmation_id"))

    @workflow.update
    async def resolve(self, raw: Any) -> RefundOutcome:
        """Bring the news of a recorded resolution, and wait until it was read."""
        return await self._heard(_identifier(raw, "resolution_id"))

    @workflow.update
    async def withdraw(self, raw: Any = None) -> RefundOutcome:
        """Bring the news of a recorded withdrawal, and wait until it was read."""
        return await self._heard(self._now.refund_id)

    @decide.validator
    def _may_decide(self, raw: Any) -> None:
        self._must_stand_in("decided", {RefundStatus.AWAITING_APPROVAL}, raw, "decision_id")

    @confirm_ownership.validator
    def _may_confirm(self, raw: Any) -> None:
        self._must_stand_in("confirmed", {RefundStatus.AWAITING_OWNERSHIP}, raw, "confirmation_id")

    @resolve.validator
    def _may_resolve(self, raw: Any) -> None:
        self._must_stand_in("resolved", {RefundStatus.NEEDS_ATTENTION}, raw, "resolution_id")

    @withdraw.validator
    def _may_withdraw(self, raw: Any = None) -> None:
        self._must_stand_in("withdrawn", WITHDRAWABLE, None, None)

    def _must_stand_in(self, act: str, states: Any, raw: Any, field: str | None) -> None:
        if self._refund is None or self._refund.status not in states:
            status = self._refund.status if self._refund else "being opened"
            raise ApplicationError(f"A refund that is {status} cannot be {act}.", type="WrongState")
        if field is not None and _identifier(raw, field).startswith("malformed"):
            raise ApplicationError(f"{field}: must be a text of 1 to 128 characters", type="InvalidRequest")

    def _hear(self, identifier: str) -> None:
        if identifier not in self._told and len(self._told) < TOLD_MAX:
            self._told.append(identifier)
        self._has_news = True

    async def _heard(self, identifier: str) -> RefundOutcome:
        self._hear(identifier)
        await workflow.wait_condition(lambda: self._is_over or not (self._reading or identifier in self._told))
        return self.refund()


def _identifier(raw: Any, field: str) -> str:
    """Return the id that a message carries; a message without one is `malformed …`, and so is written down."""
    value = raw.get(field) if isinstance(raw, dict) else raw
    is_good = isinstance(value, str) and 0 < len(value) <= 128 and value.isprintable()
    return str(value) if is_good else f"malformed {field}"


def _refused(field: str | None, message: str | None) -> RefundOutcome:
    return RefundOutcome(
        refund_id=None,
        status=RefundStatus.REJECTED,
        reason=StatusReason.INVALID_REQUEST,
        field=field,
        message=message,
    )
