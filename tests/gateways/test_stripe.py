"""One payment is paid back once, and seen to the end, on the real simulator."""

import pytest

from domain.payments import Dispute
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.refunds import StatusReason
from gateways.stripe.answers import DisputeAnswer, judge_disputes
from gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_cases import (
    REFUND_ID,
    decided,
    payout_of,
)
from tests.gateways.stripe_endpoints import Proxy, Simulator


def test_refund_is_made_in_full_with_the_key_and_metadata_of_its_attempt(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment = simulator.pay(2000)

    outcome = gateway.ensure_refund(payout_of(payment))

    (refund,) = simulator.live_refunds(payment)
    expected = PayoutOutcome(status=PayoutStatus.SUCCEEDED, provider_ref=refund["id"], saw_disputes=False)
    assert decided(outcome) == expected
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

    assert second == first.model_copy(update={"saw_disputes": True})
    assert len(simulator.requests_to_refund()) == 1


def test_pending_refund_tells_its_reason_and_succeeds_later(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay(card="pm_card_pendingRefund")

    pending = gateway.ensure_refund(payout_of(payment))

    assert (pending.status, pending.reason, pending.detail) == (PayoutStatus.PENDING, None, "processing")
    simulator.control(f"refunds/{pending.provider_ref}/settle")
    settled = gateway.look_at_refund(payout_of(payment))
    assert decided(settled) == PayoutOutcome(status=PayoutStatus.SUCCEEDED, provider_ref=pending.provider_ref)


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
    assert decided(ensured) == PayoutOutcome(
        status=status, provider_ref=made.provider_ref, reason=reason, detail=detail
    )
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

    assert decided(outcome) == PayoutOutcome(status=PayoutStatus.SUCCEEDED, provider_ref=landed[0])


def test_charge_said_to_be_refunded_without_a_refund_to_be_seen_stays_unknown(
    simulator: Simulator, proxy: Proxy, proxied: StripeGateway
) -> None:
    payment = simulator.pay(2000)

    def refund_and_fail() -> None:
        outside = simulator.refund(payment, 2000)
        proxy.on("GET", "/v1/payment_intents", act=lambda: simulator.control(f"refunds/{outside}/fail"))

    proxy.on("POST", "/v1/refunds", act=refund_and_fail)
    outcome = proxied.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.reason) == (PayoutStatus.UNKNOWN, StatusReason.PAYOUT_UNKNOWN)
    assert outcome.detail == "charge_already_refunded"


def test_several_live_refunds_of_one_attempt_are_for_a_person(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay(2000)
    made = [simulator.refund(payment, 1000, refund_id=REFUND_ID, attempt="1") for _ in range(2)]

    outcome = gateway.ensure_refund(payout_of(payment))

    assert (outcome.status, outcome.reason) == (PayoutStatus.UNKNOWN, StatusReason.PAYOUT_UNKNOWN)
    assert outcome.detail == f"several_refunds: {made[1]}, {made[0]}"


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
    # A chargeback that comes sooner makes the refund fail instead.
    simulator.control("clock", advance_seconds=300)
    simulator.control(f"charges/{payment.charge}/dispute", status="needs_response")

    outcome = gateway.look_at_refund(payout_of(payment))

    assert decided(outcome) == PayoutOutcome(
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
