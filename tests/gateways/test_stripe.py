"""The Stripe gateway against the real simulator: one refund, whatever breaks and whoever interferes."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr

from domain.errors import NeedsOperator, RefundError, TryAgain
from domain.payments import CardPaymentRef, Dispute
from domain.payouts import CardPayout, PayoutOutcome, PayoutStatus
from domain.refunds import StatusReason
from gateways.stripe import StripeGateway
from gateways.stripe.answers import DisputeAnswer, judge_disputes
from gateways.stripe.client import KeyMode
from tests.gateways.stripe_endpoints import TEST_KEY, Payment, Proxy, Reply, Simulator

REFUND_ID = "rf_0123456789abcdef01234567"
HOURS_25_SECONDS = 25 * 3600
HTML = "<html><body>sk_test_leaked Bad Gateway</body></html>"


def gateway_at(url: str, *, read_seconds_max: float = 1.0) -> StripeGateway:
    return StripeGateway(SecretStr(TEST_KEY), mode="test", api_base=url, read_seconds_max=read_seconds_max)


@pytest.fixture
def gateway(simulator: Simulator) -> StripeGateway:
    return gateway_at(simulator.url)


@pytest.fixture
def proxied(proxy: Proxy) -> StripeGateway:
    return gateway_at(proxy.url)


def payout_of(payment: Payment, *, attempt: int = 1, **changes: Any) -> CardPayout:
    payout = CardPayout(
        refund_id=REFUND_ID,
        attempt=attempt,
        payment_intent=payment.intent,
        amount_minor=payment.amount_minor,
        currency="USD",
    )
    return payout.model_copy(update=changes)


def reference_of(payment: Payment) -> CardPaymentRef:
    return CardPaymentRef(payment_intent=payment.intent, amount_minor=payment.amount_minor, currency="USD")


def repeat_until_settled(gateway: StripeGateway, payout: CardPayout) -> PayoutOutcome:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            return gateway.ensure_refund(payout)
        except TryAgain:
            continue
    raise TimeoutError("the payout did not settle")


def assert_tells_nothing_secret(error: RefundError) -> None:
    assert TEST_KEY not in error.message
    assert "sk_test" not in error.message
    assert "<" not in error.message
    assert error.__cause__ is None
    assert error.__context__ is None


# A payment and its refund


def test_refund_is_made_in_full_with_the_key_and_metadata_of_its_attempt(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment = simulator.pay(2000)

    outcome = gateway.ensure_refund(payout_of(payment))

    (refund,) = simulator.live_refunds(payment)
    assert outcome == PayoutOutcome(status=PayoutStatus.SUCCEEDED, provider_ref=refund["id"])
    (request,) = simulator.requests_to_refund()
    assert request["idempotency_key"] == f"refund/{REFUND_ID}/1"
    assert request["params"] == {
        "amount": "2000",
        "payment_intent": payment.intent,
        "reason": "requested_by_customer",
        "metadata": {"refund_id": REFUND_ID, "attempt": "1", "workflow_id": f"refund/{REFUND_ID}"},
    }


def test_second_run_adopts_the_refund_without_sending_again(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay()
    first = gateway.ensure_refund(payout_of(payment))

    second = gateway.ensure_refund(payout_of(payment))

    assert second == first
    assert len(simulator.requests_to_refund()) == 1


def test_pending_refund_tells_its_reason_and_succeeds_later(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay(card="pm_card_pendingRefund")

    pending = gateway.ensure_refund(payout_of(payment))

    assert (pending.status, pending.reason, pending.detail) == (PayoutStatus.PENDING, None, "processing")
    simulator.control(f"refunds/{pending.provider_ref}/settle")
    settled = gateway.look_at_refund(payout_of(payment))
    assert settled == PayoutOutcome(status=PayoutStatus.SUCCEEDED, provider_ref=pending.provider_ref)


@pytest.mark.parametrize(
    ("end", "status", "reason", "detail"),
    [
        ("fail", PayoutStatus.FAILED, StatusReason.PAYOUT_FAILED, "unknown"),
        ("cancel", PayoutStatus.CANCELED, StatusReason.PAYOUT_CANCELED, "merchant_request"),
    ],
    ids=["failed", "canceled"],
)
def test_refund_that_ends_unpaid_later_is_seen_and_never_sent_again_under_its_attempt(
    simulator: Simulator,
    gateway: StripeGateway,
    end: str,
    status: PayoutStatus,
    reason: StatusReason,
    detail: str,
) -> None:
    payment = simulator.pay()
    made = gateway.ensure_refund(payout_of(payment))
    simulator.control(f"refunds/{made.provider_ref}/{end}")

    looked = gateway.look_at_refund(payout_of(payment))
    ensured = gateway.ensure_refund(payout_of(payment))

    assert looked == ensured
    assert ensured == PayoutOutcome(status=status, provider_ref=made.provider_ref, reason=reason, detail=detail)
    assert simulator.live_refunds(payment) == []
    assert len(simulator.requests_to_refund()) == 1


def test_next_attempt_after_a_failed_one_makes_a_new_refund(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay()
    failed = gateway.ensure_refund(payout_of(payment))
    simulator.control(f"refunds/{failed.provider_ref}/fail")

    outcome = gateway.ensure_refund(payout_of(payment, attempt=2))

    assert outcome.status == PayoutStatus.SUCCEEDED
    assert [refund["id"] for refund in simulator.live_refunds(payment)] == [outcome.provider_ref]


def test_earlier_attempt_that_landed_after_all_stops_the_next_one(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment = simulator.pay()
    first = gateway.ensure_refund(payout_of(payment))

    outcome = gateway.ensure_refund(payout_of(payment, attempt=2))

    assert (outcome.status, outcome.reason) == (PayoutStatus.REFUSED, StatusReason.REFUNDED_OUTSIDE)
    assert first.provider_ref is not None
    assert first.provider_ref in outcome.detail
    assert len(simulator.requests_to_refund()) == 1


def test_looking_finds_nothing_where_nothing_was_made_and_never_sends(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment = simulator.pay()

    assert gateway.look_at_refund(payout_of(payment)) is None
    assert simulator.requests_to_refund() == []


# Faults


@pytest.mark.parametrize(
    ("kind", "times"),
    [
        # Where Stripe's client repeats the request once by itself, the repetition meets the fault as well.
        ("drop_before", 2),
        ("409", 2),
        ("429", 1),
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
    [("drop_after", 2), ("502_html_after", 2), ("truncate_after", 1), ("hang_after", 2), ("500_after", 1)],
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


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "409", "502_html_after"])
def test_single_fault_is_mended_within_one_call(simulator: Simulator, gateway: StripeGateway, kind: str) -> None:
    payment = simulator.pay()
    simulator.fault(kind)

    outcome = gateway.ensure_refund(payout_of(payment))

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
        ("hang_after", 2),
    ],
)
@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/refunds"], ids=["payment", "refunds"])
def test_nothing_is_sent_while_looking_fails(
    simulator: Simulator, gateway: StripeGateway, path: str, kind: str, times: int
) -> None:
    payment = simulator.pay()
    simulator.fault(kind, method="GET", path=path, times=times)

    with pytest.raises(TryAgain) as raised:
        gateway.ensure_refund(payout_of(payment))

    assert_tells_nothing_secret(raised.value)
    assert simulator.requests_to_refund() == []


def test_two_gateways_that_leap_at_once_make_one_refund(simulator: Simulator, proxy: Proxy) -> None:
    payment = simulator.pay()
    both_have_looked = threading.Barrier(2, timeout=10)
    for _ in range(2):
        proxy.on("POST", "/v1/refunds", act=both_have_looked.wait)

    def pay() -> PayoutOutcome:
        return repeat_until_settled(gateway_at(proxy.url, read_seconds_max=10), payout_of(payment))

    with ThreadPoolExecutor(2) as threads:
        first, second = [running.result() for running in [threads.submit(pay), threads.submit(pay)]]

    assert first == second
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


# Others interfere


@pytest.mark.parametrize("amount_minor", [2000, 1], ids=["full", "partial"])
def test_refund_made_outside_before_is_seen_and_nothing_is_sent(
    simulator: Simulator, gateway: StripeGateway, amount_minor: int
) -> None:
    payment = simulator.pay(2000)
    outside = simulator.refund(payment, amount_minor)

    outcome = gateway.ensure_refund(payout_of(payment))

    assert outcome == PayoutOutcome(
        status=PayoutStatus.REFUSED,
        reason=StatusReason.REFUNDED_OUTSIDE,
        detail=f"refunded_by: {outside}",
    )
    assert len(simulator.requests_to_refund()) == 1


@pytest.mark.parametrize("amount_minor", [2000, 1], ids=["full", "partial"])
def test_refund_made_outside_between_look_and_leap_is_found_by_looking_again(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway, amount_minor: int
) -> None:
    payment = simulator.pay(2000)
    proxy.on("POST", "/v1/refunds", act=lambda: simulator.refund(payment, amount_minor))

    outcome = proxied.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.reason) == (PayoutStatus.REFUSED, StatusReason.REFUNDED_OUTSIDE)
    assert sum(refund["amount"] for refund in simulator.live_refunds(payment)) == amount_minor


def test_own_refund_that_lands_between_look_and_leap_under_another_key_is_adopted(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway
) -> None:
    payment = simulator.pay(2000)
    landed: list[str] = []
    proxy.on(
        "POST",
        "/v1/refunds",
        act=lambda: landed.append(simulator.refund(payment, 2000, refund_id=REFUND_ID, attempt="1")),
    )

    outcome = proxied.ensure_refund(payout_of(payment))

    assert outcome == PayoutOutcome(status=PayoutStatus.SUCCEEDED, provider_ref=landed[0])


def test_charge_said_to_be_refunded_without_a_refund_to_be_seen_stays_unknown(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway
) -> None:
    payment = simulator.pay(2000)

    def refund_and_fail() -> None:
        outside = simulator.refund(payment, 2000)
        proxy.on("GET", "/v1/refunds", act=lambda: simulator.control(f"refunds/{outside}/fail"))

    proxy.on("POST", "/v1/refunds", act=refund_and_fail)
    outcome = proxied.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.reason) == (PayoutStatus.UNKNOWN, StatusReason.PAYOUT_UNKNOWN)
    assert outcome.detail == "charge_already_refunded"


@pytest.mark.parametrize("status", ["needs_response", "warning_needs_response"], ids=["chargeback", "inquiry"])
def test_disputed_payment_is_not_refunded(simulator: Simulator, gateway: StripeGateway, status: str) -> None:
    payment = simulator.pay()
    simulator.control(f"charges/{payment.charge}/dispute", status=status)

    outcome = gateway.ensure_refund(payout_of(payment))
    after_an_unclear_call = gateway.ensure_refund(payout_of(payment), maybe_sent=True)

    assert (outcome.status, outcome.reason) == (PayoutStatus.REFUSED, StatusReason.PAYOUT_DISPUTED)
    assert after_an_unclear_call.status == PayoutStatus.UNKNOWN
    assert after_an_unclear_call.reason == StatusReason.PAYOUT_DISPUTED
    assert simulator.requests_to_refund() == []


def test_chargeback_between_look_and_leap_is_refused_as_disputed(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway
) -> None:
    payment = simulator.pay()
    proxy.on("POST", "/v1/refunds", act=lambda: simulator.control(f"charges/{payment.charge}/dispute"))

    outcome = proxied.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.reason) == (PayoutStatus.REFUSED, StatusReason.PAYOUT_DISPUTED)
    assert outcome.detail == "charge_disputed"
    assert simulator.live_refunds(payment) == []


def test_dispute_after_success_is_told_with_the_refund(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay()
    made = gateway.ensure_refund(payout_of(payment))
    simulator.control(f"charges/{payment.charge}/dispute", status="needs_response")

    outcome = gateway.look_at_refund(payout_of(payment))

    assert outcome == PayoutOutcome(
        status=PayoutStatus.SUCCEEDED,
        provider_ref=made.provider_ref,
        reason=StatusReason.PAYOUT_DISPUTED,
        detail="dispute_open",
    )


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["needs_response"], Dispute.OPEN),
        (["warning_under_review"], Dispute.OPEN),
        (["prevented"], Dispute.OPEN),
        (["a_word_of_tomorrow"], Dispute.OPEN),
        (["won"], Dispute.NONE),
        (["warning_closed"], Dispute.NONE),
        (["warning_closed", "needs_response"], Dispute.OPEN),
        (["lost"], Dispute.LOST),
        (["won", "lost"], Dispute.LOST),
        ([], Dispute.OPEN),
    ],
    ids=lambda value: "+".join(value) or "none listed" if isinstance(value, list) else str(value),
)
def test_disputes_are_judged_by_the_worst_of_them(statuses: list[str], expected: Dispute) -> None:
    disputes = [DisputeAnswer(object="dispute", id="du_1", status=status) for status in statuses]

    assert judge_disputes(disputes) == expected


# Payments that may not be refunded


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


@pytest.mark.parametrize(
    ("rewrite", "detail"),
    [
        (lambda intent: {**intent, "livemode": True}, "livemode_differs"),
        (
            lambda intent: {
                **intent,
                "latest_charge": {**intent["latest_charge"], "payment_method_details": {"type": "klarna"}},
            },
            "not_a_card_payment",
        ),
    ],
    ids=["live mode", "not a card"],
)
def test_payment_of_another_kind_is_refused_unsent(
    simulator: Simulator,
    proxy: Proxy,
    proxied: StripeGateway,
    rewrite: Callable[[dict[str, Any]], dict[str, Any]],
    detail: str,
) -> None:
    payment = simulator.pay()
    proxy.on("GET", "/v1/payment_intents", rewrite=rewrite)

    outcome = proxied.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.detail) == (PayoutStatus.REFUSED, detail)
    assert simulator.requests_to_refund() == []


def test_payment_that_vanished_proves_nothing_about_a_refund_that_may_have_been_sent(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payout = payout_of(Payment("pi_of_another_account", "ch_1", 2000))

    outcomes = [gateway.ensure_refund(payout, maybe_sent=True), gateway.look_at_refund(payout)]

    expected = PayoutOutcome(
        status=PayoutStatus.UNKNOWN, reason=StatusReason.PAYOUT_UNKNOWN, detail="payment_missing"
    )
    assert outcomes == [expected, expected]


# Answers


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
        Reply(401, '{"error": {"type": "invalid_request_error", "message": "Invalid Key: sk_test_leaked"}}'),
        Reply(403, '{"error": {"type": "invalid_request_error", "message": "sk_test_leaked may not"}}'),
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
        "wrong key",
        "narrow key",
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


# Reading


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
        "dispute": Dispute.NONE,
    }


def test_payment_that_is_unknown_is_not_found(simulator: Simulator, gateway: StripeGateway) -> None:
    reference = CardPaymentRef(payment_intent="pi_unknown", amount_minor=1, currency="USD")

    assert not gateway.read_payment(reference, refund_id=REFUND_ID).found


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
    payment = simulator.pay()
    proxy.on("GET", "/v1/refunds", rewrite=lambda page: {**page, "data": [], "has_more": True})

    with pytest.raises(TryAgain):
        proxied.ensure_refund(payout_of(payment))

    assert simulator.requests_to_refund() == []


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


# Setting up


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
