"""What goes wrong between us and Stripe: one fault each, and what was paid is read from Stripe's own ledger."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from temporalio.exceptions import ApplicationError

from domain.payouts import PayoutStatus
from domain.refunds import Rail, RefundStatus
from gateways.stripe.gateway import StripeGateway
from ledger.rails import Rails
from tests.activities.steps import Steps
from tests.activities.terminal import HOUR, KEY_FORGOTTEN, PAID, Terminal
from tests.gateways.stripe_cases import gateway_at

INDETERMINATE = (RefundStatus.PAYING, "payout_sending", PayoutStatus.UNKNOWN)
HANG_SECONDS = 0.8


class TestRequest:
    """The one request that moves money: its answer says little, and Stripe's ledger says all."""

    def test_nothing_goes_wrong(self, terminal: Terminal) -> None:
        refund = terminal.begun()

        terminal.go_on(refund)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)

    @pytest.mark.parametrize(
        ("fault", "times", "posts"),
        [
            ("drop_before", 2, 3),
            ("503_before", 2, 3),
            ("200_html_before", 1, 2),
            ("drop_after", 1, 1),
            ("truncate_after", 1, 1),
            ("502_html_after", 1, 1),
            ("200_html_after", 1, 1),
            ("500_after", 1, 1),
            ("409", 2, 3),
            ("409", 4, 5),
            ("429", 1, 2),
            ("429", 6, 7),
            ("429_lock_timeout", 2, 3),
            ("429_lock_timeout", 4, 5),
        ],
    )
    def test_an_answer_that_is_lost_or_unclear_is_looked_for_and_paid_once(
        self, terminal: Terminal, fault: str, times: int, posts: int
    ) -> None:
        refund = terminal.begun()
        terminal.stripe.fault(fault, times=times)
        assert terminal.try_once(refund) is not None
        assert terminal.status(refund) == INDETERMINATE
        terminal.assert_sound(refund)

        terminal.go_on(refund)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=posts)

    @pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
    def test_an_answer_that_does_not_come_in_time_is_looked_for_and_paid_once(
        self, terminal: Terminal, fault: str
    ) -> None:
        refund = terminal.begun()
        terminal.steps = Steps(terminal.house, card=gateway_at(terminal.stripe.url, read_seconds_max=0.1))
        terminal.stripe.control(
            "faults", method="POST", path_prefix="/v1/refunds", kind=fault, times=2, hang_seconds=HANG_SECONDS
        )
        assert terminal.try_once(refund) is not None
        assert terminal.status(refund) == INDETERMINATE

        terminal.steps = terminal.worker(terminal.stripe.url)  # patient again, and still it may meet a key in use
        terminal.go_on(refund)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund)

    def test_a_failure_that_the_key_remembers_is_waited_out_by_looking_and_then_paid_once(
        self, terminal: Terminal
    ) -> None:
        refund = terminal.begun()
        terminal.stripe.fault("500_before")
        assert terminal.try_once(refund) is not None

        terminal.go_on(refund, hours_max=4)

        assert terminal.status(refund) == INDETERMINATE
        terminal.pass_time(KEY_FORGOTTEN)
        terminal.go_on(refund)
        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund)

    def test_a_failure_that_the_key_remembers_is_not_asked_for_again_before_the_key_is_forgotten(
        self, terminal: Terminal
    ) -> None:
        refund = terminal.begun()
        terminal.stripe.fault("500_before")
        terminal.try_once(refund)

        terminal.go_on(refund, hours_max=4)

        replayed = sum(it["is_replay"] for it in terminal.posts(refund))
        assert replayed <= 1, "the first replay tells that the failure is stored; from then on we only look"
        terminal.pass_time(KEY_FORGOTTEN)
        terminal.go_on(refund)
        terminal.assert_sound(refund, posts=2 + replayed)

    @pytest.mark.parametrize("fault", ["401", "403"])
    def test_a_key_that_stripe_does_not_accept_stops_the_whole_rail_and_says_so(
        self, terminal: Terminal, fault: str
    ) -> None:
        first, second = terminal.begun("dep_1"), terminal.begun("dep_2")
        terminal.stripe.fault(fault)
        terminal.try_once(first)
        assert terminal.is_stopped()
        assert "rail_stop" in terminal.house.findings()
        terminal.try_once(second)
        assert terminal.posts(second) == [], "no other refund fails one by one"

        rails = Rails(terminal.house.database)
        for operator in ("ann", "bob"):
            rails.start(Rail.CARD, "the key is mended", operator=operator)
        for refund in (first, second):
            terminal.go_on(refund)

            assert terminal.status(refund) == PAID
        terminal.assert_sound(first, posts=2)
        terminal.assert_sound(second, posts=1)

    @pytest.mark.parametrize("fault", ["401", "403"])
    def test_a_key_that_stripe_does_not_accept_fails_no_refund(self, terminal: Terminal, fault: str) -> None:
        refund = terminal.begun()
        terminal.stripe.fault(fault)

        terminal.try_once(refund)

        assert terminal.status(refund)[0] == RefundStatus.PAYING
        terminal.assert_sound(refund, posts=1)

    def test_a_balance_that_is_too_small_refuses_and_only_a_person_raises_the_attempt(
        self, terminal: Terminal
    ) -> None:
        refund = terminal.begun()
        terminal.stripe.control("balance", currency="usd", available_minor=0, when_short="refused")
        terminal.go_on(refund)
        assert terminal.status(refund) == (RefundStatus.NEEDS_ATTENTION, "payout_refused", PayoutStatus.REFUSED)
        terminal.assert_sound(refund, posts=1)

        terminal.stripe.control("balance", currency="usd", top_up_minor=10_000)
        terminal.retry(refund)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=2)


class Died(BaseException):
    """The process ends here: nothing catches it."""


class TestProcess:
    """A worker that dies around the request, for good; what a real SIGKILL leaves is in tests/crash."""

    @pytest.mark.parametrize("hours", [0, 25])
    @pytest.mark.parametrize(("moment", "made"), [("before", 0), ("after", 1)])
    def test_a_worker_that_dies_around_the_request_has_paid_once(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, moment: str, made: int, hours: int
    ) -> None:
        refund = terminal.begun()
        with monkeypatch.context() as dying:
            dying.setattr(StripeGateway, "_leap", die(StripeGateway._leap, moment))
            with pytest.raises(Died):
                terminal.try_once(refund)
        assert len(terminal.made(refund)) == made
        assert terminal.status(refund) == INDETERMINATE

        terminal.pass_time(hours * HOUR)
        terminal.go_on(refund)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)

    def test_a_worker_that_is_down_for_three_days_after_the_request_has_paid_once(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.stripe.fault("drop_after")
        terminal.try_once(refund)

        terminal.pass_time(72 * HOUR)
        terminal.go_on(refund)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)

    def test_two_workers_that_ask_at_once_pay_once_and_one_asks(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        asking, answered = threading.Event(), threading.Event()
        terminal.before_post(lambda: (asking.set(), answered.wait(30)))
        first, second = terminal.steps, terminal.worker(terminal.stripe.url)

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(first.look_at_card, refund)
            assert asking.wait(30)
            with pytest.raises(ApplicationError):
                second.look_at_card(refund)
            answered.set()
            running.result(30)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)


def die(leap: Callable[..., object], moment: str) -> Callable[..., object]:
    def run(*arguments: object) -> object:
        if moment == "after":
            leap(*arguments)
        raise Died

    return run
