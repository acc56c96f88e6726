"""Watches steps that fail: says so in the log, counts it, and keeps strangers' words out of the run's history."""

import asyncio
import logging
import traceback
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.metrics import WorkerMetrics

logger = logging.getLogger("refunds.steps")


class StepWatch(Interceptor):
    """Put around every step of a worker."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Return the watch over one step."""
        return _Watched(next, self._metrics)


class _Watched(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, metrics: WorkerMetrics) -> None:
        super().__init__(inner)
        self._metrics = metrics

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except ApplicationError as error:
            self._metrics.count_failure(activity.info().activity_type, error.type or "unknown")
            _tell(error)
            raise
        except (asyncio.CancelledError, CancelledError):
            logger.warning("step.cancelled")
            raise
        except Exception as error:
            # A bug. Its words may hold what a customer sent, and the history is no place for that.
            kind, place = type(error).__name__, _place_of(error)
            self._metrics.count_failure(activity.info().activity_type, kind)
            logger.error("step.broken", exc_info=error)
            raise ApplicationError(f"{kind} at {place}", type=kind) from None


def _tell(error: ApplicationError) -> None:
    if error.category == ApplicationErrorCategory.BENIGN:
        return
    said = {"kind": error.type, "cause": error.message}
    if error.non_retryable:
        level = logging.ERROR if error.type == "NeedsOperator" else logging.WARNING
        logger.log(level, "step.refused", extra=said)
    else:
        logger.warning("step.delayed", extra=said)


def _place_of(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
