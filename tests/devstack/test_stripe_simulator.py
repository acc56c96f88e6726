"""The Stripe simulator as a process: keys, payments, errors, and what survives a kill."""

import base64
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest
import stripe

from tests.devstack.simulator import KEY, Simulator, pay, refund, refused


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_it_says_that_it_is_simulated_and_exits_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    simulator = Simulator(tmp_path / "own.sqlite")
    simulator.start()

    status = simulator.stop(number)

    assert status == 0
    assert "SIMULATED" in simulator.stderr.read_text()
    assert "Traceback" not in simulator.stderr.read_text()


def test_the_clock_can_start_ahead_and_be_advanced(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path / "own.sqlite")
    simulator.start("--clock-offset-seconds", "1000")

    advanced = simulator.post("clock", advance_seconds=500)

    assert advanced["offset_seconds"] == 1500
    assert simulator.state()["clock"]["offset_seconds"] == 1500
    assert simulator.stop(signal.SIGTERM) == 0


def test_a_call_that_hangs_on_purpose_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path / "own.sqlite")
    simulator.start()
    simulator.post("faults", method="GET", path_prefix="/v1/balance", kind="hang_after", hang_seconds=300)
    with pytest.raises(stripe.APIConnectionError):
        simulator.client(timeout_seconds=0.3).v1.balance.retrieve()

    assert simulator.stop(signal.SIGTERM) == 0


def test_refunds_idempotency_memory_and_clock_survive_sigkill(simulator: Simulator, client: Any) -> None:
    payment = pay(client)
    first = refund(client, payment, "refund/rf_1/1", amount=700)
    simulator.post("clock", advance_seconds=60)
    before = simulator.state()

    assert simulator.stop(signal.SIGKILL) == -signal.SIGKILL
    simulator.start()

    after = simulator.state()
    assert after["refunds"] == before["refunds"]
    assert after["journal"] == before["journal"]
    assert after["clock"]["offset_seconds"] == 60
    again = refund(client, payment, "refund/rf_1/1", amount=700)
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 700


@pytest.mark.parametrize(
    "key", ["sk_live_abc", "rk_live_abc", "pk_test_abc", "nonsense"], ids=["live", "live-rk", "public", "other"]
)
def test_only_secret_test_keys_are_accepted(simulator: Simulator, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as caught:
        simulator.client(key).v1.balance.retrieve()

    assert caught.value.http_status == 401
    assert caught.value.error is not None
    assert caught.value.error.type == "invalid_request_error"
    assert caught.value.request_id is not None
    assert key not in str(caught.value)


def test_restricted_keys_and_basic_authentication_are_accepted(simulator: Simulator) -> None:
    basic = base64.b64encode(f"{KEY}:".encode()).decode()

    by_basic = httpx2.get(f"{simulator.url}/v1/balance", headers={"Authorization": f"Basic {basic}"})
    by_nothing = httpx2.get(f"{simulator.url}/v1/balance")

    assert simulator.client("rk_test_abc").v1.balance.retrieve().object == "balance"
    assert by_basic.status_code == 200
    assert by_nothing.status_code == 401
    assert by_nothing.json()["error"]["message"].startswith("You did not provide an API key.")


def test_a_confirmed_payment_succeeds_and_shows_its_charge(client: Any) -> None:
    created = pay(client, metadata={"deposit": "dep_1"}, payment_method_types=["card"])

    payment = client.v1.payment_intents.retrieve(created.id, {"expand": ["latest_charge"]})

    charge = payment.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (payment.status, payment.amount_received, payment.livemode) == ("succeeded", 2000, False)
    assert payment.metadata.to_dict() == {"deposit": "dep_1"}
    assert (charge.captured, charge.amount_captured, charge.amount_refunded) == (True, 2000, 0)
    assert charge.payment_intent == payment.id
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.type == "card"
    assert created.latest_charge == charge.id
    assert client.v1.charges.retrieve(charge.id).id == charge.id


def test_a_payment_with_manual_capture_is_not_refundable(client: Any) -> None:
    payment = pay(client, capture_method="manual")

    error = refused(client, payment)

    assert (payment.status, payment.amount_capturable) == ("requires_capture", 2000)
    assert error.http_status == 400
    with pytest.raises(stripe.InvalidRequestError, match="not been captured"):
        client.v1.refunds.create({"charge": payment.latest_charge})


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": "ten"}, "parameter_invalid_integer", "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"payment_method": "pm_card_nobody"}, "resource_missing", "payment_method"),
        ({"capture_method": "never"}, None, "capture_method"),
    ],
    ids=["unknown", "not-a-number", "too-small", "unknown-card", "wrong-word"],
)
def test_a_payment_with_a_wrong_parameter_is_refused(client: Any, params: Any, code: str | None, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        pay(client, **params)

    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)


@pytest.mark.parametrize("kind", ["payment_intents", "charges", "refunds"])
def test_what_does_not_exist_is_404_resource_missing(client: Any, kind: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        getattr(client.v1, kind).retrieve("xx_unknown")

    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_an_unknown_url_is_404_in_the_shape_of_stripe(client: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as caught:
        client.v1.customers.list()

    assert caught.value.http_status == 404
    assert caught.value.request_id is not None
