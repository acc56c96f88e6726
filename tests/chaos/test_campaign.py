"""What decides on a run: its stories and blows by the seed, and when it counts as showing nothing."""

import threading
from collections import Counter
from fnmatch import filter as matching
from pathlib import Path

import pytest

from chaos.__main__ import verdict
from chaos.campaign import Result
from chaos.card.rail import CardRail
from chaos.crypto.rail import CryptoRail
from chaos.judgement import Judgement
from chaos.nemesis import ROUNDS_AGAIN, Blow, Nemesis
from chaos.people import People
from chaos.purses import Purse, Record
from chaos.rail import Rail
from chaos.stories import STORIES, Stories
from chaos.waiting import InVain
from chaos.workers import Workers
from tests.crash.points import ANYBODY, POINTS, Arms, Mode


def planned(seed: int, count: int) -> list[str]:
    purses = [Purse(f"c{it}", {}, f"0x{it}", 1, 0) for it in range(count)]
    return [it.story for it in Stories(People("", {}, threading.Event()), seed, 1.0).plan(purses)]


def test_the_seed_decides_the_stories_and_each_is_told_at_least_once() -> None:
    assert planned(1, 40) == planned(1, 40)
    assert planned(1, 40) != planned(2, 40)
    assert all(set(planned(seed, len(STORIES))) == set(STORIES) for seed in range(5))
    assert Counter(planned(1, 200)).most_common(1)[0][0] == "plain"


def deal(blows: list[Blow], seed: int = 1) -> Nemesis:
    nemesis = Nemesis(seed, 0.01, threading.Event())
    for thread in nemesis.start({"lane": blows}):
        thread.join(10)
    return nemesis


def test_the_seed_decides_the_order_of_the_blows() -> None:
    def order(seed: int) -> list[str]:
        dealt: list[str] = []
        deal([Blow(str(it), lambda it=it: dealt.append(str(it))) for it in range(8)], seed)  # type: ignore[misc]
        return dealt

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == [str(it) for it in range(8)]


def test_a_blow_that_found_nothing_to_hit_is_tried_again_and_then_told() -> None:
    tries: Counter[str] = Counter()

    def act(name: str, in_vain: int) -> None:
        tries[name] += 1
        if tries[name] <= in_vain:
            raise InVain("nothing there")

    nemesis = deal(
        [
            Blow("soon", lambda: act("soon", 0)),
            Blow("late", lambda: act("late", 1)),
            Blow("never", lambda: act("never", 9)),
        ]
    )

    assert nemesis.dealt == {"soon": 1, "late": 1}
    assert nemesis.missed == {"never": 1}
    assert tries == {"soon": 1, "late": 2, "never": 1 + ROUNDS_AGAIN}


@pytest.mark.parametrize(
    ("breaches", "not_reached", "told"),
    [
        pytest.param([], [], (0, "PASS"), id="all holds"),
        pytest.param(["paid twice"], [], (1, "FAIL"), id="broken"),
        pytest.param([], ["a reorg"], (3, "VACUOUS"), id="a fault that never fired"),
        pytest.param(["paid twice"], ["a reorg"], (1, "FAIL"), id="what broke counts more"),
    ],
)
def test_the_verdict(breaches: list[str], not_reached: list[str], told: tuple[int, str]) -> None:
    assert verdict(Result(Judgement(breaches=breaches), Counter(), not_reached, 0)) == told


@pytest.mark.parametrize(
    ("answers", "is_due"),
    [
        pytest.param({}, False, id="nobody approved"),
        pytest.param({"approved": True}, True, id="approved"),
        pytest.param({"approved": True, "withdrawn": True}, False, id="withdrawn in the same moment"),
        pytest.param({"rejected": True}, False, id="rejected"),
        pytest.param({"approved": True, "spent": True}, False, id="sold against it"),
    ],
)
def test_what_a_customer_is_due_follows_from_what_was_accepted(answers: dict[str, bool], is_due: bool) -> None:
    assert Record(Purse("c", {}, "0x0", 1, 0), "plain", **answers).is_due == is_due  # type: ignore[arg-type]


@pytest.mark.parametrize("rail", [CardRail, CryptoRail])
def test_each_planned_crash_point_is_one_that_workers_pass(rail: type[Rail]) -> None:
    planned = [rail.stop_point, *(point for point, _ in rail.crash_points)]

    assert [it for it in planned if not matching(POINTS, it)] == []


def test_a_point_of_several_steps_fires_once_at_whichever_comes_first_and_then_waits_no_more(tmp_path: Path) -> None:
    workers, arms = Workers({}, tmp_path, seed=1, bug=None), Arms(tmp_path)
    workers.arm("*_card_refund.leap.after", "stop", ANYBODY)
    before = workers.waiting()

    shots = [
        arms.claim(f"{step}.leap.{moment}", ("rf_1",))
        for step, moment in [
            ("send_card_refund", "before"),
            ("look_at_card_refund", "after"),
            ("send_card_refund", "after"),
        ]
    ]
    arms.note("look_at_card_refund.leap.after", ("rf_1",), shots[1])

    assert shots == [None, Mode.STOP, None]
    assert (before, workers.waiting()) == (["*_card_refund.leap.after"], [])
    assert workers.stopped_at("*_card_refund.leap.after") is not None
