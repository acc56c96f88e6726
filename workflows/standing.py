"""Where a run stands: the row as it was read last, told to people, and how long it has waited for them."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.cases import CaseActivities
from domain.policy import PolicySnapshot
from domain.refunds import UNPAID_ENDS, RefundState, RefundStatus, StatusReason
from domain.runs import Attend, PayMark, PayoutKey, RefundKey, Remind
from workflows import attributes
from workflows.inbox import Inbox
from workflows.policies import ANSWER, LEDGER

HELD_BACK = frozenset(
    [
        StatusReason.RAIL_STOPPED,
        StatusReason.PAYMENT_UNSETTLED,
        StatusReason.PAYOUT_DISPUTED,
        StatusReason.FACTS_UNAVAILABLE,
        StatusReason.PAYOUT_REORGED,
    ]
)
ANSWERED = UNPAID_ENDS | {RefundStatus.AWAITING_OWNERSHIP, RefundStatus.REFUNDED}


class Standing(Inbox):
    """The side of a run that keeps its place: it takes in the row, tells people, and counts how long they wait."""

    def __init__(self) -> None:
        super().__init__()
        self._waits = PolicySnapshot()
        self._since = workflow.now()
        self._looks = 0
        self._looked_at = workflow.now()

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
                workflow.logger.error("ticket.unanswered", extra={"refund_id": refund.refund_id})

    async def _tell_pay_mark(self) -> None:
        """Tell people that the time to pay runs out. The row knows which marks were told, so no run repeats one."""
        if self._now.pay_mark is not None:
            mark = PayMark(refund_id=self._now.refund_id, mark=self._now.pay_mark)
            await self._note(
                await workflow.execute_activity_method(
                    CaseActivities.tell_deadline, mark, summary="tell that the time to pay runs out", **LEDGER
                )
            )

    def _until_reminder(self) -> timedelta:
        """Return how long to wait before the next reminder; what is held back is looked at sooner."""
        is_held_back = self._now.status == RefundStatus.AWAITING_APPROVAL and self._now.reason in HELD_BACK
        if is_held_back or self._now.is_ending:
            return timedelta(seconds=self._waits.orders_look_seconds)
        waited = workflow.now() - self._since
        for hours in (self._waits.remind_hours, self._waits.escalate_hours):
            if waited < timedelta(hours=hours):
                return timedelta(hours=hours) - waited
        return timedelta(hours=self._waits.escalate_hours)

    @property
    def _is_overdue(self) -> bool:
        return workflow.now() - self._since >= timedelta(hours=self._waits.remind_hours)

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
