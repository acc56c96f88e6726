"""Payments at the Stripe simulator: confirmed, captured, canceled, declined, disputed at once, and listed."""

from typing import Any

import pytest
import stripe

from tests.devstack.simulator import Simulator, pay, refund, refused


def test_a_payment_is_confirmed_later(client: Any) -> None:
    made = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    assert made.status == "requires_payment_method"

    paid = client.v1.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa"})

    assert (paid.id, paid.status, paid.amount_received) == (made.id, "succeeded", 2000)
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.payment_intents.confirm(made.id)
    assert (again.value.http_status, again.value.code) == (400, "payment_intent_unexpected_state")


def test_a_held_payment_is_captured_in_part_and_refundable_up_to_that(client: Any) -> None:
    payment = pay(client, capture_method="manual")
    with pytest.raises(stripe.InvalidRequestError, match="greater than the amount capturable"):
        client.v1.payment_intents.capture(payment.id, {"amount_to_capture": 2001})

    captured = client.v1.payment_intents.capture(payment.id, {"amount_to_capture": 1500})

    charge = client.v1.charges.retrieve(payment.latest_charge)
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 1500, 0)
    assert (charge.captured, charge.amount, charge.amount_captured) == (True, 2000, 1500)
    assert refused(client, payment, amount=1501).param == "amount"
    assert refund(client, payment).amount == 1500
    with pytest.raises(
        stripe.InvalidRequestError, match="could not be captured because it has a status of succeeded"
    ):
        client.v1.payment_intents.capture(payment.id)


def test_a_held_payment_is_canceled_without_a_refund(client: Any, simulator: Simulator) -> None:
    payment = pay(client, capture_method="manual")

    canceled = client.v1.payment_intents.cancel(payment.id, {"cancellation_reason": "abandoned"})

    charge = client.v1.charges.retrieve(payment.latest_charge)
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert canceled.canceled_at is not None
    assert (charge.captured, charge.refunded, charge.amount_refunded) == (False, True, 2000)
    assert simulator.state()["refunds"] == []
    assert refused(client, payment).code == "charge_not_refundable"
    with pytest.raises(stripe.InvalidRequestError, match="canceled because it has a status of succeeded"):
        client.v1.payment_intents.cancel(pay(client).id)


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
def test_a_declined_card_leaves_a_failed_charge_that_nobody_can_refund(
    client: Any, card: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.create(
            {"amount": 2000, "currency": "usd", "payment_method": card, "confirm": True}, {"idempotency_key": "pay"}
        )

    error: Any = caught.value.error
    payment = client.v1.payment_intents.retrieve(error.payment_intent.id, {"expand": ["latest_charge"]})
    assert (caught.value.http_status, caught.value.code, error.decline_code) == (402, code, decline_code)
    assert (payment.status, payment.latest_charge.status) == ("requires_payment_method", "failed")
    assert (payment.latest_charge.paid, payment.latest_charge.failure_code) == (False, code)
    assert payment.last_payment_error.code == code
    assert refused(client, payment).code == "charge_not_refundable"
    assert client.v1.balance.retrieve().available[0].amount == 0
    paid = client.v1.payment_intents.confirm(payment.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert refund(client, paid).status == "succeeded"


@pytest.mark.parametrize(
    ("card", "status"),
    [("pm_card_createDispute", "needs_response"), ("pm_card_createDisputeInquiry", "warning_needs_response")],
)
def test_a_card_that_is_disputed_at_once(client: Any, card: str, status: str) -> None:
    payment = pay(client, card=card)

    dispute = client.v1.disputes.list({"payment_intent": payment.id}).data[0]

    assert dispute.status == status
    assert client.v1.charges.retrieve(payment.latest_charge).disputed
    if status == "needs_response":
        assert refused(client, payment).code == "charge_disputed"
    else:
        assert refund(client, payment).status == "succeeded"


def test_a_payment_by_other_means_than_a_card_is_told_by_its_charge(client: Any) -> None:
    payment = pay(client, card="pm_usBankAccount_success")

    charge = client.v1.charges.retrieve(payment.latest_charge)

    assert (payment.payment_method_types, charge.id[:3]) == (["us_bank_account"], "py_")
    assert charge.payment_method_details.type == "us_bank_account"
    assert refund(client, payment).destination_details.type == "us_bank_transfer"
    with pytest.raises(stripe.InvalidRequestError, match="not allowed for this PaymentIntent"):
        pay(client, card="pm_usBankAccount_success", payment_method_types=["card"])


@pytest.mark.parametrize("kind", ["payment_intents", "charges"])
def test_payments_and_charges_are_listed_newest_first_in_both_directions(client: Any, kind: str) -> None:
    payments = [pay(client) for _ in range(5)]
    made = [one.id if kind == "payment_intents" else one.latest_charge for one in payments][::-1]
    lists = getattr(client.v1, kind)

    first = lists.list({"limit": 2})
    older = lists.list({"limit": 2, "starting_after": made[1]})
    newer = lists.list({"limit": 2, "ending_before": made[3]})

    assert ([one.id for one in first.data], first.has_more) == (made[:2], True)
    assert ([one.id for one in older.data], older.has_more) == (made[2:4], True)
    assert ([one.id for one in newer.data], newer.has_more) == (made[1:3], True)
    with pytest.raises(stripe.InvalidRequestError) as both:
        lists.list({"starting_after": made[0], "ending_before": made[1]})
    assert both.value.http_status == 400


def test_lists_filter_by_payment_and_time_and_refuse_other_filters(client: Any, simulator: Simulator) -> None:
    old = pay(client)
    simulator.post("clock", advance_seconds=100)
    young = pay(client)
    made = [refund(client, payment, amount=5) for payment in (old, young)]
    border = young.created

    assert [one.id for one in client.v1.charges.list({"payment_intent": old.id}).data] == [old.latest_charge]
    assert [one.id for one in client.v1.payment_intents.list({"created": {"lt": border}}).data] == [old.id]
    assert [one.id for one in client.v1.payment_intents.list({"created": {"gte": border}}).data] == [young.id]
    assert [one.id for one in client.v1.refunds.list({"charge": old.latest_charge}).data] == [made[0].id]
    for call in (
        lambda: client.v1.payment_intents.list({"payment_intent": old.id}),
        lambda: client.v1.refunds.list({"customer": "cus_1"}),
        lambda: client.v1.charges.list({"charge": old.latest_charge}),
    ):
        with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
            call()


def test_objects_are_expanded_four_levels_deep_and_no_deeper(client: Any) -> None:
    made = refund(client, pay(client), expand=["payment_intent.latest_charge.refunds"])

    assert made.payment_intent.latest_charge.refunds.data[0].id == made.id
    for path in ("colour", "payment_intent.latest_charge.payment_intent.latest_charge.refunds"):
        with pytest.raises(stripe.InvalidRequestError, match="expand"):
            client.v1.refunds.retrieve(made.id, {"expand": [path]})


def types_of_events(client: Any) -> list[str]:
    return [event.type for event in client.v1.events.list({"limit": 100}).data][::-1]


def test_a_declined_payment_and_one_under_way_write_their_events(client: Any, simulator: Simulator) -> None:
    with pytest.raises(stripe.CardError):
        pay(client, card="pm_card_chargeDeclined")
    declined = types_of_events(client)

    simulator.post("reset")
    payment = pay(client, card="pm_simulated_usBankAccountProcessing")
    simulator.post(f"payment_intents/{payment.id}/process")

    assert declined == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    assert types_of_events(client) == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
