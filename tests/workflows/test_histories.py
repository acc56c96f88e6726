"""Runs that began long ago go on under today's code: each recorded history is replayed without a server."""

import inspect
import typing
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from activities.books import BooksActivities
from activities.card import CardActivities
from activities.card_sweep import CardSweepActivities
from activities.cases import CaseActivities
from activities.crypto import CryptoActivities
from activities.payments import PaymentActivities
from domain.refunds import RefundStatus
from tests.workflows.paths import PATHS
from tests.workflows.recording import HISTORIES
from tests.workflows.replay import load, recorded, replay, results

RECORDED = sorted(HISTORIES.glob("*/*.json"))
each_history = pytest.mark.parametrize("path", RECORDED, ids=lambda it: f"{it.parent.name}-{it.stem}")


@each_history
async def test_todays_code_takes_the_recorded_steps_and_gives_each_what_it_was_given(path: Path) -> None:
    history = load(path)

    given = await replay(history)

    assert recorded(history), "a history without a step shows nothing"
    assert given[: len(recorded(history))] == recorded(history)


@each_history
def test_todays_types_keep_every_field_of_a_recorded_answer(path: Path) -> None:
    for name, answer in results(load(path)):
        model = answer_type(name)
        if model is type(None):
            assert answer is None
            continue

        kept = model.model_validate(answer).model_dump(mode="json")

        assert lost(answer, kept) == [], f"{name}: these fields of a run under way would be forgotten"


def test_every_path_was_recorded_and_every_state_is_among_those_that_wait() -> None:
    newest = max((path.parent for path in RECORDED), key=lambda it: it.name)

    assert {path.stem for path in RECORDED if path.parent == newest} >= set(PATHS)
    assert {last_status(load(path)) for path in RECORDED} >= {it.value for it in RefundStatus}


def answer_type(name: str) -> Any:
    """Return what an activity answers, by its annotation."""
    for owner in (
        CaseActivities,
        PaymentActivities,
        CardActivities,
        CryptoActivities,
        BooksActivities,
        CardSweepActivities,
    ):
        method = inspect.getattr_static(owner, name, None)
        if method is not None:
            return typing.get_type_hints(inspect.unwrap(method))["return"]
    raise AssertionError(f"no activity is called {name} any more")


def lost(answer: Any, kept: Any, where: str = "") -> list[str]:
    """Name the fields of `answer` whose value is not in `kept`."""
    if isinstance(answer, dict) and isinstance(kept, dict):
        return [path for key, value in answer.items() for path in lost(value, kept.get(key), f"{where}.{key}")]
    return [] if answer == kept else [where]


def last_status(history: WorkflowHistory) -> str | None:
    """Tell where the refund of a history stood at its end."""
    statuses = [
        (answer.get("refund") or answer).get("status") for _, answer in results(history) if isinstance(answer, dict)
    ]
    return next((status for status in reversed(statuses) if status), None)
