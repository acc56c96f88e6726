"""One wallet on one chain: turns the pump about once a block while payouts are open."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.crypto import CryptoActivities
from domain.refunds import workflow_id
from domain.runs import PumpReport, WalletKey
from workflows.policies import PUMP

# History is kept short by starting anew; a turn of the pump adds about eleven events.
TURNS_PER_RUN = 200


@workflow.defn(name="WalletWorkflow")
class WalletWorkflow:
    """Drives the outbox. Losing it loses nothing: any refund that waits starts it again."""

    @workflow.init
    def __init__(self, key: WalletKey) -> None:
        self._key = key
        self._has_work = True

    @workflow.run
    async def run(self, key: WalletKey) -> None:
        """Pump while payouts are open, then end; the next payout starts a new run under the same id."""
        for turn in range(TURNS_PER_RUN):
            self._has_work = False
            report = await self._pump(turn)
            await self._tell(report)
            if report.open_payouts == 0 and not self._has_work:
                return
            await self._next_block(report)
        workflow.continue_as_new(key)

    async def _pump(self, turn: int) -> PumpReport:
        """Turn the pump. A turn that fails for good is a bug to mend; meanwhile the outbox must not be forgotten."""
        try:
            key = self._key.model_copy(update={"turn": turn})
            return await workflow.execute_activity_method(CryptoActivities.pump, key, **PUMP)
        except ActivityError as error:
            cause = error.cause.message if isinstance(error.cause, ApplicationError) else type(error.cause).__name__
            workflow.logger.error("wallet.pump_failed", extra={"wallet": self._key.wallet, "cause": cause})
            return PumpReport(open_payouts=1)

    async def _tell(self, report: PumpReport) -> None:
        """Wake the refunds that have news. One whose run is gone will read its row when it starts again."""
        for refund in report.changed:
            handle: Any = workflow.get_external_workflow_handle(workflow_id(refund))
            try:
                await handle.signal("wake")
            except ApplicationError:
                workflow.logger.info("refund.found_asleep", extra={"refund_id": refund})

    async def _next_block(self, report: PumpReport) -> None:
        try:
            await workflow.wait_condition(
                lambda: self._has_work,
                timeout=timedelta(seconds=self._key.block_seconds),
                timeout_summary=f"{report.open_payouts} payouts open",
            )
        except TimeoutError:
            return

    @workflow.signal
    def wake(self) -> None:
        """A payout was queued."""
        self._has_work = True
