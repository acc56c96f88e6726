"""Anyone on duty stops a rail; two different people, who may still do so, start it again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain.errors import Conflict, NotAllowed
from domain.findings import FindingKind
from domain.rails import RailWait
from domain.refunds import Rail, RefundStatus, StatusReason
from tests.ledger.scene import CHAIN_ID, PAID_CHAIN, WALLET, Scene


def stop(scene: Scene, operator: str = "vera", reason: str = "odd payouts", rail: Rail = Rail.CARD) -> dict[str, Any]:
    return scene.rails.stop(rail, reason, operator=operator)


def start(scene: Scene, operator: str, rail: Rail = Rail.CARD) -> dict[str, Any]:
    return scene.rails.start(rail, "mended", operator=operator)


def is_stopped(scene: Scene, rail: Rail = Rail.CARD) -> bool:
    return next(bool(it["is_stopped"]) for it in scene.rails.rails() if it["rail"] == rail)


def test_one_person_stops_and_two_start(scene: Scene) -> None:
    stopped = stop(scene)
    assert (stopped["stopped_by"], stopped["waiting_for"]) == ("vera", RailWait.TWO_PEOPLE)

    first = start(scene, "ann")
    assert (first["is_stopped"], first["waiting_for"]) == (True, RailWait.SECOND_PERSON)
    assert [word["operator"] for word in first["start_asked"]] == ["ann"]

    second = start(scene, "bob")
    assert (second["is_stopped"], second["waiting_for"], second["start_asked"]) == (False, None, [])
    assert not is_stopped(scene, Rail.CRYPTO)
    assert scene.audit_break() is None


def test_one_person_never_counts_twice(scene: Scene) -> None:
    stop(scene)

    for _ in range(3):
        assert start(scene, "ann")["waiting_for"] == RailWait.SECOND_PERSON

    assert is_stopped(scene)


def test_new_stop_voids_the_words_before_it(scene: Scene) -> None:
    stop(scene)
    start(scene, "ann")

    assert stop(scene)["waiting_for"] == RailWait.TWO_PEOPLE
    assert start(scene, "bob")["is_stopped"]
    assert not start(scene, "ann")["is_stopped"]


def test_words_of_an_earlier_stop_do_not_start_a_later_one(scene: Scene) -> None:
    stop(scene)
    start(scene, "ann")
    start(scene, "bob")
    stop(scene, reason="again")

    assert start(scene, "bob")["is_stopped"]
    assert is_stopped(scene)


def test_first_person_who_lost_the_right_counts_no_longer(scene: Scene) -> None:
    stop(scene)
    start(scene, "ann")
    scene.dismiss("ann")

    assert start(scene, "bob")["is_stopped"]
    assert not start(scene, "ada")["is_stopped"]


@pytest.mark.parametrize("person", ["vera", "desk", "nobody"])
def test_only_who_may_decide_starts(scene: Scene, person: str) -> None:
    stop(scene)

    with pytest.raises(NotAllowed):
        start(scene, person)


@pytest.mark.parametrize("person", ["desk", "nobody"])
def test_only_operators_stop(scene: Scene, person: str) -> None:
    with pytest.raises(NotAllowed):
        stop(scene, person)

    assert not is_stopped(scene)


def test_starting_what_runs_changes_nothing(scene: Scene) -> None:
    stop(scene)
    start(scene, "ann")
    start(scene, "bob")

    assert not start(scene, "bob")["is_stopped"]
    start(scene, "cleo")
    stop(scene)
    assert start(scene, "ann")["is_stopped"]


def test_stop_is_a_finding_while_it_stands(scene: Scene) -> None:
    stop(scene)
    (finding,) = scene.views.findings(kind=FindingKind.RAIL_STOP)
    with pytest.raises(Conflict):
        scene.findings_desk.close(finding["id"], "go away", operator="ann")

    start(scene, "ann")
    start(scene, "bob")
    assert scene.views.findings(kind=FindingKind.RAIL_STOP) == []

    stop(scene)
    (again,) = scene.views.findings(kind=FindingKind.RAIL_STOP)
    assert (again["id"], again["openings"]) == (finding["id"], 2)


def test_start_wakes_the_refunds_that_were_held_back_and_no_others(scene: Scene) -> None:
    scene.funded()
    scene.deposit("dep_2")
    scene.awaiting_approval("2", deposit_id="dep_2")
    stop(scene)
    held_back = scene.awaiting_approval("1", deposit_id="dep")
    scene.decide(held_back)
    assert scene.begin(held_back).reason == StatusReason.RAIL_STOPPED
    scene.news.told(scene.news.untold(0))

    start(scene, "ann")
    assert scene.news.untold(0) == []
    start(scene, "bob")

    assert [refund for refund, *_ in scene.news.untold(0)] == [held_back]
    assert scene.begin(held_back).status == RefundStatus.PAYING


def test_queued_chain_payout_gets_no_nonce_while_stopped_and_is_woken(scene: Scene) -> None:
    scene.funded(rail="crypto")
    refund = scene.paying("1", PAID_CHAIN, rail="crypto")
    scene.news.told(scene.news.untold(0))
    stop(scene, rail=Rail.CRYPTO)
    assert scene.outbox.queued(CHAIN_ID, WALLET) == []

    for person in ("ann", "bob"):
        start(scene, person, Rail.CRYPTO)

    assert [refund for refund, *_ in scene.news.untold(0)] == [refund]
    assert scene.sign(refund) is not None


def at_once(*acts: Callable[[], Any]) -> None:
    with ThreadPoolExecutor(len(acts)) as pool:
        for done in [pool.submit(act) for act in acts]:
            done.result()


def test_two_words_at_the_same_moment_start_the_rail_once(scene: Scene) -> None:
    stop(scene)

    at_once(lambda: start(scene, "ann"), lambda: start(scene, "bob"), lambda: start(scene, "ann"))

    assert not is_stopped(scene)
    assert scene.audit_break() is None
