"""The webhook rows of the card rail's fault matrix: signed by the simulator, taken by the API, on a whole stack.

`make test-matrix` plays it. A refund that was paid is looked at again only after an hour, so whatever these rows see
within a minute was brought by a webhook. What a sender may do wrong is in tests/api/test_hooks.py, row by row.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.crash.test_card_matrix_whole import ward
from tests.crash.ward import Ward
from tests.outages.city import until
from tests.outages.parts import SqliteLock

__all__ = ["ward"]  # the same stack, made anew for this file

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.environ.get("CARD_MATRIX") != "whole", reason="`make test-matrix` plays it: many minutes"),
]

FORGERIES = ("wrong_secret", "old", "future", "changed_body", "unsigned")
AS_THEY_ARE = {"held": False, "ordering": "as_made", "copies": 1}


@pytest.fixture(autouse=True)
def as_they_are(ward: Ward) -> Iterator[None]:
    yield
    ward.city.simulator("webhooks", AS_THEY_ARE)


def deliveries(ward: Ward, query: str = "") -> list[dict[str, Any]]:
    return list(ward.city.simulator(f"webhooks/deliveries{query}")["deliveries"])


def until_delivered(ward: Ward) -> None:
    until(lambda: deliveries(ward, "?status=waiting") == [], "every webhook to be answered")


def event_of(ward: Ward, refund: str, kind: str) -> str:
    made, info = ward.made(refund)["id"], ward.city.info
    listed = httpx2.get(
        f"{info['stripe']}/v1/events",
        params={"type": kind, "limit": "100"},
        headers={"Authorization": f"Bearer {info['stripe_key']}"},
        trust_env=False,
    ).raise_for_status()
    return next(str(it["id"]) for it in listed.json()["data"] if it["data"]["object"]["id"] == made)


def fail(ward: Ward, refund: str) -> None:
    ward.city.simulator(f"refunds/{ward.made(refund)['id']}/fail", {"failure_reason": "lost_or_stolen_card"})


@pytest.mark.parametrize("ordering", ["as_made", "reversed", "shuffled"])
def test_each_event_three_times_in_any_order_tells_the_same(ward: Ward, ordering: str) -> None:
    ward.city.simulator("webhooks", {"held": True, "ordering": ordering, "seed": 7, "copies": 3})
    refund = ward.refunded()
    fail(ward, refund)

    ward.city.simulator("webhooks", {"held": False})

    ward.stands(refund, "needs_attention", "payout_failed")
    until_delivered(ward)
    ward.assert_sound(refund, posts=1, books="held")
    found = ward.city.insist("viewer", "GET", f"/v1/findings?refund_id={refund}")["items"]
    assert Counter(it["kind"] for it in found)["payout_failed"] == 1


def test_an_event_that_is_faster_than_the_answer_makes_no_second_refund(ward: Ward) -> None:
    refund = ward.asked()
    ward.fault("hang_after", seconds=4)
    ward.city.decide(refund)
    until(ward.city.are_faults_spent, "the request to be under way")
    until_delivered(ward)

    ward.assert_paid(refund, posts=1)


def test_without_any_webhook_looking_finds_it(ward: Ward) -> None:
    ward.city.simulator("webhooks", {"held": True})
    refund = ward.asked("pm_card_pendingRefund")
    ward.city.decide(refund)
    ward.stands(refund, "confirming")
    ward.city.simulator(f"refunds/{ward.made(refund)['id']}/settle", {})

    ward.assert_paid(refund, posts=1)


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_event_is_refused_and_changes_nothing(ward: Ward, kind: str) -> None:
    refund = ward.refunded()
    until_delivered(ward)
    event = event_of(ward, refund, "refund.created")

    ward.city.simulator(f"events/{event}/forge", {"kind": kind})

    def refused() -> list[dict[str, Any]]:
        return [it for it in deliveries(ward, f"?event={event}") if it["status"] == "given_up"]

    until(lambda: len(refused()) == 1, "the forged one to be refused")
    assert refused()[0]["answer_status"] == 400
    ward.assert_paid(refund, posts=1)


def test_an_event_whose_metadata_name_another_refund_moves_only_its_own(ward: Ward) -> None:
    other, refund = ward.refunded(), ward.refunded()
    edited = {"metadata": {"workflow_id": f"refund/{other}"}}
    ward.city.simulator(f"refunds/{ward.made(refund)['id']}/metadata", edited)
    fail(ward, refund)

    ward.stands(refund, "needs_attention", "payout_failed")

    ward.assert_sound(refund, posts=1, books="held")
    ward.assert_paid(other, posts=1)


def test_a_refund_that_is_not_ours_is_answered_and_pays_nobody(ward: Ward) -> None:
    refund = ward.asked()
    ward.refund_outside(refund, 2000)

    until_delivered(ward)

    assert {it["status"] for it in deliveries(ward)} <= {"delivered", "given_up"}
    ward.city.decide(refund)
    ward.stands(refund, "needs_attention", "refunded_outside")
    ward.assert_sound(refund, posts=0, books="held")


def test_while_the_database_cannot_be_written_no_event_is_lost(ward: Ward) -> None:
    refund = ward.refunded()
    until_delivered(ward)
    held = SqliteLock(ward.stack.folder.path / "refunds.sqlite")
    held.take()
    try:
        fail(ward, refund)
        until(lambda: any(it["tries"] for it in deliveries(ward, "?status=waiting")), "an event to be refused")
    finally:
        held.release()

    ward.stands(refund, "needs_attention", "payout_failed")
    ward.assert_sound(refund, posts=1, books="held")
