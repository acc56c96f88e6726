"""What people see of a running refund, and what they bring to it: the query, the signals, the updates."""

from collections.abc import Set
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from domain.card_numbers import holds_card_number
from domain.refunds import END_STATES, WITHDRAWABLE, RefundState, RefundStatus
from domain.runs import RefundOutcome

TOLD_MAX = 50  # ids that came by signal or update, kept until they are looked up; a flood is not remembered
IDENTIFIER_LENGTH_MAX = 128  # characters, as long as the ids that our own calls accept


class Inbox:
    """The side of a run that people face. News only wake the run, which then reads what is recorded."""

    def __init__(self) -> None:
        self._refund: RefundState | None = None
        self._has_news = False
        self._told: list[str] = []
        self._is_reading = False
        self._reads = 0

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
        self._hear(_identifier(raw, "decision_id") or "malformed decision_id")

    @workflow.signal
    def reject(self, raw: Any = None) -> None:
        """Bring the news of a recorded rejection."""
        self._hear(_identifier(raw, "decision_id") or "malformed decision_id")

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
        return await self._heard(self._refund.refund_id if self._refund else None)

    @decide.validator
    def _may_decide(self, raw: Any) -> None:
        self._must_stand_in({RefundStatus.AWAITING_APPROVAL}, "decided")
        _must_carry(raw, "decision_id")

    @confirm_ownership.validator
    def _may_confirm(self, raw: Any) -> None:
        self._must_stand_in({RefundStatus.AWAITING_OWNERSHIP}, "confirmed")
        _must_carry(raw, "confirmation_id")

    @resolve.validator
    def _may_resolve(self, raw: Any) -> None:
        self._must_stand_in({RefundStatus.NEEDS_ATTENTION}, "resolved")
        _must_carry(raw, "resolution_id")

    @withdraw.validator
    def _may_withdraw(self, raw: Any = None) -> None:
        self._must_stand_in(WITHDRAWABLE, "withdrawn")

    @property
    def _is_over(self) -> bool:
        """Tell whether nothing is left to do: ended, and not watched any more if it was paid."""
        if self._refund is None or self._refund.status not in END_STATES:
            return False
        return self._refund.status != RefundStatus.REFUNDED or self._refund.watch_over

    async def _news(self, patience: timedelta, summary: str) -> bool:
        """Wait until somebody wakes this run; return False when the time is over first."""
        until = workflow.now() + max(patience, timedelta(0))
        while True:
            mark_at = self._refund.pay_mark_at if self._refund else None
            due = until if mark_at is None else min(until, mark_at)
            try:
                await workflow.wait_condition(
                    lambda: self._has_news,
                    timeout=max(due - workflow.now(), timedelta(0)),
                    timeout_summary=summary,
                )
            except TimeoutError:
                # Whatever a refund waits for, the time to pay runs: its marks are told from within every wait.
                if mark_at is not None and mark_at <= workflow.now():
                    await self._tell_pay_mark()
                if workflow.now() >= until:
                    return False
            else:
                return True

    async def _tell_pay_mark(self) -> None:
        """Tell people of a mark of the time to pay, where a run has one."""

    def _must_stand_in(self, states: Set[RefundStatus], act: str) -> None:
        if self._refund is None or self._refund.status not in states:
            status = self._refund.status if self._refund else "being opened"
            raise ApplicationError(f"A refund that is {status} cannot be {act}.", type="WrongState")

    def _hear(self, identifier: str) -> None:
        if identifier not in self._told and len(self._told) < TOLD_MAX:
            self._told.append(identifier)
        self._has_news = True

    async def _heard(self, identifier: str | None) -> RefundOutcome:
        """Wait for a reading of the records that began after this came, and tell where it left the refund."""
        wanted = self._reads + (2 if self._is_reading else 1)
        self._hear(identifier or "malformed")
        await workflow.wait_condition(lambda: self._is_over or self._reads >= wanted)
        return self.refund()


def _identifier(raw: Any, field: str) -> str | None:
    """Return the id that a message carries, alone or in its field; None when it carries none.

    A card number is none: what is not heard is carried on into no step, and so into no record of ours.
    """
    value = raw.get(field) if isinstance(raw, dict) else raw
    if isinstance(value, str) and 0 < len(value) <= IDENTIFIER_LENGTH_MAX and value.isprintable():
        return None if holds_card_number(value) else value
    return None


def _must_carry(raw: Any, field: str) -> None:
    if _identifier(raw, field) is None:
        raise ApplicationError(
            f"{field}: must be a text of 1 to {IDENTIFIER_LENGTH_MAX} printable characters", type="InvalidRequest"
        )
