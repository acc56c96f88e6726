"""Steps on the refund's row: open it, apply what people recorded, remind, expire, answer the ticket."""

from collections.abc import Sequence
from typing import Protocol

from temporalio import activity

from activities.errors import translated
from domain.errors import InvalidRequest, Refused
from domain.policy import Policy
from domain.refunds import RefundRequest, RefundState, StatusReason, parse_ticket, refund_id
from domain.runs import Attend, Opened, OpenRefund, PayMark, ReadRecords, RefundKey, Remind


class Intake(Protocol):
    """Where requests become rows."""

    def find(self, refund: str) -> RefundState | None: ...

    def accept_direct(self, request: RefundRequest) -> RefundState: ...


class Progress(Protocol):
    """Where recorded acts are applied."""

    def read_records(self, refund_id: str, told: Sequence[str]) -> RefundState: ...


class Waits(Protocol):
    """Where a wait ends without an answer."""

    def attend(self, refund_id: str, reason: StatusReason) -> RefundState: ...

    def expire(self, refund_id: str) -> RefundState: ...

    def remind(self, refund_id: str, urgency: str) -> RefundState: ...

    def tell_deadline(self, refund_id: str, mark: int) -> RefundState: ...


class Messages(Protocol):
    """Where the answer to the ticket is written."""

    def answer(self, refund_id: str) -> None: ...


class CaseActivities:
    """Everything that happens to the row itself."""

    def __init__(
        self, *, intake: Intake, progress: Progress, waits: Waits, messages: Messages, policy: Policy
    ) -> None:
        self._intake = intake
        self._progress = progress
        self._waits = waits
        self._messages = messages
        self._policy = policy

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def open_refund(self, start: OpenRefund) -> Opened:
        """Find the refund's row, or write it for a run that was started without the API."""
        waits = self._policy.handling.snapshot()
        try:
            refund = self._intake.find(refund_id(parse_ticket(start.raw)))
            if refund is None:
                refund = self._intake.accept_direct(RefundRequest.parse(start.raw))
        except InvalidRequest as error:
            return Opened(waits=waits, invalid_field=error.field, invalid_message=error.message)
        return Opened(refund=refund, waits=waits)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def read_records(self, request: ReadRecords) -> RefundState:
        """Apply what people recorded since the last time."""
        return self._progress.read_records(request.refund_id, request.told)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def attend(self, request: Attend) -> RefundState:
        """Bring the refund before an operator."""
        return self._waits.attend(request.refund_id, request.reason)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def expire(self, key: RefundKey) -> RefundState:
        """End a wait for the customer."""
        return self._waits.expire(key.refund_id)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def remind(self, request: Remind) -> RefundState:
        """Make a finding of a refund that waits too long for a person."""
        return self._waits.remind(request.refund_id, request.urgency)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def tell_deadline(self, mark: PayMark) -> RefundState:
        """Make a finding of a refund that is unpaid while its time to pay runs out."""
        return self._waits.tell_deadline(mark.refund_id, mark.mark)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def answer_ticket(self, key: RefundKey) -> None:
        """Write what the customer is told about where the refund stands."""
        try:
            self._messages.answer(key.refund_id)
        except Refused as error:
            activity.logger.error("ticket.unanswered", extra={"refund_id": key.refund_id, "cause": error.message})
            raise
