"""What may not be refunded, what Stripe refuses, and answers that nobody may act on."""

from typing import Any

import pytest

from domain.errors import AccessRefused, NeedsOperator, TryAgain
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.rails import StopCause
from domain.refunds import StatusReason
from gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_cases import (
    REFUND_ID,
    assert_tells_nothing_secret,
    payout_of,
    reference_of,
)
from tests.gateways.stripe_endpoints import Payment, Proxy, Reply, Simulator

OTHER_MODE = (
    '{"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such payment_intent: '
    "'pi_1'; a similar object exists in live mode, but a test mode key was used to make this request.\"}}"
)
HTML = "<html><body>sk_test_leaked Bad Gateway</body></html>"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"amount_minor": 1999}, "amount_differs"),
        ({"amount_minor": 2001}, "amount_differs"),
        ({"currency": "EUR"}, "amount_differs"),
        ({"payment_intent": "pi_unknown"}, "payment_missing"),
        ({"payment_intent": ""}, "payment_missing"),
    ],
    ids=["less", "more", "other currency", "unknown payment", "no payment"],
)
def test_payout_that_does_not_fit_its_payment_is_refused_unsent(
    simulator: Simulator, gateway: StripeGateway, changes: dict[str, Any], detail: str
) -> None:
    payment = simulator.pay(2000)

    outcome = gateway.ensure_refund(payout_of(payment, **changes))

    assert outcome == PayoutOutcome(status=PayoutStatus.REFUSED, reason=StatusReason.PAYOUT_REFUSED, detail=detail)
    assert simulator.requests_to_refund() == []


def test_uncaptured_payment_is_refused_unsent(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay(capture_method="manual")

    outcome = gateway.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.detail) == (PayoutStatus.REFUSED, "payment_not_captured")
    assert simulator.requests_to_refund() == []


@pytest.mark.parametrize("kind", ["another kind of payment", "a py_ charge"])
def test_payment_that_is_not_by_card_is_refused_unsent(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway, kind: str
) -> None:
    if kind == "a py_ charge":
        payment = simulator.pay(card="pm_usBankAccount_success")
        assert payment.charge.startswith("py_")
    else:
        payment = simulator.pay()
        proxy.on("GET", "/v1/payment_intents", rewrite=as_klarna)

    outcome = proxied.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.detail) == (PayoutStatus.REFUSED, "not_a_card_payment")
    assert simulator.requests_to_refund() == []


@pytest.mark.parametrize("step", ["pay", "look", "read"])
def test_payment_of_the_other_mode_refuses_no_refund_but_stops_the_rail(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway, step: str
) -> None:
    payment = simulator.pay()
    proxy.on("GET", "/v1/payment_intents", rewrite=lambda intent: {**intent, "livemode": True})

    with pytest.raises(AccessRefused) as raised:
        do(proxied, step, payment)

    assert raised.value.cause == StopCause.MODE_DIFFERS
    assert simulator.requests_to_refund() == []


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (
            Reply(401, '{"error": {"type": "invalid_request_error", "message": "Invalid Key: sk_test_leaked"}}'),
            StopCause.KEY_REFUSED,
        ),
        (
            Reply(403, '{"error": {"type": "invalid_request_error", "message": "sk_test_leaked may not"}}'),
            StopCause.KEY_REFUSED,
        ),
        (Reply(404, OTHER_MODE), StopCause.MODE_DIFFERS),
    ],
    ids=["wrong key", "narrow key", "key of the other mode"],
)
@pytest.mark.parametrize("step", ["pay", "look", "read", "leap"])
def test_key_that_stripe_does_not_take_is_no_fault_of_the_refund(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway, step: str, reply: Reply, cause: StopCause
) -> None:
    payment = simulator.pay()
    method, path = ("POST", "/v1/refunds") if step == "leap" else ("GET", "/v1/payment_intents")
    proxy.on(method, path, reply=reply)

    with pytest.raises(AccessRefused) as raised:
        do(proxied, step, payment)

    assert raised.value.cause == cause
    assert_tells_nothing_secret(raised.value)
    assert simulator.live_refunds(payment) == []


def do(gateway: StripeGateway, step: str, payment: Payment) -> object:
    match step:
        case "read":
            return gateway.read_payment(reference_of(payment), refund_id=REFUND_ID)
        case "look":
            return gateway.look_at_refund(payout_of(payment))
    return gateway.ensure_refund(payout_of(payment))


@pytest.mark.parametrize("status", [401, 403])
def test_page_of_something_on_the_way_proves_nothing_of_the_key(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway, status: int
) -> None:
    proxy.on("GET", "/v1/payment_intents", reply=Reply(status, HTML))

    with pytest.raises(TryAgain) as raised:
        proxied.ensure_refund(payout_of(simulator.pay()))

    assert not isinstance(raised.value, AccessRefused)


@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/charges"])
def test_proof_that_names_a_payment_of_the_other_mode_stops_nothing(
    proxy: Proxy, proxied: StripeGateway, path: str
) -> None:
    proxy.on("GET", path, reply=Reply(404, OTHER_MODE))

    assert proxied.resolve_payment_intent("pi_1" if path.endswith("intents") else "ch_1") is None


def test_payment_that_vanished_proves_nothing_about_a_refund_that_may_have_been_sent(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payout = payout_of(Payment("pi_of_another_account", "ch_1", 2000))

    outcomes = [gateway.ensure_refund(payout, maybe_sent=True), gateway.look_at_refund(payout)]

    expected = PayoutOutcome(
        status=PayoutStatus.UNKNOWN, reason=StatusReason.PAYOUT_UNKNOWN, detail="payment_missing"
    )
    assert outcomes == [expected, expected]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"amount": 1999}, "answer_differs"),
        ({"currency": "eur"}, "answer_differs"),
        ({"payment_intent": "pi_other"}, "answer_differs"),
        ({"status": "requires_action"}, "unexpected_status"),
        ({"status": "a_word_of_tomorrow"}, "unexpected_status"),
        ({"status": None}, "unexpected_status"),
    ],
    ids=["amount", "currency", "payment", "requires action", "unknown status", "no status"],
)
def test_answer_that_is_not_what_was_asked_for_stays_unknown(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway, change: dict[str, Any], detail: str
) -> None:
    payment = simulator.pay()
    proxy.on("POST", "/v1/refunds", rewrite=lambda refund: {**refund, **change})

    outcome = proxied.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.reason, outcome.detail) == (
        PayoutStatus.UNKNOWN,
        StatusReason.PAYOUT_UNKNOWN,
        detail,
    )
    assert outcome.provider_ref == simulator.live_refunds(payment)[0]["id"]


def test_key_used_before_for_something_else_stays_unknown_and_is_never_replaced(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment, other = simulator.pay(), simulator.pay()
    simulator.refund(other, 2000, key=payout_of(payment).idempotency_key)

    outcome = gateway.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.reason) == (PayoutStatus.UNKNOWN, StatusReason.PAYOUT_UNKNOWN)
    assert outcome.detail == "idempotency_error"
    assert simulator.live_refunds(payment) == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, HTML),
        Reply(200, "{}"),
        Reply(200, "[1]"),
        Reply(200, "null"),
        Reply(200, '{"object": "list", "data": [], "has_more": false}'),
        Reply(400, HTML),
        Reply(400, '{"error": "sk_test_leaked"}'),
        Reply(400, '{"error": {"type": "invalid_request_error", "code": "rate_limit"}}'),
        Reply(429, '{"error": {"type": "invalid_request_error", "code": "lock_timeout"}}'),
        Reply(424, '{"error": {"type": "api_error", "message": "sk_test_leaked"}}'),
    ],
    ids=[
        "html",
        "empty object",
        "list",
        "null",
        "other object",
        "html refusal",
        "error as text",
        "old rate limit",
        "lock timeout",
        "failed dependency",
    ],
)
def test_answer_that_says_nothing_definite_is_asked_for_again(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway, reply: Reply
) -> None:
    payment = simulator.pay()
    proxy.on("POST", "/v1/refunds", reply=reply)

    with pytest.raises(TryAgain) as raised:
        proxied.ensure_refund(payout_of(payment))
    outcome = proxied.ensure_refund(payout_of(payment))

    assert_tells_nothing_secret(raised.value)
    assert outcome.status == PayoutStatus.SUCCEEDED
    assert len(simulator.live_refunds(payment)) == 1


@pytest.mark.parametrize(
    ("reply", "status", "reason", "detail"),
    [
        (
            Reply(400, '{"error": {"type": "invalid_request_error", "code": "charge_not_refundable"}}'),
            PayoutStatus.REFUSED,
            StatusReason.PAYOUT_REFUSED,
            "charge_not_refundable",
        ),
        (
            Reply(400, '{"error": {"type": "invalid_request_error", "code": "refund_disputed_payment"}}'),
            PayoutStatus.REFUSED,
            StatusReason.PAYOUT_DISPUTED,
            "refund_disputed_payment",
        ),
        (
            Reply(
                400,
                '{"error": {"type": "invalid_request_error", '
                '"message": "Insufficient funds in your Stripe balance to refund this amount."}}',
            ),
            PayoutStatus.REFUSED,
            StatusReason.PAYOUT_REFUSED,
            "balance_insufficient",
        ),
        (
            Reply(400, '{"error": {"type": "invalid_request_error", "code": "<script>sk_test</script>"}}'),
            PayoutStatus.REFUSED,
            StatusReason.PAYOUT_REFUSED,
            "invalid_request_error",
        ),
        (
            Reply(402, '{"error": {"type": "card_error", "code": "card_declined"}}'),
            PayoutStatus.REFUSED,
            StatusReason.PAYOUT_REFUSED,
            "card_declined",
        ),
        (
            Reply(418, '{"error": {"type": "teapot_error"}}'),
            PayoutStatus.UNKNOWN,
            StatusReason.PAYOUT_UNKNOWN,
            "teapot_error",
        ),
    ],
    ids=["not refundable", "disputed", "balance", "odd code", "card error", "unlisted"],
)
def test_definite_refusal_is_told_by_its_code(
    simulator: Simulator,
    proxy: Proxy,
    proxied: StripeGateway,
    reply: Reply,
    status: PayoutStatus,
    reason: StatusReason,
    detail: str,
) -> None:
    payment = simulator.pay()
    proxy.on("POST", "/v1/refunds", reply=reply)

    outcome = proxied.ensure_refund(payout_of(payment))

    assert outcome == PayoutOutcome(status=status, reason=reason, detail=detail)
    assert proxy.count("GET", "/v1/payment_intents") == 2


def test_refusal_of_a_mere_read_is_for_a_person(simulator: Simulator, proxy: Proxy, proxied: StripeGateway) -> None:
    payment = simulator.pay()
    reply = Reply(400, '{"error": {"type": "invalid_request_error", "code": "parameter_unknown"}}')
    proxy.on("GET", "/v1/payment_intents", reply=reply)

    with pytest.raises(NeedsOperator) as raised:
        proxied.read_payment(reference_of(payment), refund_id=REFUND_ID)

    assert raised.value.reason == StatusReason.FACTS_UNAVAILABLE
    assert "parameter_unknown" in raised.value.message


def as_klarna(intent: dict[str, Any]) -> dict[str, Any]:
    charge = {**intent["latest_charge"], "payment_method_details": {"type": "klarna"}}
    return {**intent, "latest_charge": charge}
