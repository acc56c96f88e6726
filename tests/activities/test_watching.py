"""A step that fails is counted and told of, and no stranger's words reach the run's history."""

import logging
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.errors import translated
from activities.watching import StepWatch
from domain.errors import NeedsOperator, NotReady, TryAgain


class Counting:
    """Remembers what was counted."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def count_failure(self, step: str, kind: str) -> None:
        self.failures.append(kind)


class Step(ActivityInboundInterceptor):
    """A step that fails as it is told to."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        def fail() -> None:
            raise self._error

        return translated(fail)()


async def failure_of(error: Exception) -> tuple[ApplicationError, list[str]]:
    counting = Counting()
    watched = StepWatch(counting).intercept_activity(Step(error))  # type: ignore[arg-type]
    given: Any = None
    with pytest.raises(ApplicationError) as raised:
        await ActivityEnvironment().run(watched.execute_activity, given)
    return raised.value, counting.failures


async def test_a_bug_reaches_history_by_class_and_place_only(caplog: pytest.LogCaptureFixture) -> None:
    error, counted = await failure_of(KeyError("canary@example.org"))

    assert (error.type, error.non_retryable, error.__cause__) == ("KeyError", False, None)
    assert "canary" not in error.message
    assert "test_watching.py" in error.message
    assert counted == ["KeyError"]
    assert [(it.levelno, it.message) for it in caplog.records] == [(logging.ERROR, "step.broken")]


@pytest.mark.parametrize(
    ("error", "level", "event"),
    [
        pytest.param(TryAgain("away"), logging.WARNING, "step.delayed", id="tried_again"),
        pytest.param(NeedsOperator("payout_unknown", "look"), logging.ERROR, "step.refused", id="for_a_person"),
    ],
)
async def test_a_foreseen_failure_is_told_by_who_can_act(
    error: Exception, level: int, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, counted = await failure_of(error)

    assert counted == [type(error).__name__]
    assert [(it.levelno, it.message) for it in caplog.records] == [(level, event)]


async def test_asking_too_early_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    await failure_of(NotReady("not yet"))

    assert caplog.records == []
