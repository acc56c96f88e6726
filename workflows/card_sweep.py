"""The daily sweep of the card rail: what no webhook told is asked for, and every open payout is looked at."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.card_sweep import CardSweepActivities
from domain.card_sweeps import LOOK_BACK_DAYS, WORKFLOW_TYPE, MissedEvents, SweepOutcome, SweepRequest
from workflows.policies import BOOKS, LEDGER


@workflow.defn(name=WORKFLOW_TYPE)
class CardSweepWorkflow:
    """A processor that stays away leaves the open payouts looked at: their runs ask it themselves."""

    @workflow.run
    async def run(self, request: SweepRequest) -> SweepOutcome:
        """Take in all pages of events that were not delivered, then wake the runs of open payouts."""
        since = request.since or workflow.now() - timedelta(days=LOOK_BACK_DAYS)
        after, seen, missed, is_read, is_over = request.after, request.seen, request.missed, True, False
        while not is_over:
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(SweepRequest(since=since, after=after, seen=seen, missed=missed))
            asked = MissedEvents(since=since, after=after)
            try:
                page = await workflow.execute_activity_method(
                    CardSweepActivities.take_missed_events, asked, summary="events that no webhook brought", **BOOKS
                )
            except ActivityError as error:
                workflow.logger.error("sweep.unread error=%s", error.cause)
                is_read = False
                break
            seen, missed, after = seen + page.seen, missed + page.missed, page.next
            is_over = after is None
        woken = await workflow.execute_activity_method(
            CardSweepActivities.wake_open_payouts, summary="look at open payouts", **LEDGER
        )
        return SweepOutcome(is_read=is_read, seen=seen, missed=missed, woken=woken)
