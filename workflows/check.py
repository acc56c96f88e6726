"""A dry run of the first check: one read-only step in the process that holds the providers' keys."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.checks import CheckActivities
from domain.checks import CheckOutcome, CheckRequest
from domain.refunds import RefundStatus, StatusReason, WaitingFor
from workflows.policies import CHECK


@workflow.defn(name="CheckWorkflow")
class CheckWorkflow:
    """Answers one question and is gone. It changes nothing, so nobody needs to find it again."""

    @workflow.run
    async def run(self, check: CheckRequest) -> CheckOutcome:
        """Judge once. What only an operator could mend at the provider is what a refund would stand before."""
        try:
            return await workflow.execute_activity_method(CheckActivities.check_only, check, **CHECK)
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == "NeedsOperator":
                return CheckOutcome(
                    status=RefundStatus.NEEDS_ATTENTION,
                    status_reason=StatusReason.FACTS_UNAVAILABLE,
                    waiting_for=WaitingFor.OPERATOR,
                    deposit_id=check.deposit_id,
                )
            raise
