"""The one place that decides which domain errors Temporal may try again."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from domain.errors import NeedsOperator, NotReady, Refused, TryAgain

P = ParamSpec("P")
R = TypeVar("R")


def translated(step: Callable[P, R]) -> Callable[P, R]:
    """Let a step raise domain errors: a refusal is final, time is tried again, a bug stays a bug and retries."""

    @wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return step(*args, **kwargs)
        except TryAgain as error:
            delay = None if error.after_seconds is None else timedelta(seconds=error.after_seconds)
            raise ApplicationError(
                error.message,
                type=type(error).__name__,
                next_retry_delay=delay,
                category=(
                    ApplicationErrorCategory.BENIGN
                    if isinstance(error, NotReady)
                    else ApplicationErrorCategory.UNSPECIFIED
                ),
            ) from None
        except NeedsOperator as error:
            raise ApplicationError(
                error.message, error.reason, type=type(error).__name__, non_retryable=True
            ) from None
        except Refused as error:
            raise ApplicationError(
                error.message, error.field, type=type(error).__name__, non_retryable=True
            ) from None

    return run
