"""The schedule that reconciles once a day, kept as this version wants it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

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

from domain.book_runs import DAILY, WORKFLOW_TYPE, ReconcileRequest, reconcile_workflow_id
from domain.refunds import TASK_QUEUE

SCHEDULE_ID = "reconcile-daily"
HOUR_UTC = 3  # when the fewest refunds are under way
JITTER = timedelta(minutes=10)
CATCH_UP = timedelta(hours=1)  # a day that was missed for longer is covered by the next, which looks back for weeks
RETRY_SECONDS = 30.0

logger = logging.getLogger("refunds.worker")


async def keep_daily_reconciliation(
    client: Client, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Keep trying until the schedule is there: refunds do not wait for it."""
    while True:
        try:
            await _keep(client)
        except RPCError as error:
            logger.warning("schedule.not_kept", extra={"cause": error.status.name})
            await pause(RETRY_SECONDS)
        else:
            return


async def _keep(client: Client) -> None:
    """Make the schedule, or bring it to what it should be; a pause that a person set stays."""
    try:
        await client.create_schedule(SCHEDULE_ID, _schedule())
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(SCHEDULE_ID).update(_renewed)


def _renewed(before: ScheduleUpdateInput) -> ScheduleUpdate:
    renewed = _schedule()
    renewed.state = before.description.schedule.state
    return ScheduleUpdate(schedule=renewed)


def _schedule() -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            WORKFLOW_TYPE,
            ReconcileRequest(),
            id=reconcile_workflow_id(DAILY),  # Temporal adds the moment
            task_queue=TASK_QUEUE,
            static_summary="daily reconciliation",
        ),
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(HOUR_UTC)])], jitter=JITTER),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )
