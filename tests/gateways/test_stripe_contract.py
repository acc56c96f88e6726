"""What we rely on of Stripe, asked of our simulator and, where `STRIPE_TEST_KEY` holds a key, of Stripe's test mode.

`STRIPE_TEST_KEY=sk_test_… pytest -n 0 -m stripe_test_mode tests/gateways/test_stripe_contract.py`
"""

import pytest
import stripe

from domain.payments import CardPaymentRef, Dispute
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.refunds import StatusReason
from tests.gateways.stripe_endpoints import Payment, Simulator
from tests.gateways.stripe_worlds import AMOUNT_MINOR, KEY_VARIABLE, World, in_test_mode, key_of_test_mode, simulated

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(params=["simulator", pytest.param("test mode", marks=pytest.mark.stripe_test_mode)])
def world(request: pytest.FixtureRequest) -> World:
    """Where the same is asked. Test mode is chosen before anything is started for it."""
    if request.param == "test mode":
        return in_test_mode()
    simulator: Simulator = request.getfixturevalue("simulator")
    return simulated(simulator)


def read(world: World, payment: Payment) -> Dispute:
    reference = CardPaymentRef(payment_intent=payment.intent, amount_minor=AMOUNT_MINOR, currency="USD")
    return world.gateway.read_payment(reference, refund_id=world.refund_id).dispute


def look(world: World, payment: Payment) -> PayoutOutcome:
    seen = world.gateway.look_at_refund(world.payout(payment))
    assert seen is not None
    return seen


class TestRefunds:
    """Made once, found again, and watched."""

    def test_it_is_made_once_in_full_and_found_again_by_its_metadata(self, world: World) -> None:
        payment = world.pay()

        first = world.gateway.ensure_refund(world.payout(payment))
        second = world.gateway.ensure_refund(world.payout(payment))

        assert first.status == second.status == PayoutStatus.SUCCEEDED
        (made,) = world.refunds(payment)
        assert (made.id, made.amount, made.currency) == (first.provider_ref, AMOUNT_MINOR, "usd")
        assert (made.metadata["refund_id"], made.metadata["attempt"]) == (world.refund_id, "1")
        assert made.reason == "requested_by_customer"

    def test_a_key_answers_again_and_takes_no_other_request(self, world: World) -> None:
        payment = world.pay()
        first = world.refund(payment, 500, "key")

        again = world.refund(payment, 500, "key")
        with pytest.raises(stripe.IdempotencyError) as refused:
            world.refund(payment, 501, "key")

        assert again.id == first.id
        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        assert refused.value.error is not None
        assert refused.value.error.type == "idempotency_error"
        assert len(world.refunds(payment)) == 1

    def test_it_is_pending_first_and_succeeds_by_itself(self, world: World) -> None:
        payment = world.pay("pm_card_pendingRefund")
        made = world.gateway.ensure_refund(world.payout(payment))
        assert made.status == PayoutStatus.PENDING

        seen = world.until(lambda: look(world, payment), lambda it: it.status != PayoutStatus.PENDING)

        assert (seen.status, seen.provider_ref) == (PayoutStatus.SUCCEEDED, made.provider_ref)

    def test_it_succeeds_first_and_fails_later_and_is_not_sent_again(self, world: World) -> None:
        payment = world.pay("pm_card_refundFail")
        made = world.gateway.ensure_refund(world.payout(payment))
        assert made.status == PayoutStatus.SUCCEEDED

        seen = world.until(lambda: look(world, payment), lambda it: it.status != PayoutStatus.SUCCEEDED)
        again = world.gateway.ensure_refund(world.payout(payment))

        assert seen.status == again.status == PayoutStatus.FAILED
        assert seen.reason == again.reason == StatusReason.PAYOUT_FAILED
        assert seen.detail != ""
        assert len(world.refunds(payment)) == 1

    def test_the_reasons_are_absent_where_they_do_not_apply(self, world: World) -> None:
        made = world.refund(world.pay(), AMOUNT_MINOR)

        assert made.status == "succeeded"
        assert getattr(made, "failure_reason", None) is None
        assert getattr(made, "pending_reason", None) is None

    def test_it_tells_how_it_reaches_the_card(self, world: World) -> None:
        made = world.refund(world.pay(), AMOUNT_MINOR)

        assert made.destination_details.type == "card"
        assert made.destination_details.card.type in ("pending", "refund", "reversal")


class TestRefusals:
    """What Stripe refuses, by the codes that our table of errors knows."""

    def test_what_was_refunded_outside_is_refused_and_said_to_be(self, world: World) -> None:
        payment = world.pay()
        world.refund(payment, AMOUNT_MINOR)

        with pytest.raises(stripe.InvalidRequestError) as refused:
            world.refund(payment, AMOUNT_MINOR)
        seen = world.gateway.ensure_refund(world.payout(payment))

        assert refused.value.code == "charge_already_refunded"
        assert (seen.status, seen.reason) == (PayoutStatus.REFUSED, StatusReason.REFUNDED_OUTSIDE)
        assert len(world.refunds(payment)) == 1

    def test_more_than_is_left_is_refused(self, world: World) -> None:
        payment = world.pay()
        world.refund(payment, 500)

        with pytest.raises(stripe.InvalidRequestError) as refused:
            world.refund(payment, AMOUNT_MINOR)

        assert refused.value.http_status == 400
        assert refused.value.param == "amount" or refused.value.code == "amount_too_large"

    def test_what_does_not_exist_is_missing(self, world: World) -> None:
        unknown = Payment("pi_3AAAAAAAAAAAAAAA0AAAAAAA", "ch_3AAAAAAAAAAAAAAA0AAAAAAA", AMOUNT_MINOR)

        assert world.gateway.resolve_payment_intent(unknown.intent) is None
        assert world.gateway.resolve_payment_intent(unknown.charge) is None
        assert world.gateway.ensure_refund(world.payout(unknown)).detail == "payment_missing"

    def test_a_wrong_key_is_refused_as_such(self, world: World) -> None:
        stranger = stripe.StripeClient("sk_wrong_0123456789", base_addresses={"api": world.url})

        with pytest.raises(stripe.AuthenticationError):
            stranger.v1.refunds.list({"limit": 1})


class TestDisputes:
    """Test cards that are disputed as soon as they paid."""

    def test_a_chargeback_is_seen_and_nothing_is_sent(self, world: World) -> None:
        payment = world.pay("pm_card_createDispute")
        world.until(lambda: read(world, payment), lambda it: it == Dispute.OPEN)

        seen = world.gateway.ensure_refund(world.payout(payment))
        with pytest.raises(stripe.InvalidRequestError) as refused:
            world.refund(payment, AMOUNT_MINOR)

        assert (seen.status, seen.reason) == (PayoutStatus.REFUSED, StatusReason.PAYOUT_DISPUTED)
        assert refused.value.code in ("charge_disputed", "refund_disputed_payment")
        assert world.refunds(payment) == []

    def test_an_inquiry_is_seen_and_nothing_is_sent_though_stripe_would_take_it(self, world: World) -> None:
        payment = world.pay("pm_card_createDisputeInquiry")
        world.until(lambda: read(world, payment), lambda it: it == Dispute.OPEN)

        seen = world.gateway.ensure_refund(world.payout(payment))
        (dispute,) = world.client.v1.disputes.list({"payment_intent": payment.intent}).data

        assert (seen.status, seen.reason) == (PayoutStatus.REFUSED, StatusReason.PAYOUT_DISPUTED)
        assert (dispute.status, dispute.is_charge_refundable) == ("warning_needs_response", True)
        assert world.refunds(payment) == []
        assert world.refund(payment, AMOUNT_MINOR).status in ("succeeded", "pending")


class TestEvents:
    """What happened is told once more, in the API version that we read."""

    def test_a_refund_is_an_event_with_the_refund_as_it_was(self, world: World) -> None:
        payment = world.pay()
        made = world.refund(payment, AMOUNT_MINOR)

        def told() -> list[stripe.Event]:
            page = world.client.v1.events.list({"types": ["refund.created"], "limit": 100})
            return [it for it in page.data if it.data.object["id"] == made.id]

        (event,) = world.until(told, lambda events: len(events) == 1)

        assert event.type == "refund.created"
        assert event.livemode is False
        assert event.data.object["object"] == "refund"
        assert event.data.object["payment_intent"] == payment.intent


@pytest.mark.parametrize("key", ["sk_live_0123456789", "rk_live_0123456789", "pk_test_0123456789"])
def test_no_other_key_than_one_of_test_mode_is_ever_tested_with(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)

    with pytest.raises(pytest.fail.Exception) as refused:
        key_of_test_mode()

    assert key not in str(refused.value)


def test_without_a_key_test_mode_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)

    with pytest.raises(pytest.skip.Exception):
        in_test_mode()
