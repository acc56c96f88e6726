"""The life of one refund, from a ticket to money that arrived and stayed there."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from activities.card import CardActivities
from activities.cases import CaseActivities
from activities.crypto import CryptoActivities
from activities.payments import PaymentActivities
from domain.errors import InvalidRequest
from domain.refunds import (
    Rail,
    RefundStatus,
    StatusReason,
    WaitingFor,
    parse_ticket,
    refund_id,
    workflow_id,
)
from domain.runs import OpenRefund, ReadRecords, RefundOutcome
from workflows.policies import LEDGER, MONEY, READ
from workflows.standing import Standing

ORDERS_LOOK_SECONDS_MAX = 6 * 3600
ORDERS_LOOK_DOUBLINGS_MAX = 10  # many times the longest pause; without an end the number would grow past a float
# What was paid by other means may be charged back as well: then it is lost twice.
LOOKED_AT_WHEN_WOKEN = frozenset([StatusReason.PAID, StatusReason.PAID_OUTSIDE, StatusReason.LOSS_ACCEPTED])


NOTHING = RawValue(Payload(metadata={"encoding": b"binary/null"}))


@workflow.defn(name="RefundWorkflow")
class RefundWorkflow(Standing):
    """One refund. The row in the database is the truth; this run gives it order, time and persistence.

    Every step is an activity that reads the row, changes it if it still may, and returns it. So a step may
    run twice, and a new run of the same refund simply goes on from the row.
    """

    @workflow.init
    def __init__(self, raw: RawValue = NOTHING) -> None:
        super().__init__()
        self._raw = _read(raw)

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> RefundOutcome:
        """Follow the refund from where its row stands until it has ended and is no longer watched."""
        refused = await self._open()
        if refused is not None:
            return refused
        while not self._is_over:
            self._start_anew_if_long()
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
        if self._is_over and self._now.rail == Rail.CARD and self._now.reason in LOOKED_AT_WHEN_WOKEN:
            await self._look()  # somebody woke a refund that nobody watches any more: a dispute on day 60
        return None

    async def _check(self) -> None:
        """Whose deposit is it, and may it be refunded? If so, its money is held from here on."""
        was_approvable, self._has_news = self._now.digest is not None, bool(self._told)
        try:
            await self._note(
                await workflow.execute_activity_method(
                    PaymentActivities.check_refund, self._key, summary="verify, judge, hold", **READ
                )
            )
        except ActivityError:
            await self._attend(StatusReason.FACTS_UNAVAILABLE)
        if was_approvable and self._now.status == RefundStatus.AWAITING_APPROVAL:
            self._has_news = True  # approvals from before may stand for what was found again

    async def _wait_for_customer(self) -> None:
        """Wait for the proof or the choice that a customer owes, or for an operator who confirms the ownership."""
        if self._now.waiting_for not in (WaitingFor.PAYMENT_PROOF, WaitingFor.DEPOSIT):
            await self._wait_for_operator()  # a customer who did their part never loses the refund to our silence
            return
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
        doublings = min(self._looks, ORDERS_LOOK_DOUBLINGS_MAX)
        pause = min(self._waits.orders_look_seconds * 2**doublings, ORDERS_LOOK_SECONDS_MAX)
        if not await self._news(min(left, timedelta(seconds=pause)), "waits for orders or the payment"):
            self._looks += 1
        if self._told:
            await self._read_records()
        else:
            await self._check()

    async def _wait_for_approval(self) -> None:
        """Wait for people, without an end that breaks the promise: overdue means reminded, and still open."""
        has_news = await self._news(self._until_reminder(), "waits for approval")
        if not has_news and self._is_overdue:
            await self._remind()
        known = self._now.version
        await self._read_records()
        if self._now.approved and self._now.status == RefundStatus.AWAITING_APPROVAL:
            await self._begin()
        elif has_news and self._is_news_from_outside(known) and workflow.patched("warnings-before-approval"):
            await self._look_for_warnings()

    async def _begin(self) -> None:
        """Check everything again and record the payout: the point from which nobody can withdraw."""
        try:
            await self._note(
                await workflow.execute_activity_method(
                    PaymentActivities.begin_payout, self._key, summary="re-check, record the payout", **READ
                )
            )
        except ActivityError:
            await self._attend(StatusReason.FACTS_UNAVAILABLE)  # it stays approved, and is tried again
        # Facts may change back to what was approved before: those approvals then still stand.
        self._has_news |= self._now.reason == StatusReason.DIGEST_CHANGED

    async def _pay(self) -> None:
        """Let the money leave, by card at once, on chain through the wallet's outbox."""
        if self._now.rail == Rail.CRYPTO or self._looks > 0:
            await self._confirm()
            return
        self._looks += 1
        try:
            await self._note(
                await workflow.execute_activity_method(
                    CardActivities.send_card_refund, self._payout_key, summary="look, leap, look again", **MONEY
                )
            )
        except ActivityError as error:
            await self._no_answer(error)

    async def _confirm(self) -> None:
        """Look at the payout on a timer; news from the wallet make it faster, losing them costs only time."""
        if self._looks > 0:
            waits = self._waits.payout_look_seconds
            pause = timedelta(seconds=waits[min(self._looks, len(waits)) - 1])
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
        if self._now.is_contested and workflow.patched("look-while-an-operator-has-it"):
            await self._wait_and_look()
            return
        if not await self._news(self._until_reminder(), "waits for an operator") and self._is_overdue:
            await self._remind()
        await self._read_records()

    async def _wait_and_look(self) -> None:
        """Wait for a person while the bank may still decide: looked at daily, and whenever something happened."""
        every = timedelta(hours=self._waits.dispute_look_hours)
        pause = min(self._until_reminder(), self._looked_at + every - workflow.now())
        has_news = await self._news(pause, "waits for an operator, and for the customer's bank")
        if not has_news and self._is_overdue:
            await self._remind()
        known = self._now.version
        await self._read_records()
        is_due = workflow.now() >= self._looked_at + every
        if self._now.is_contested and (is_due or (has_news and self._now.version == known)):
            await self._look()

    # --- the steps they share ---

    def _is_news_from_outside(self, known: int) -> bool:
        """Tell whether a card refund was woken though nobody recorded anything: so something happened to the card."""
        is_card = self._now.rail == Rail.CARD and self._now.status == RefundStatus.AWAITING_APPROVAL
        return is_card and self._now.version == known

    async def _look_for_warnings(self) -> None:
        """See whether the card's issuer suspects the payment: approvers shall know, and nothing waits for it."""
        try:
            await self._note(
                await workflow.execute_activity_method(
                    CardActivities.look_for_warnings, self._key, summary="look for warnings of fraud", **READ
                )
            )
        except ActivityError:
            workflow.logger.warning("card.fraud_warnings_unread", extra={"refund_id": self._now.refund_id})

    async def _look(self) -> None:
        """Ask the provider, or wake the wallet that looks at the chain. What stays unclear is looked at again."""
        self._looked_at = workflow.now()
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
        except ActivityError as error:
            await self._no_answer(error)

    async def _no_answer(self, error: ActivityError) -> None:
        """Nothing is known of the payout. Time may tell, and people hear of it; a definite fault is theirs now."""
        is_definite = isinstance(error.cause, ApplicationError) and error.cause.non_retryable
        if is_definite and self._now.status != RefundStatus.REFUNDED:
            await self._attend(StatusReason.PAYOUT_UNKNOWN)
        else:
            await self._remind()

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
        self._is_reading = True
        await self._note(await workflow.execute_activity_method(CaseActivities.read_records, request, **LEDGER))
        if self._now.is_ending:
            await self._end()
        self._is_reading, self._reads = False, self._reads + 1

    async def _end(self) -> None:
        """End unpaid, after one more look at the payment: money that left by another way must not be spendable."""
        try:
            await self._note(
                await workflow.execute_activity_method(
                    PaymentActivities.end_refund, self._key, summary="look once more, then release", **READ
                )
            )
        except ActivityError:
            await self._attend(StatusReason.FACTS_UNAVAILABLE)  # the hold stays, and it is tried again

    async def _expire(self) -> None:
        await self._note(await workflow.execute_activity_method(CaseActivities.expire, self._key, **LEDGER))
        if not self._is_over:
            await self._read_records()  # an answer that came at the last moment wins

    def _start_anew_if_long(self) -> None:
        """Go on in a new run before the history grows too long: the row says where, only timers begin again."""
        is_idle = not self._told and workflow.all_handlers_finished()
        if is_idle and workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(self._raw)


def _refused(field: str | None, message: str | None) -> RefundOutcome:
    return RefundOutcome(
        refund_id=None,
        status=RefundStatus.REJECTED,
        reason=StatusReason.INVALID_REQUEST,
        field=field,
        message=message,
    )


def _read(raw: RawValue) -> Any:
    """Return the start's JSON, or None: left to the library, bytes that nobody can read would fail for ever."""
    try:
        return workflow.payload_converter().from_payload(raw.payload)
    except Exception:  # noqa: BLE001 - each converter fails in its own way; a body that is None is refused by name
        return None
