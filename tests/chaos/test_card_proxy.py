"""The proxy between workers and Stripe: what each fault does to the caller, and whether Stripe heard the request."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chaos.card import proxy as proxies
from chaos.card.faults import NEEDS_STRIPES_GUARDS, READ_RATES, REFUND_RATES, Call, Fault, Faults
from chaos.card.proxy import CardProxy
from chaos.card.simulator import KEY, Simulator
from chaos.waiting import until

SECONDS_MAX = 10.0


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("stripe"), "faithful") as simulator:
        yield simulator


@pytest.fixture
def proxy(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CardProxy]:
    monkeypatch.setattr(proxies, "LATE_SECONDS", 0.3)
    monkeypatch.setattr(proxies, "SLOW_SECONDS", 0.1)
    faults = Faults(0, read_rates={}, refund_rates={})
    with CardProxy(simulator.url, faults, journal=tmp_path / "journal.jsonl", hang_seconds=1.0) as proxy:
        yield proxy


def ask(proxy: CardProxy, payment: str, key: str = "a key", attempt: str = "1") -> httpx2.Response:
    with httpx2.Client(trust_env=False, timeout=0.8) as http:
        return http.post(
            f"{proxy.url}/v1/refunds",
            headers={"Authorization": f"Bearer {KEY}", "Idempotency-Key": key},
            data={"payment_intent": payment, "metadata[refund_id]": "rf_1", "metadata[attempt]": attempt},
        )


def made(simulator: Simulator, payment: str) -> list[str]:
    return [it.ref for it in simulator.paybacks() if it.payment_intent == payment]


SEEN: dict[Fault, tuple[int, bool, bool]] = {
    # status (0: none), whether Stripe made the refund, whether the answer counts as lost
    Fault.LOST_BEFORE: (0, False, True),
    Fault.LOST_REPLY: (0, True, True),
    Fault.HANG: (0, True, True),
    Fault.TRUNCATED: (200, True, True),
    Fault.BAD_GATEWAY: (502, True, True),
    Fault.PAGE: (200, True, True),
    Fault.DOWN: (503, False, True),
    Fault.IN_USE: (409, False, False),
    Fault.BUSY: (429, False, False),
    Fault.LOCK_TIMEOUT: (429, False, False),
    Fault.SLOW: (200, True, False),
}


@pytest.mark.parametrize("fault", SEEN)
def test_what_a_fault_does(simulator: Simulator, proxy: CardProxy, fault: Fault) -> None:
    status, is_made, is_lost = SEEN[fault]
    payment = simulator.open_purse(0).owner
    proxy.faults.arm(fault)

    answer = None
    with suppress(httpx2.TransportError):
        answer = ask(proxy, payment, key=f"{fault}")

    (post,) = proxy.journal.posts
    assert (answer.status_code if answer else 0) == status
    assert bool(made(simulator, payment)) == is_made
    assert (post.is_lost, bool(post.made)) == (is_lost, is_made)
    assert proxy.faults.fired == {str(fault): 1}
    if is_lost and answer is not None:
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the decoder says, it is no answer of Stripe's
            answer.json()


def test_a_late_request_arrives_when_nobody_waits_for_it_any_more(simulator: Simulator, proxy: CardProxy) -> None:
    payment = simulator.open_purse(0).owner
    proxy.faults.arm(Fault.LATE_REQUEST)

    with pytest.raises(httpx2.TransportError):
        ask(proxy, payment, key="late")
    before = made(simulator, payment)
    until(lambda: proxy.is_calm, "the late request", SECONDS_MAX)

    (post,) = proxy.journal.posts
    assert before == []
    assert made(simulator, payment) == [post.made]
    assert post.is_late


def test_a_request_can_be_delivered_again_as_it_was(simulator: Simulator, proxy: CardProxy) -> None:
    payment = simulator.open_purse(0).owner
    proxy.faults.arm(Fault.LOST_BEFORE)
    with pytest.raises(httpx2.TransportError):
        ask(proxy, payment, key="again")

    (post,) = proxy.journal.posts
    first, second = proxy.deliver_again(post), proxy.deliver_again(post)

    assert first == second == (200, made(simulator, payment)[0])
    assert len(made(simulator, payment)) == 1


def test_what_is_asked_without_a_fault_is_answered_as_stripe_does(simulator: Simulator, proxy: CardProxy) -> None:
    payment = simulator.open_purse(0).owner

    answer = ask(proxy, payment, key="plain").json()
    again = ask(proxy, payment, key="plain")
    refused = ask(proxy, "pi_nobody", key="nobody")

    assert answer["payment_intent"] == payment
    assert again.headers["Idempotent-Replayed"] == "true"
    assert refused.status_code == 404
    assert [(it.status, it.is_replay, it.is_lost) for it in proxy.journal.posts] == [
        (200, False, False),
        (200, True, False),
        (404, False, False),
    ]
    assert proxy.journal.calls() == {"POST /v1/refunds": 3}


def drawn(seed: object, **options: Any) -> list[Fault | None]:
    faults = Faults(seed, **options)
    return [faults.decide(Call("POST", f"c{it}", 0, is_refund=True)) for it in range(200)]


def test_the_seed_decides_which_call_meets_which_fault() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert set(REFUND_RATES) <= set(drawn(1))


def test_where_stripe_keeps_no_guard_nothing_arrives_late() -> None:
    assert not NEEDS_STRIPES_GUARDS & set(drawn(1, without=NEEDS_STRIPES_GUARDS))
    assert set(Faults(1, without=NEEDS_STRIPES_GUARDS).planned) == set(REFUND_RATES) - NEEDS_STRIPES_GUARDS


def test_reads_and_requests_for_refunds_have_rates_of_their_own() -> None:
    faults = Faults(1, read_rates={}, refund_rates={Fault.BUSY: 1.0})

    assert faults.decide(Call("GET", "c", 0, is_refund=False)) is None
    assert faults.decide(Call("POST", "c", 0, is_refund=True)) == Fault.BUSY
    faults.factor = 0.0
    assert faults.decide(Call("POST", "c", 1, is_refund=True)) is None
    assert sum(READ_RATES.values()) < 0.1


def test_an_armed_fault_waits_for_a_request_for_a_refund(simulator: Simulator, proxy: CardProxy) -> None:
    payment = simulator.open_purse(0).owner
    proxy.faults.arm(Fault.BUSY)

    with httpx2.Client(trust_env=False) as http:
        read = http.get(f"{proxy.url}/v1/payment_intents/{payment}", headers={"Authorization": f"Bearer {KEY}"})
    asked = ask(proxy, payment, key="armed")

    assert (read.status_code, asked.status_code) == (200, 429)
