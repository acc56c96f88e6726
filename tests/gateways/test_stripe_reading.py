"""Reading payments and proofs, and setting the gateway up."""

import socket
from typing import Any

import pytest
from pydantic import SecretStr

from domain.errors import TryAgain
from domain.payments import CardPaymentRef, Dispute
from domain.payouts import PayoutStatus
from gateways.stripe.client import KeyMode
from gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_cases import (
    REFUND_ID,
    assert_tells_nothing_secret,
    gateway_at,
    payout_of,
    reference_of,
)
from tests.gateways.stripe_endpoints import Proxy, Reply, Simulator


def test_payment_is_read_with_amount_currency_and_kind(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay(2000)

    seen = gateway.read_payment(reference_of(payment), refund_id=REFUND_ID)

    assert seen.model_dump(exclude={"rail"}) == {
        "found": True,
        "status": "succeeded",
        "is_captured": True,
        "is_card": True,
        "amount_minor": 2000,
        "currency": "USD",
        "refunded_minor": 0,
        "own_refunded_minor": 0,
        "dispute": Dispute.NONE,
    }


def test_payment_that_is_unknown_is_not_found(simulator: Simulator, gateway: StripeGateway) -> None:
    reference = CardPaymentRef(payment_intent="pi_unknown", amount_minor=1, currency="USD")

    assert not gateway.read_payment(reference, refund_id=REFUND_ID).found


@pytest.mark.parametrize("body", ["null", "{}", "[]", '{"object": "payment_intent"}'])
def test_empty_answer_is_not_taken_for_an_unknown_payment(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway, body: str
) -> None:
    payment = simulator.pay()
    proxy.on("GET", "/v1/payment_intents", reply=Reply(200, body))

    with pytest.raises(TryAgain):
        proxied.ensure_refund(payout_of(payment))

    assert simulator.requests_to_refund() == []


def test_payment_held_but_not_captured_is_read_as_such(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay(capture_method="manual")

    seen = gateway.read_payment(reference_of(payment), refund_id=REFUND_ID)

    assert (seen.status, seen.is_captured) == ("requires_capture", False)


def test_refunded_amount_counts_others_and_leaves_out_failed_ones_and_our_own(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment = simulator.pay(2000)
    simulator.refund(payment, 100)
    simulator.refund(payment, 200, refund_id="rf_other", attempt="1")
    simulator.refund(payment, 400, refund_id=REFUND_ID, attempt="1")
    simulator.control(f"refunds/{simulator.refund(payment, 800)}/fail")

    seen = gateway.read_payment(reference_of(payment), refund_id=REFUND_ID)

    assert seen.refunded_minor == 300


def test_inquiry_counts_as_an_open_dispute(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay()
    simulator.control(f"charges/{payment.charge}/dispute", status="warning_needs_response")

    seen = gateway.read_payment(reference_of(payment), refund_id=REFUND_ID)

    assert seen.dispute == Dispute.OPEN


def test_refunds_are_read_to_the_last_page(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay(2000)
    made = gateway.ensure_refund(payout_of(payment))
    simulator.control(f"refunds/{made.provider_ref}/fail")
    simulator.refund(payment, 7)
    for _ in range(105):
        simulator.control(f"refunds/{simulator.refund(payment, 1)}/fail")

    outcome = gateway.ensure_refund(payout_of(payment))
    seen = gateway.read_payment(reference_of(payment), refund_id=REFUND_ID)

    assert (outcome.status, outcome.provider_ref) == (PayoutStatus.FAILED, made.provider_ref)
    assert seen.refunded_minor == 7


def test_page_that_promises_more_and_holds_nothing_is_not_taken_for_the_end(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway
) -> None:
    payment = simulator.pay_with_many_refunds()
    requests_before = simulator.requests_to_refund()
    proxy.on("GET", "/v1/refunds", rewrite=lambda page: {**page, "data": [], "has_more": True})

    with pytest.raises(TryAgain):
        proxied.ensure_refund(payout_of(payment))

    assert simulator.requests_to_refund() == requests_before


def test_charge_that_does_not_show_its_refunds_has_them_listed(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway
) -> None:
    payment = simulator.pay(2000)
    simulator.refund(payment, 7)

    def hide(intent: dict[str, Any]) -> dict[str, Any]:
        charge = {name: value for name, value in intent["latest_charge"].items() if name != "refunds"}
        return {**intent, "latest_charge": charge}

    proxy.on("GET", "/v1/payment_intents", rewrite=hide)
    seen = proxied.read_payment(reference_of(payment), refund_id=REFUND_ID)

    assert seen.refunded_minor == 7


def test_proof_may_name_the_payment_or_its_charge(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay()

    assert gateway.resolve_payment_intent(payment.intent) == payment.intent
    assert gateway.resolve_payment_intent(payment.charge) == payment.intent


@pytest.mark.parametrize(
    "proof", ["pi_unknown", "ch_unknown", "py_unknown", "re_1", "", "ch_", "pi_1/../../balance", "0xabc"]
)
def test_proof_that_names_nothing_resolves_to_nothing(
    simulator: Simulator, gateway: StripeGateway, proof: str
) -> None:
    assert gateway.resolve_payment_intent(proof) is None


def test_check_passes_with_a_good_key_and_address(simulator: Simulator, gateway: StripeGateway) -> None:
    gateway.check()


def test_check_names_a_key_that_stripe_refuses(simulator: Simulator, proxy: Proxy, proxied: StripeGateway) -> None:
    body = '{"error": {"type": "invalid_request_error", "message": "Invalid API Key: sk_test_leaked"}}'
    proxy.on("GET", "/v1/refunds", reply=Reply(401, body, (("Request-Id", "req_abc123"),)))

    with pytest.raises(TryAgain, match=r"a person must mend it.*AuthenticationError, 401, req_abc123") as raised:
        proxied.check()

    assert_tells_nothing_secret(raised.value)


def test_check_fails_when_nobody_answers() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        gateway = gateway_at(f"http://127.0.0.1:{unheard.getsockname()[1]}")

        with pytest.raises(TryAgain, match="APIConnectionError, ConnectionError"):
            gateway.check()


def test_making_a_gateway_does_not_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        gateway_at(f"http://127.0.0.1:{listener.getsockname()[1]}")

        with pytest.raises(BlockingIOError):
            listener.accept()


def test_calls_carry_no_telemetry(simulator: Simulator, proxy: Proxy, proxied: StripeGateway) -> None:
    proxied.check()
    proxied.check()

    assert len(proxy.seen) == 2
    for seen in proxy.seen:
        assert "X-Stripe-Client-Telemetry" not in seen.headers
        assert "platform" not in seen.headers["X-Stripe-Client-User-Agent"]


@pytest.mark.parametrize(
    ("key", "mode", "api_base"),
    [
        ("sk_live_abc", "live", "http://127.0.0.1:1"),
        ("rk_live_abc", "live", "https://api.stripe.com.example.com"),
        ("rk_live_abc", "live", "http://api.stripe.com"),
        ("sk_live_abc", "test", "https://api.stripe.com"),
        ("sk_test_abc", "live", "https://api.stripe.com"),
        ("pk_test_abc", "test", "https://api.stripe.com"),
        ("", "test", "https://api.stripe.com"),
        ("sk_test_abc\n", "test", "https://api.stripe.com"),
        ("sk_test_abc", "test", "https://user@api.stripe.com"),
        ("sk_test_abc", "test", "https://api.stripe.com/v1"),
        ("sk_test_abc", "test", "api.stripe.com"),
    ],
    ids=[
        "live key elsewhere",
        "live key at a look-alike",
        "live key unencrypted",
        "live key in test mode",
        "test key in live mode",
        "publishable key",
        "no key",
        "key with a line break",
        "address with a user",
        "address with a path",
        "address without a scheme",
    ],
)
def test_key_mode_and_address_that_do_not_belong_together_are_refused(key: str, mode: KeyMode, api_base: str) -> None:
    with pytest.raises(ValueError, match="Stripe") as raised:
        StripeGateway(SecretStr(key), mode=mode, api_base=api_base)

    assert "_abc" not in str(raised.value)


@pytest.mark.parametrize(("key", "mode"), [("sk_live_abc", "live"), ("rk_test_abc", "test")], ids=["live", "test"])
def test_key_of_the_expected_mode_is_accepted_for_stripe_itself(key: str, mode: KeyMode) -> None:
    StripeGateway(SecretStr(key), mode=mode, api_base="https://api.stripe.com/")
