"""Stripe is asked no faster than agreed: a burst at once, then one request after the other."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateways.stripe.gateway import StripeGateway
from gateways.stripe.pace import Pace
from tests.gateways.stripe_cases import gateway_at, payout_of
from tests.gateways.stripe_endpoints import Proxy, Simulator


class Time:
    """A clock that only sleeping moves, if it moves at all."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.moves = True
        self._lock = threading.Lock()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(round(seconds, 6))
            self.now += seconds if self.moves else 0


@pytest.fixture
def time() -> Time:
    return Time()


def test_a_burst_goes_at_once_and_the_rest_at_the_rate(time: Time) -> None:
    pace = Pace(4, 3, clock=time.clock, sleep=time.sleep)

    for _ in range(6):
        pace.wait()

    assert time.slept == [0.25, 0.25, 0.25]


def test_a_rest_fills_the_burst_and_never_more(time: Time) -> None:
    pace = Pace(4, 3, clock=time.clock, sleep=time.sleep)
    for _ in range(3):
        pace.wait()

    time.now += 3600
    for _ in range(4):
        pace.wait()

    assert time.slept == [0.25]


def test_threads_share_the_pace_and_each_gets_a_turn_of_its_own(time: Time) -> None:
    time.moves = False
    pace = Pace(4, 3, clock=time.clock, sleep=time.sleep)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: pace.wait(), range(8)))

    assert sorted(time.slept) == [0.25, 0.5, 0.75, 1.0, 1.25]


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (-1, 1), (5, 0)])
def test_a_pace_that_would_stand_still_is_refused(per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match="A pace needs"):
        Pace(per_second, burst)


def test_every_request_to_stripe_waits_its_turn_also_one_that_the_library_repeats(
    simulator: Simulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    monkeypatch.setattr(Pace, "wait", lambda _: turns.append("turn"))
    simulator.fault("503_before", method="GET", path="/v1/payment_intents")
    payment = simulator.pay()

    gateway_at(proxy.url).ensure_refund(payout_of(payment))

    assert proxy.count("GET", "/v1/payment_intents") == 2  # the first met the fault
    assert len(turns) == len(proxy.seen)


def test_a_refund_without_trouble_asks_stripe_twice_and_is_not_slowed(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway
) -> None:
    payment = simulator.pay()

    proxied.ensure_refund(payout_of(payment))

    assert [(seen.method, seen.path.partition("?")[0]) for seen in proxy.seen] == [
        ("GET", f"/v1/payment_intents/{payment.intent}"),
        ("POST", "/v1/refunds"),
    ]
