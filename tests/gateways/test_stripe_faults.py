"""Requests that fail before or after they took effect still make one refund."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.errors import TryAgain
from domain.payouts import PayoutOutcome, PayoutStatus
from gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_cases import (
    assert_tells_nothing_secret,
    gateway_at,
    payout_of,
    repeat_until_settled,
)
from tests.gateways.stripe_endpoints import Proxy, Simulator

HOURS_25_SECONDS = 25 * 3600


@pytest.mark.parametrize(
    ("kind", "times"),
    [
        ("drop_before", 2),
        ("409", 2),
        ("429", 1),
        ("429_retry_after", 1),
        ("429_lock_timeout", 2),
        ("503_before", 2),
        ("200_html_before", 1),
        ("hang_before", 1),
    ],
)
def test_fault_before_the_commit_is_unclear_and_the_next_run_pays_once(
    simulator: Simulator, gateway: StripeGateway, kind: str, times: int
) -> None:
    payment = simulator.pay()
    simulator.fault(kind, times=times)

    with pytest.raises(TryAgain) as raised:
        gateway.ensure_refund(payout_of(payment))
    outcome = repeat_until_settled(gateway, payout_of(payment))

    assert_tells_nothing_secret(raised.value)
    assert outcome.status == PayoutStatus.SUCCEEDED
    assert [refund["id"] for refund in simulator.live_refunds(payment)] == [outcome.provider_ref]


@pytest.mark.parametrize(
    ("kind", "times"),
    [
        ("drop_after", 2),
        ("502_html_after", 2),
        ("504_html_after", 2),
        ("200_html_after", 1),
        ("empty_after", 1),
        ("wrong_json_after", 1),
        ("truncate_after", 1),
        ("hang_after", 2),
        ("500_after", 1),
    ],
)
def test_fault_after_the_commit_is_unclear_and_the_next_run_adopts_the_one_refund(
    simulator: Simulator, gateway: StripeGateway, kind: str, times: int
) -> None:
    payment = simulator.pay()
    simulator.fault(kind, times=times)

    with pytest.raises(TryAgain) as raised:
        gateway.ensure_refund(payout_of(payment))
    requests_before = len(simulator.requests_to_refund())
    outcome = gateway.ensure_refund(payout_of(payment))

    assert_tells_nothing_secret(raised.value)
    assert outcome.status == PayoutStatus.SUCCEEDED
    assert [refund["id"] for refund in simulator.live_refunds(payment)] == [outcome.provider_ref]
    assert len(simulator.requests_to_refund()) == requests_before


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "409", "502_html_after", "truncate_after"])
def test_nothing_is_sent_again_without_a_look_also_where_stripe_would_pay_again(
    simulator: Simulator, gateway: StripeGateway, kind: str
) -> None:
    simulator.control("profile", profile="permissive")
    payment = simulator.pay()
    simulator.fault(kind)

    with pytest.raises(TryAgain):
        gateway.ensure_refund(payout_of(payment))
    requests_before = len(simulator.requests_to_refund())
    outcome = gateway.ensure_refund(payout_of(payment))

    assert requests_before == 1
    assert outcome.status == PayoutStatus.SUCCEEDED
    assert [refund["id"] for refund in simulator.live_refunds(payment)] == [outcome.provider_ref]


def test_request_still_under_way_is_asked_for_again_after_two_seconds(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment = simulator.pay()
    simulator.fault("409", times=2)

    with pytest.raises(TryAgain) as raised:
        gateway.ensure_refund(payout_of(payment))

    assert raised.value.after_seconds == 2


def test_stored_failure_is_waited_out_until_its_key_is_forgotten(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment = simulator.pay()
    simulator.fault("500_before")

    with pytest.raises(TryAgain) as first:
        gateway.ensure_refund(payout_of(payment))
    with pytest.raises(TryAgain) as replayed:
        gateway.ensure_refund(payout_of(payment))
    simulator.control("clock", advance_seconds=HOURS_25_SECONDS)
    outcome = gateway.ensure_refund(payout_of(payment))

    assert first.value.after_seconds is None
    assert replayed.value.after_seconds == 900
    assert outcome.status == PayoutStatus.SUCCEEDED
    assert len(simulator.live_refunds(payment)) == 1


def test_lost_answer_is_found_after_the_key_is_forgotten(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay()
    simulator.fault("drop_after", times=2)
    with pytest.raises(TryAgain):
        gateway.ensure_refund(payout_of(payment))
    requests_before = len(simulator.requests_to_refund())

    simulator.control("clock", advance_seconds=HOURS_25_SECONDS)
    outcome = gateway.ensure_refund(payout_of(payment))

    assert outcome.status == PayoutStatus.SUCCEEDED
    assert len(simulator.live_refunds(payment)) == 1
    assert len(simulator.requests_to_refund()) == requests_before


@pytest.mark.parametrize(
    ("kind", "times"),
    [
        ("drop_before", 2),
        ("409", 2),
        ("429", 1),
        ("500_before", 1),
        ("502_html_after", 2),
        ("truncate_after", 1),
        ("200_html_after", 1),
        ("empty_after", 1),
        ("wrong_json_after", 1),
    ],
)
@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/refunds"], ids=["payment", "refunds"])
def test_nothing_is_sent_while_looking_fails(
    simulator: Simulator, gateway: StripeGateway, path: str, kind: str, times: int
) -> None:
    payment = simulator.pay() if path == "/v1/payment_intents" else simulator.pay_with_many_refunds()
    requests_before = simulator.requests_to_refund()
    simulator.fault(kind, method="GET", path=path, times=times)

    with pytest.raises(TryAgain) as raised:
        gateway.ensure_refund(payout_of(payment))

    assert_tells_nothing_secret(raised.value)
    assert simulator.requests_to_refund() == requests_before


def test_two_gateways_that_leap_at_once_make_one_refund(simulator: Simulator, proxy: Proxy) -> None:
    payment = simulator.pay()
    both_have_looked = threading.Barrier(2, timeout=10)
    for _ in range(2):
        proxy.on("POST", "/v1/refunds", act=both_have_looked.wait)

    def pay() -> PayoutOutcome:
        return repeat_until_settled(gateway_at(proxy.url, read_seconds_max=10), payout_of(payment))

    with ThreadPoolExecutor(2) as threads:
        first, second = [running.result() for running in [threads.submit(pay), threads.submit(pay)]]

    # Whoever asked once more has looked as well.
    assert len({it.model_copy(update={"saw_disputes": True}) for it in (first, second)}) == 1
    assert first.status == PayoutStatus.SUCCEEDED
    assert [refund["id"] for refund in simulator.live_refunds(payment)] == [first.provider_ref]
    assert proxy.count("POST", "/v1/refunds") >= 2


def test_replayed_answer_is_read_again_because_it_may_be_old(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway
) -> None:
    payment = simulator.pay()
    made: list[str | None] = []

    def pay_and_fail_meanwhile() -> None:
        made.append(gateway_at(simulator.url).ensure_refund(payout_of(payment)).provider_ref)
        simulator.control(f"refunds/{made[0]}/fail")

    proxy.on("POST", "/v1/refunds", act=pay_and_fail_meanwhile)
    outcome = proxied.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.provider_ref) == (PayoutStatus.FAILED, made[0])
