"""A keyed call is worked on by one, answered once, and remembered for a day, on both databases."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select

from domain.errors import KeyInUse, KeyReused
from ledger.database import Database
from ledger.idempotency import KEPT, LEASE, Claim, KeptAnswer, KeyedAnswers
from ledger.tables import KeyedAnswer
from tests.ledger.scene import Clock, Scene

CROWD = 12


@pytest.fixture
def answers(scene: Scene) -> KeyedAnswers:
    return KeyedAnswers(scene.database)


def claim(answers: KeyedAnswers, **changes: str) -> Claim | KeptAnswer:
    return answers.claim(**({"caller": "desk", "route": "POST /v1/refunds", "key": "k", "said": "this"} | changes))


def claimed(answers: KeyedAnswers, **changes: str) -> Claim:
    mine = claim(answers, **changes)
    assert isinstance(mine, Claim)
    return mine


def rows(scene: Scene) -> int:
    with scene.database.read() as session:
        return session.scalar(select(func.count()).select_from(KeyedAnswer)) or 0


def test_of_a_crowd_with_one_key_exactly_one_works(url: str, scene: Scene) -> None:
    databases = [Database(url, Clock()) for _ in range(CROWD)]
    ready = Barrier(CROWD)

    def ask(database: Database) -> Any:
        ready.wait()
        try:
            return type(claim(KeyedAnswers(database)))
        except KeyInUse as refusal:
            return type(refusal)

    with ThreadPoolExecutor(CROWD) as pool:
        results = Counter(pool.map(ask, databases))
    for database in databases:
        database.close()

    assert results == {Claim: 1, KeyInUse: CROWD - 1}
    assert rows(scene) == 1


def test_answer_is_kept_for_whoever_asks_after_a_restart(url: str, answers: KeyedAnswers) -> None:
    answers.keep(claimed(answers), 202, '{"id":"rf_1"}')
    restarted = Database(url, Clock())

    assert claim(KeyedAnswers(restarted)) == KeptAnswer(status=202, body='{"id":"rf_1"}')
    restarted.close()


def test_key_with_something_else_is_refused_before_and_after_the_answer(answers: KeyedAnswers) -> None:
    mine = claimed(answers)
    with pytest.raises(KeyReused):
        claim(answers, said="that")

    answers.keep(mine, 202, "{}")

    with pytest.raises(KeyReused):
        claim(answers, said="that")


@pytest.mark.parametrize("other", [{"caller": "shop"}, {"route": "POST /v1/checks"}, {"key": "K"}], ids=str)
def test_key_belongs_to_one_caller_and_one_route(answers: KeyedAnswers, other: dict[str, str]) -> None:
    answers.keep(claimed(answers), 202, "{}")

    assert isinstance(claim(answers, said="that", **other), Claim)


def test_call_whose_worker_died_may_be_made_again_after_the_lease(scene: Scene, answers: KeyedAnswers) -> None:
    late = claimed(answers)
    scene.clock.advance(LEASE - timedelta(seconds=1))
    with pytest.raises(KeyInUse):
        claim(answers)
    scene.clock.advance(timedelta(seconds=1))

    second = claimed(answers)
    answers.keep(late, 202, "the late one")
    answers.drop(late)
    answers.keep(second, 202, "the second one")

    assert claim(answers) == KeptAnswer(status=202, body="the second one")


def test_dropped_call_is_as_if_it_never_came(scene: Scene, answers: KeyedAnswers) -> None:
    answers.drop(claimed(answers))

    assert rows(scene) == 0
    claimed(answers, said="that")


def test_answer_is_replayed_for_a_day_and_then_forgotten(scene: Scene, answers: KeyedAnswers) -> None:
    answers.keep(claimed(answers), 202, "{}")
    scene.clock.advance(KEPT)
    assert isinstance(claim(answers), KeptAnswer)

    scene.clock.advance(timedelta(seconds=1))
    answers.forget()

    assert rows(scene) == 0
    claimed(answers, said="a new call")


def test_neither_the_key_nor_what_was_said_is_kept_in_words(scene: Scene, answers: KeyedAnswers) -> None:
    claimed(answers, key="jane@example.com", said="jane wrote")

    with scene.database.read() as session:
        row = session.scalars(select(KeyedAnswer)).one()
    assert "jane" not in repr({name: value for name, value in vars(row).items() if not name.startswith("_")})
