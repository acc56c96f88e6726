"""What becomes of a refund at the Stripe simulator: every status, references, reversals, the dashboard, time."""

from typing import Any

import httpx2
import pytest
import stripe

from tests.devstack.simulator import Simulator, pay, refund, refused

KONBINI = "pm_simulated_konbini"
SLOW = "pm_simulated_usBankAccountProcessing"


def read(client: Any, made: Any) -> Any:
    return client.v1.refunds.retrieve(made.id)


def refuses(simulator: Simulator, path: str, **command: object) -> int:
    return httpx2.post(f"{simulator.url}/_sim/{path}", json=command).status_code


def test_a_refund_gets_its_reference_some_days_after_it_was_sent(client: Any, simulator: Simulator) -> None:
    made = refund(client, pay(client))
    before = made.destination_details.card
    assert (before.type, before.reference_status, "reference" in before) == ("refund", "pending", False)

    simulator.post(f"refunds/{made.id}/arn")

    card = read(client, made).destination_details.card
    assert (card.type, card.reference_status) == ("refund", "available")
    assert card.reference_type == "acquirer_reference_number"
    assert card.reference.isdigit()
    assert len(card.reference) == 23
    simulator.post(f"refunds/{made.id}/arn", reference_status="unavailable")
    assert "reference" not in read(client, made).destination_details.card


def test_a_reversal_never_gets_a_reference(client: Any, simulator: Simulator) -> None:
    simulator.post("refund_timing", reversal_window_seconds=3600)
    soon, late = refund(client, pay(client)), pay(client)
    simulator.post("clock", advance_seconds=3600)

    too_late = refund(client, late)

    assert soon.destination_details.to_dict() == {"card": {"type": "reversal"}, "type": "card"}
    assert too_late.destination_details.card.type == "refund"
    assert refuses(simulator, f"refunds/{soon.id}/arn") == 409
    assert simulator.post(f"refunds/{too_late.id}/reversal")["destination_details"]["card"] == {"type": "reversal"}


def test_a_pending_refund_shows_its_destination_as_pending(client: Any, simulator: Simulator) -> None:
    made = refund(client, pay(client, card="pm_card_pendingRefund"))

    assert made.destination_details.card.to_dict() == {"type": "pending"}
    assert refuses(simulator, f"refunds/{made.id}/arn") == 409


def test_a_refund_that_waits_for_the_customer_can_be_canceled_by_the_api(client: Any, simulator: Simulator) -> None:
    payment = pay(client, card=KONBINI)
    first = refund(client, payment, instructions_email="customer@example.com")
    assert (first.status, first.charge[:3], first.id[:4]) == ("requires_action", "py_", "pyr_")
    assert first.next_action.display_details.email_sent.email_sent_to == "customer@example.com"

    canceled = client.v1.refunds.cancel(first.id)

    assert (canceled.status, canceled.failure_reason) == ("canceled", "merchant_request")
    assert canceled.failure_balance_transaction is not None
    second = refund(client, payment)
    simulator.post(f"refunds/{second.id}/settle")
    assert read(client, second).status == "succeeded"


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_pendingRefund"])
def test_a_refund_to_a_card_cannot_be_canceled_by_the_api(client: Any, card: str) -> None:
    made = refund(client, pay(client, card=card))

    with pytest.raises(stripe.InvalidRequestError, match="requires_action") as caught:
        client.v1.refunds.cancel(made.id)

    assert caught.value.http_status == 400
    assert read(client, made).status == made.status


@pytest.mark.parametrize(
    ("succeeds", "refund_status", "payment_status"),
    [(True, "succeeded", "succeeded"), (False, "failed", "requires_payment_method")],
    ids=["arrives", "fails"],
)
def test_a_refund_of_a_payment_under_way_waits_for_it(
    client: Any, simulator: Simulator, succeeds: bool, refund_status: str, payment_status: str
) -> None:
    payment = pay(client, card=SLOW)
    assert (payment.status, payment.amount_received) == ("processing", 0)
    made = refund(client, payment)
    assert (made.status, made.pending_reason) == ("pending", "charge_pending")

    simulator.post(f"payment_intents/{payment.id}/process", succeeds=succeeds)

    assert read(client, made).status == refund_status
    assert "pending_reason" not in read(client, made)
    assert client.v1.payment_intents.retrieve(payment.id).status == payment_status


def test_the_next_refunds_begin_as_planned_and_later_ones_by_their_card(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    simulator.post("next_refunds", status="failed", failure_reason="declined")
    simulator.post("next_refunds", status="a_word_of_tomorrow", times=1)

    made = [refund(client, payment, amount=amount) for amount in (2000, 500, 500)]

    assert [one.status for one in made] == ["failed", "a_word_of_tomorrow", "succeeded"]
    assert made[0].failure_reason == "declined"
    assert ["failure_reason" in one for one in made] == [True, False, False]
    assert simulator.state()["next_refunds"] == []


def test_a_refund_can_be_given_any_status(client: Any, simulator: Simulator) -> None:
    made = refund(client, pay(client))

    simulator.post(f"refunds/{made.id}/status", status="pending", pending_reason="processing")
    assert read(client, made).pending_reason == "processing"
    simulator.post(f"refunds/{made.id}/status", status="a_word_of_tomorrow")

    assert read(client, made).status == "a_word_of_tomorrow"
    assert "pending_reason" not in read(client, made)
    assert refuses(simulator, f"refunds/{made.id}/status", status="Not a word") == 400


def test_a_refund_in_the_dashboard_is_no_call_of_the_api(client: Any, simulator: Simulator) -> None:
    payment = pay(client)

    part = simulator.post(f"payment_intents/{payment.id}/refund", amount_minor=500, metadata={"refund_id": "rf_x"})
    whole = simulator.post(f"payment_intents/{payment.id}/refund", reason="duplicate")

    assert (part["amount"], part["metadata"], whole["amount"]) == (500, {"refund_id": "rf_x"}, 1500)
    assert simulator.state()["journal"] == []
    assert refused(client, payment).code == "charge_already_refunded"
    assert refuses(simulator, f"payment_intents/{payment.id}/refund") == 400


def test_metadata_edited_in_the_dashboard_is_what_the_api_shows(client: Any, simulator: Simulator) -> None:
    made = refund(client, pay(client), metadata={"refund_id": "rf_1", "attempt": "1"})

    simulator.post(f"refunds/{made.id}/metadata", metadata={"refund_id": "rf_2", "attempt": ""})

    assert read(client, made).metadata.to_dict() == {"refund_id": "rf_2"}


@pytest.mark.parametrize(
    ("card", "begins", "ends"),
    [("pm_card_pendingRefund", "pending", "succeeded"), ("pm_card_refundFail", "succeeded", "failed")],
)
def test_time_moves_the_refunds_of_test_cards_if_it_is_asked_to(
    client: Any, simulator: Simulator, card: str, begins: str, ends: str
) -> None:
    made, other = refund(client, pay(client, card=card)), refund(client, pay(client))
    simulator.post("clock", advance_seconds=1000)
    assert read(client, made).status == begins

    simulator.post("refund_timing", moves_after_seconds=2000)
    assert read(client, made).status == begins
    simulator.post("clock", advance_seconds=1000)

    assert read(client, made).status == ends
    assert read(client, other).status == "succeeded"
