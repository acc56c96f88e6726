"""Every kind of fault at the Stripe simulator: what the caller sees, what has happened, and what is counted."""

import collections
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest
import stripe

import devstack.stripe_simulator
from devstack.stripe_simulator.account_control import AccountControl
from devstack.stripe_simulator.changes import write_events
from devstack.stripe_simulator.fault_control import FaultControl
from devstack.stripe_simulator.faults import FaultKind
from devstack.stripe_simulator.refund_control import RefundControl
from devstack.stripe_simulator.store import Store
from tests.devstack.simulator import KEY, Simulator, pay, refund

# For each kind: the status that is sent, whether the refund was made, and what stripe-python makes of it.
KINDS: dict[str, tuple[int | None, bool, type[stripe.StripeError] | None]] = {
    "drop_before": (None, False, stripe.APIConnectionError),
    "hang_before": (200, True, stripe.APIConnectionError),
    "500_before": (500, False, stripe.APIError),
    "503_before": (503, False, stripe.APIError),
    "200_html_before": (200, False, stripe.APIError),
    "409": (409, False, stripe.APIError),
    "429": (429, False, stripe.RateLimitError),
    "429_retry_after": (429, False, stripe.RateLimitError),
    "429_lock_timeout": (429, False, stripe.RateLimitError),
    "401": (401, False, stripe.AuthenticationError),
    "403": (403, False, stripe.PermissionError),
    "drop_after": (None, True, stripe.APIConnectionError),
    "hang_after": (200, True, stripe.APIConnectionError),
    "500_after": (500, True, stripe.APIError),
    "502_html_after": (502, True, stripe.APIError),
    "504_html_after": (504, True, stripe.APIError),
    "200_html_after": (200, True, stripe.APIError),
    "empty_after": (200, True, stripe.APIError),
    "wrong_json_after": (200, True, None),
    "truncate_after": (200, True, stripe.APIConnectionError),
}


def test_every_kind_is_tested_and_explained() -> None:
    readme = Path(devstack.stripe_simulator.__path__[0], "README.md").read_text()

    assert set(KINDS) == set(FaultKind)
    assert [kind.value for kind in FaultKind if f"| `{kind.value}` |" not in readme] == []


def test_every_command_about_refunds_faults_and_the_account_is_explained(tmp_path: Path) -> None:
    readme = Path(devstack.stripe_simulator.__path__[0], "README.md").read_text()
    store = Store(tmp_path / "never opened.sqlite", observe=write_events)

    routes = [route for part in (RefundControl, FaultControl, AccountControl) for route in part(store).routes()]

    assert [route.path for route in routes if f"`POST {route.path}" not in readme] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_fires_once_and_the_same_key_goes_on_afterwards(simulator: Simulator, kind: str) -> None:
    sent_status, is_made, seen = KINDS[kind]
    client = simulator.client()
    payment = pay(client)
    simulator.post("faults", method="POST", path_prefix="/v1/refunds", kind=kind, hang_seconds=0.6)
    hurried = simulator.client(timeout_seconds=0.3) if kind.startswith("hang") else client

    if seen is None:
        assert "id" not in refund(hurried, payment, "key")
    else:
        with pytest.raises(seen):
            refund(hurried, payment, "key")

    simulator.wait_for(lambda: len(simulator.state()["journal"]) == 1)
    state = simulator.state()
    assert len(state["refunds"]) == is_made
    assert [(one["fault"], one["answer_status"]) for one in state["journal"]] == [(kind, sent_status)]
    assert state["faults_fired"] == [{"kind": kind, "endpoint": "POST /v1/refunds", "times": 1}]
    assert state["faults"] == []
    if kind.startswith("500"):
        with pytest.raises(stripe.APIError) as replayed:
            refund(client, payment, "key")
        assert (replayed.value.headers or {})["Idempotent-Replayed"] == "true"
    else:
        again = refund(client, payment, "key")
        assert again.status == "succeeded"
        assert ("Idempotent-Replayed" in again.last_response.headers) == is_made
        assert len(simulator.state()["refunds"]) == 1


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("429", {"Retry-After": None, "Stripe-Should-Retry": None}),
        ("429_retry_after", {"Retry-After": "2", "Stripe-Should-Retry": None}),
        ("429_lock_timeout", {"Retry-After": None, "Stripe-Should-Retry": "true"}),
        ("409", {"Retry-After": None, "Stripe-Should-Retry": "true"}),
    ],
)
def test_headers_say_whether_and_when_to_try_again(
    simulator: Simulator, kind: str, headers: dict[str, str | None]
) -> None:
    simulator.post("faults", kind=kind)

    answer = httpx2.get(f"{simulator.url}/v1/balance", headers={"Authorization": f"Bearer {KEY}"})

    assert {name: answer.headers.get(name) for name in headers} == headers


def test_a_stored_failure_does_not_fire_where_the_answer_is_replayed(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    first = refund(client, payment, "key")
    simulator.post("faults", path_prefix="/v1/refunds", kind="500_before")

    assert refund(client, payment, "key").id == first.id
    assert simulator.state()["faults_fired"] == []


def calls_at_a_rate(simulator: Simulator, *, seed: int, kinds: list[str], calls: int = 60) -> list[tuple[int, str]]:
    """Make the same calls each time and say which statuses and codes came back."""
    client = simulator.client()
    simulator.post("reset")
    payment = pay(client, amount=5000)
    simulator.post("fault_rate", seed=seed, per_mille=300, kinds=kinds, path_prefix="/v1/refunds")
    seen = []
    for number in range(calls):
        try:
            refund(client, payment, f"key {number // 2}", amount=1)
        except stripe.StripeError as error:
            facts = error.error
            seen.append((error.http_status or 0, facts.code or "" if facts else ""))
        else:
            seen.append((200, ""))
    return seen


def test_the_same_calls_meet_the_same_faults_and_another_seed_brings_others(simulator: Simulator) -> None:
    kinds = ["429", "409", "502_html_after", "drop_before"]

    first = calls_at_a_rate(simulator, seed=1, kinds=kinds)
    fired = collections.Counter({one["kind"]: one["times"] for one in simulator.state()["faults_fired"]})
    second = calls_at_a_rate(simulator, seed=1, kinds=kinds)
    other = calls_at_a_rate(simulator, seed=2, kinds=kinds)

    assert first == second
    assert first != other
    faulty = [one for one in first if one != (200, "")]
    # Three of ten calls, as far as sixty calls can tell.
    assert 8 <= len(faulty) <= 30
    assert fired.total() == len(faulty)
    assert (fired["429"], fired["409"]) == (
        faulty.count((429, "rate_limit")),
        faulty.count((409, "idempotency_key_in_use")),
    )
    assert set(fired) <= set(kinds)


def test_the_same_call_is_drawn_anew_at_each_attempt(simulator: Simulator, client: Any) -> None:
    payment = pay(client)
    simulator.post("fault_rate", seed=1, per_mille=500, kinds=["429"], path_prefix="/v1/refunds")

    seen = set()
    for _ in range(20):
        try:
            seen.add(refund(client, payment, "key").status)
        except stripe.RateLimitError:
            seen.add("429")

    assert seen == {"succeeded", "429"}


def test_a_base_rate_survives_a_kill_and_ends_on_request(simulator: Simulator, client: Any) -> None:
    simulator.post("fault_rate", seed=3, per_mille=1000, kinds=["429"], method="GET")
    payment = pay(client)
    simulator.stop(signal.SIGKILL)
    simulator.start()

    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            client.v1.payment_intents.retrieve(payment.id)

    shown = httpx2.get(f"{simulator.url}/_sim/faults").json()
    assert shown["faults_fired"] == [{"kind": "429", "endpoint": "GET /v1/payment_intents/{id}", "times": 2}]
    assert (shown["fault_rate"]["seed"], shown["fault_rate"]["per_mille"]) == (3, 1000)
    ended = httpx2.delete(f"{simulator.url}/_sim/faults").json()
    assert ended == {"faults": [], "fault_rate": None, "faults_fired": []}
    assert client.v1.payment_intents.retrieve(payment.id).id == payment.id


def test_a_base_rate_leaves_out_what_stops_a_service_for_long_unless_it_is_named(simulator: Simulator) -> None:
    shown = simulator.post("fault_rate", seed=1, per_mille=10)

    lasting = {"401", "403", "500_before"}
    assert set(shown["fault_rate"]["kinds"]) == set(FaultKind) - lasting
    for wrong in ({"per_mille": 1001}, {"per_mille": 1, "kinds": ["earthquake"]}, {"per_mille": 1, "kinds": []}):
        answer = httpx2.post(f"{simulator.url}/_sim/fault_rate", json={"seed": 1, **wrong})
        assert answer.status_code == 400
