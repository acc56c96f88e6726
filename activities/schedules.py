"""What happens once a day: the sweep of the card rail and the reconciliation, kept as this version wants them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError

from domain import book_runs, card_sweeps
from domain.refunds import TASK_QUEUE

HOUR_UTC = 3  # when the fewest refunds are under way
SWEEP_HOUR_UTC = 2  # before the reconciliation, which then finds less
JITTER = timedelta(minutes=10)
CATCH_UP = timedelta(hours=1)  # a day that was missed for longer is covered by the next, which looks back for weeks
RETRY_SECONDS = 30.0

logger = logging.getLogger("refunds.worker")


@dataclass(frozen=True)
class Daily:
    """A workflow that starts once a day."""

    schedule_id: str
    workflow_type: str
    request: BaseModel
    workflow_id: str
    """Temporal adds the moment."""
    hour_utc: int
    summary: str

    def schedule(self) -> Schedule:
        """Return it in Temporal's words."""
        return Schedule(
            action=ScheduleActionStartWorkflow(
                self.workflow_type,
                self.request,
                id=self.workflow_id,
                task_queue=TASK_QUEUE,
                static_summary=self.summary,
            ),
            spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(self.hour_utc)])], jitter=JITTER),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
        )


RECONCILIATION = Daily(
    schedule_id="reconcile-daily",
    workflow_type=book_runs.WORKFLOW_TYPE,
    request=book_runs.ReconcileRequest(),
    workflow_id=book_runs.reconcile_workflow_id(book_runs.DAILY),
    hour_utc=HOUR_UTC,
    summary="daily reconciliation",
)
CARD_SWEEP = Daily(
    schedule_id="card-sweep-daily",
    workflow_type=card_sweeps.WORKFLOW_TYPE,
    request=card_sweeps.SweepRequest(),
    workflow_id=card_sweeps.WORKFLOW_ID,
    hour_utc=SWEEP_HOUR_UTC,
    summary="daily sweep of the card rail",
)

Pause = Callable[[float], Awaitable[None]]


async def keep_daily_reconciliation(client: Client, pause: Pause = asyncio.sleep) -> None:
    """Keep trying until the schedule is there: refunds do not wait for it."""
    await _keep_trying(client, RECONCILIATION, pause)


async def keep_daily_card_sweep(client: Client, pause: Pause = asyncio.sleep) -> None:
    """Keep trying until the schedule is there: refunds do not wait for it."""
    await _keep_trying(client, CARD_SWEEP, pause)


async def _keep_trying(client: Client, daily: Daily, pause: Pause) -> None:
    while True:
        try:
            await _keep(client, daily)
        except RPCError as error:
            logger.warning("schedule.not_kept", extra={"schedule": daily.schedule_id, "cause": error.status.name})
            await pause(RETRY_SECONDS)
        else:
            return


async def _keep(client: Client, daily: Daily) -> None:
    """Make the schedule, or bring it to what it should be; a pause that a person set stays."""

    def renewed(before: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = daily.schedule()
        schedule.state = before.description.schedule.state
        return ScheduleUpdate(schedule=schedule)

    try:
        await client.create_schedule(daily.schedule_id, daily.schedule())
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(daily.schedule_id).update(renewed)
