"""The card rail's fault matrix once more on a whole stack: workers are processes, and SIGKILL is real.

`make test-matrix` plays it. `make test` plays the same rows step by step (tests/activities/test_card_matrix*.py),
and hits workers around the request among all other points (test_killed_anywhere.py).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.ports import Ports
from devstack.stack import Stack
from tests.crash.points import Mode
from tests.crash.ward import Ward
from tests.outages.city import City, until
from tests.outages.parts import ENVIRONMENT, ROOT, TemporalServer

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.environ.get("CARD_MATRIX") != "whole", reason="`make test-matrix` plays it: many minutes"),
]

# Looks every second or two; a stored failure, and the watch, are moved on by `wake`.
HASTE = "\norders_look_seconds = 1\npayout_look_seconds = [1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 60]\n"
BETWEEN_SECONDS = 12  # for people to do something between our look and our request; less than a client waits
TWICE = 2  # the next try of the step is to meet it again


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    policy = folder / "policy.toml"
    policy.write_text((ROOT / "policy.toml").read_text() + HASTE)
    temporal = start_temporal(folder)
    outside = {**ENVIRONMENT, "REFUNDS_POLICY": str(policy), "TEMPORAL_ADDRESS": temporal.address}
    try:
        with Stack(folder / "stack", outside, runs_worker=False) as stack:
            city = City(stack.info)
            (folder / "crew").mkdir()
            ward = Ward(stack, city, temporal, folder / "crew")
            yield ward
            ward.close()
            city.close()
    finally:
        temporal.kill()


def start_temporal(folder: Path) -> TemporalServer:
    (folder / "temporal").mkdir()
    ports = Ports(folder / "ports.json")
    temporal = TemporalServer(folder / "temporal", (ports.of("temporal"), ports.of("ui"), ports.of("metrics")))
    temporal.start()
    return temporal


class TestRequest:
    """Faults of the one request that moves money."""

    @pytest.mark.parametrize(
        ("fault", "times"),
        [
            ("drop_before", TWICE),
            ("hang_before", 1),
            ("503_before", TWICE),
            ("200_html_before", 1),
            ("drop_after", 1),
            ("hang_after", 1),
            ("truncate_after", 1),
            ("502_html_after", 1),
            ("200_html_after", 1),
            ("500_after", 1),
            ("409", 3),
            ("429", 3),
            ("429_lock_timeout", 3),
        ],
    )
    def test_an_unclear_answer_is_paid_once(self, ward: Ward, fault: str, times: int) -> None:
        refund = ward.asked()
        ward.fault(fault, times)
        ward.city.decide(refund)

        ward.assert_paid(refund)
        assert ward.city.are_faults_spent(), "every fault has found its call, and none is left for the next refund"

    @pytest.mark.parametrize("fault", ["401", "403"])
    def test_a_key_that_is_not_accepted_fails_nothing_and_is_paid_once_it_is_mended(
        self, ward: Ward, fault: str
    ) -> None:
        refund = ward.asked()
        ward.fault(fault)
        ward.city.decide(refund)
        until(ward.is_stopped, "the rail to stop by itself")
        assert ward.city.seen(refund)["status"] == "paying"

        for operator in ("approver_1", "approver_2"):
            ward.city.insist(operator, "POST", "/v1/rails/card/start", {"reason": "the key is mended"})

        ward.assert_paid(refund)


class TestProcess:
    """Workers and Temporal die as by a power cut."""

    @pytest.mark.parametrize("hours", [0, 25])
    @pytest.mark.parametrize(("point", "posts"), [("before", 1), ("half_sent", 1), ("after", 1)])
    def test_a_worker_killed_around_the_request_has_paid_once(
        self, ward: Ward, point: str, posts: int, hours: int
    ) -> None:
        refund = ward.asked()
        ward.arm(refund, point, Mode.KILL)
        ward.city.decide(refund)
        ward.until_fired(refund)
        ward.pass_hours(hours)

        ward.assert_paid(refund, posts=posts)

    def test_two_workers_at_once_pay_once(self, ward: Ward) -> None:
        refund = ward.asked()
        ward.arm(refund, "before", Mode.STOP)
        ward.city.decide(refund)
        ward.until_fired(refund)

        ward.assert_paid(refund)
        ward.until_calm()

        ward.assert_paid(refund)
        answered = {it["refund"] for it in ward.posts(refund)}
        assert answered == {ward.made(refund)["id"]}, "whoever asked, under the same key, got the same refund"

    @pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
    def test_temporal_killed_while_the_request_is_under_way(self, ward: Ward, fault: str) -> None:
        refund = ward.asked()
        ward.fault(fault)
        ward.city.decide(refund)
        until(ward.city.are_faults_spent, "the request to be under way")

        ward.temporal.kill()
        ward.until_made(refund)
        ward.temporal.start()

        ward.assert_paid(refund)

    def test_no_worker_for_three_days_after_the_request(self, ward: Ward) -> None:
        refund = ward.asked()
        ward.fault("hang_after", seconds=5)
        ward.city.decide(refund)
        until(ward.city.are_faults_spent, "the request to be under way")
        ward.kill_workers()
        ward.until_made(refund)
        ward.pass_hours(72)
        ward.start_workers()

        ward.assert_paid(refund, posts=1)


def outside_in_full(ward: Ward, refund: str) -> None:
    ward.refund_outside(refund, 2000)


def outside_in_part(ward: Ward, refund: str) -> None:
    ward.refund_outside(refund, 500)


def charged_back(ward: Ward, refund: str) -> None:
    ward.dispute(refund)


def inquired(ward: Ward, refund: str) -> None:
    ward.dispute(refund, "warning_needs_response")


class TestStripesState:
    """Somebody else moves the money, or asks for it, around our request."""

    @pytest.mark.parametrize(
        ("happens", "reason"),
        [
            (outside_in_full, "refunded_outside"),
            (outside_in_part, "refunded_outside"),
            (charged_back, "payout_disputed"),
            (inquired, "payout_disputed"),
        ],
        ids=["in full", "in part", "chargeback", "inquiry"],
    )
    def test_between_look_and_request(self, ward: Ward, happens: Callable[[Ward, str], None], reason: str) -> None:
        refund = ward.asked()
        ward.fault("hang_before", seconds=BETWEEN_SECONDS)  # it is carried out at the end of the wait
        ward.city.decide(refund)
        until(ward.city.are_faults_spent, "the request to be under way")
        happens(ward, refund)

        # Stripe takes a refund while a bank only inquires: it is paid, and the dispute is seen by the next look.
        ward.stands(refund, "needs_attention", reason)
        ward.assert_sound(refund, posts=1, books="refunded" if happens is inquired else "held")

    @pytest.mark.parametrize("seconds", [0, 301], ids=["at once", "minutes later"])
    def test_a_chargeback_after_the_refund(self, ward: Ward, seconds: int) -> None:
        refund = ward.refunded()
        ward.city.simulator("clock", {"advance_seconds": seconds})
        ward.dispute(refund)

        ward.wake(refund)

        ward.stands(refund, "needs_attention")
        ward.assert_sound(refund, posts=1, books="refunded" if seconds else "held")

    def test_an_inquiry_that_escalates_after_the_refund(self, ward: Ward) -> None:
        refund = ward.refunded()
        ward.dispute(refund, "warning_needs_response")
        ward.wake(refund)
        ward.stands(refund, "needs_attention", "payout_disputed")
        ward.dispute(refund)

        ward.city.resolve(refund, "look_again")

        until(lambda: ward.city.seen(refund)["payouts"][-1]["status"] == "failed", "the escalation to be seen")
        ward.assert_sound(refund, posts=1, books="held")

    def test_an_early_fraud_warning_does_not_block(self, ward: Ward) -> None:
        refund = ward.asked()
        ward.city.simulator(f"charges/{ward.charge_of(refund)}/early_fraud_warning", {})
        ward.city.decide(refund)

        ward.assert_paid(refund, posts=1)


class TestLifeOfTheRefund:
    """What becomes of it. Webhooks may bring it; looking alone finds it too."""

    @pytest.mark.parametrize(
        ("act", "status", "books"),
        [
            ("settle", "refunded", "refunded"),
            ("fail", "needs_attention", "held"),
            ("cancel", "needs_attention", "held"),
        ],
    )
    def test_a_pending_one(self, ward: Ward, act: str, status: str, books: str) -> None:
        refund = ward.asked("pm_card_pendingRefund")
        ward.city.decide(refund)
        ward.stands(refund, "confirming")
        ward.city.simulator(f"refunds/{ward.made(refund)['id']}/{act}", {})

        ward.stands(refund, status)

        ward.assert_sound(refund, posts=1, books=books)

    @pytest.mark.parametrize(
        ("act", "command", "reason", "books"),
        [
            ("fail", {"failure_reason": "lost_or_stolen_card"}, "payout_failed", "held"),
            ("status", {"status": "canceled"}, "payout_canceled", "held"),
            ("status", {"status": "teleported"}, "payout_unknown", "refunded"),
        ],
        ids=["failed", "canceled", "a word that nobody knows"],
    )
    def test_one_that_had_succeeded(
        self, ward: Ward, act: str, command: dict[str, str], reason: str, books: str
    ) -> None:
        refund = ward.refunded()
        ward.city.simulator(f"refunds/{ward.made(refund)['id']}/{act}", command)

        ward.wake(refund)

        ward.stands(refund, "needs_attention", reason)
        if reason != "payout_unknown":
            ward.assert_sound(refund, posts=1, books=books)
        assert len(ward.posts(refund)) == 1


class TestOneRail:
    """Nobody pays by another way while the card may still pay."""

    def test_while_the_request_is_under_way(self, ward: Ward) -> None:
        refund = ward.asked()
        ward.fault("hang_after", seconds=4)
        ward.city.decide(refund)
        until(ward.city.are_faults_spent, "the request to be under way")

        for action in ("paid_outside", "retry", "give_up"):
            body = {"resolution_id": ward.city.name("resolution"), "action": action, "reason": "a test"}
            answer = ward.city.send(
                "approver_2", "POST", f"/v1/refunds/{refund}/resolution", body | {"evidence": "bank transfer"}
            )
            assert answer.status_code == 409, answer.text

        ward.assert_paid(refund, posts=1)
