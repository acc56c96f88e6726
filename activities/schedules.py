"""The schedule that reconciles once a day, kept as this version wants it."""

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

from domain.book_runs import DAILY, WORKFLOW_TYPE, ReconcileRequest, reconcile_workflow_id
from domain.refunds import TASK_QUEUE

SCHEDULE_ID = "reconcile-daily"
HOUR_UTC = 3  # when the fewest refunds are under way
JITTER = timedelta(minutes=10)
CATCH_UP = timedelta(hours=1)  # a day that was missed for longer is covered by the next, which looks back for weeks


async def keep_daily_reconciliation(client: Client) -> None:
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
