"""The baseline: a workflow shaped like a refund, whose steps do nothing."""

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

from domain.refunds import RefundState
from workflows.attributes import STATUS
from workflows.policies import LEDGER

TASK_QUEUE = "bare"


@activity.defn
def step(refund: RefundState) -> RefundState:
    """Do nothing, with an object as large as a refund's in and out."""
    return refund


@workflow.defn
class BareRefund:
    """As many steps, waits and search attributes as a card refund has up to its end, and nothing in them."""

    @workflow.init
    def __init__(self, refund: RefundState) -> None:
        self._refund = refund
        self._status = "checking"
        self._is_approved = False

    @workflow.run
    async def run(self, refund: RefundState) -> str:
        """Take two steps, wait for an approval, take four more, and wait as the watch does."""
        await self._step()  # the row is opened
        await self._step()  # checked and held
        await self._move("awaiting_approval")
        await workflow.wait_condition(lambda: self._is_approved, timeout=timedelta(hours=24))
        await self._step()  # the records are read
        await self._step()  # the payout begins
        await self._move("paying")
        await self._step()  # the money is sent
        await self._move("refunded")
        await self._step()  # the ticket is answered
        self._status = "watched"
        await workflow.wait_condition(lambda: False, timeout=timedelta(hours=1))
        return self._status

    async def _step(self) -> None:
        self._refund = await workflow.execute_activity(step, self._refund, summary="a step", **LEDGER)

    async def _move(self, status: str) -> None:
        self._status = status
        workflow.upsert_search_attributes([STATUS.value_set(status)])
        workflow.set_current_details(status)

    @workflow.signal
    def approve(self, raw: Any = None) -> None:
        """Approve."""
        self._is_approved = True

    @workflow.update
    async def decide(self, raw: Any = None) -> str:
        """Approve, and answer."""
        self._is_approved = True
        return self._status

    @workflow.query
    def status(self) -> str:
        """Tell where it stands."""
        return self._status
