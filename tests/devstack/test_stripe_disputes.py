"""Inquiries, chargebacks and early fraud warnings at the Stripe simulator, to their end."""

from typing import Any

import pytest
import stripe

from tests.devstack.simulator import Simulator, pay, refund, refused

OVERTAKEN = "charge_for_pending_refund_disputed"


def dispute(simulator: Simulator, payment: Any, **command: Any) -> Any:
    return simulator.post(f"charges/{payment.latest_charge}/dispute", **command)


def act(simulator: Simulator, opened: Any, *acts: str) -> Any:
    shown = opened
    for one in acts:
        shown = simulator.post(f"disputes/{opened['id']}/{one}")
    return shown


def available(client: Any) -> int:
    return int(client.v1.balance.retrieve().available[0].amount)


def types(client: Any, pattern: str = "charge.dispute.*") -> list[str]:
    return [event.type for event in client.v1.events.list({"type": pattern, "limit": 100}).data][::-1]


@pytest.mark.parametrize("acts", [["close"], ["review", "close"]], ids=["unanswered", "answered"])
def test_an_inquiry_that_is_closed_never_moved_money(client: Any, simulator: Simulator, acts: list[str]) -> None:
    payment = pay(client)
    opened = dispute(simulator, payment, status="warning_needs_response")

    closed = act(simulator, opened, *acts)

    updates = ["charge.dispute.updated"] * (len(acts) - 1)
    assert (closed["status"], closed["balance_transactions"]) == ("warning_closed", [])
    assert closed["is_charge_refundable"]
    assert types(client) == ["charge.dispute.created", *updates, "charge.dispute.closed"]
    assert available(client) == 2000
    assert refund(client, payment).status == "succeeded"


def test_an_inquiry_that_escalates_withdraws_the_money_and_stops_refunds(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    opened = dispute(simulator, payment, status="warning_needs_response")
    assert available(client) == 2000

    act(simulator, opened, "escalate")

    shown = client.v1.disputes.retrieve(opened["id"], {"expand": ["charge"]})
    update = client.v1.events.list({"type": "charge.dispute.updated"}).data[0]
    assert (shown.status, shown.is_charge_refundable, shown.charge.disputed) == ("needs_response", False, True)
    assert [movement.amount for movement in shown.balance_transactions] == [-2000]
    assert types(client)[1:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    assert update.data.previous_attributes.status == "warning_needs_response"
    assert update.data.previous_attributes.balance_transactions == []
    assert available(client) == 0
    assert refused(client, payment).code == "charge_disputed"


@pytest.mark.parametrize(
    ("acts", "status", "left", "last"),
    [
        (["review", "win"], "won", 2000, "charge.dispute.funds_reinstated"),
        (["review", "lose"], "lost", 0, "charge.dispute.closed"),
        (["lose"], "lost", 0, "charge.dispute.closed"),
    ],
    ids=["won", "lost", "not-answered"],
)
def test_a_chargeback_ends_won_or_lost(
    client: Any, simulator: Simulator, acts: list[str], status: str, left: int, last: str
) -> None:
    payment = pay(client)
    opened = dispute(simulator, payment, reason="product_not_received")

    act(simulator, opened, *acts)

    shown = client.v1.disputes.retrieve(opened["id"])
    closed = client.v1.events.list({"type": "charge.dispute.closed"}).data[0]
    assert (shown.status, shown.reason) == (status, "product_not_received")
    assert closed.data.object.status == status
    assert types(client)[:2] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert types(client)[-1] == last
    assert available(client) == left
    assert sum(movement.net for movement in shown.balance_transactions) == left - 2000
    assert client.v1.charges.retrieve(payment.latest_charge).disputed


def test_a_charge_can_be_refunded_after_its_dispute_was_won_and_not_after_it_was_lost(
    client: Any, simulator: Simulator
) -> None:
    won, lost = pay(client), pay(client)
    act(simulator, dispute(simulator, won), "review", "win")
    act(simulator, dispute(simulator, lost), "lose")

    assert refund(client, won).status == "succeeded"
    assert refused(client, lost).code == "charge_disputed"


def test_the_bank_may_take_more_than_was_charged(client: Any, simulator: Simulator) -> None:
    payment = pay(client)

    opened = dispute(simulator, payment, amount=2100)

    assert (opened["amount"], opened["balance_transactions"][0]["net"]) == (2100, -2100)
    assert available(client) == -100


@pytest.mark.parametrize(
    ("seconds", "card", "status", "left"),
    [
        (0, "pm_card_visa", "failed", 0),
        (298, "pm_card_visa", "failed", 0),
        (300, "pm_card_visa", "succeeded", -2000),
        (900, "pm_card_pendingRefund", "failed", 0),
    ],
    ids=["at-once", "almost-five-minutes", "five-minutes", "still-pending"],
)
def test_a_chargeback_overtakes_a_refund_that_is_not_through(
    client: Any, simulator: Simulator, seconds: int, card: str, status: str, left: int
) -> None:
    payment = pay(client, card=card)
    made = refund(client, payment)
    simulator.post("clock", advance_seconds=seconds)

    dispute(simulator, payment)

    after = client.v1.refunds.retrieve(made.id)
    assert after.status == status
    assert getattr(after, "failure_reason", None) == (OVERTAKEN if status == "failed" else None)
    assert types(client, "refund.failed") == (["refund.failed"] if status == "failed" else [])
    # The customer has the money twice where the refund stayed.
    assert available(client) == left


def test_an_escalation_overtakes_a_refund_and_an_inquiry_does_not(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    made = refund(client, payment)
    opened = dispute(simulator, payment, status="warning_needs_response")
    assert client.v1.refunds.retrieve(made.id).status == "succeeded"

    act(simulator, opened, "escalate")

    assert client.v1.refunds.retrieve(made.id).failure_reason == OVERTAKEN


@pytest.mark.parametrize(
    ("status", "acts", "last"),
    [
        ("needs_response", [], "win"),
        ("needs_response", [], "close"),
        ("needs_response", [], "escalate"),
        ("warning_needs_response", [], "lose"),
        ("warning_needs_response", ["close"], "escalate"),
        ("needs_response", ["lose"], "lose"),
        ("needs_response", ["review", "win"], "lose"),
    ],
)
def test_a_dispute_goes_no_way_that_stripe_does_not_have(
    client: Any, simulator: Simulator, status: str, acts: list[str], last: str
) -> None:
    opened = dispute(simulator, pay(client), status=status)
    act(simulator, opened, *acts)
    before = types(client)

    code, answer = simulator.try_post(f"disputes/{opened['id']}/{last}")

    assert code == 409
    assert opened["id"] in answer["error"]
    assert types(client) == before


def test_opening_again_changes_nothing_until_the_dispute_is_closed(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    first = dispute(simulator, payment, status="warning_needs_response")

    assert dispute(simulator, payment, status="warning_needs_response") == first
    act(simulator, first, "close")
    second = dispute(simulator, payment)

    assert second["id"] != first["id"]
    assert len(client.v1.disputes.list({"charge": payment.latest_charge}).data) == 2


def test_disputes_are_found_by_charge_by_payment_and_by_id(client: Any, simulator: Simulator) -> None:
    payment, other = pay(client), pay(client)
    opened = dispute(simulator, payment)
    dispute(simulator, other)

    by_charge = client.v1.disputes.list({"charge": payment.latest_charge})
    by_payment = client.v1.disputes.list({"payment_intent": payment.id})
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.disputes.retrieve("du_unknown")

    assert [one.id for one in by_charge.data] == [one.id for one in by_payment.data] == [opened["id"]]
    assert client.v1.disputes.retrieve(opened["id"]).to_dict() == opened
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")


def test_a_warning_is_found_by_charge_and_by_payment_and_is_an_event(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    pay(client)

    opened = simulator.post(
        f"charges/{payment.latest_charge}/early_fraud_warning", fraud_type="made_with_stolen_card"
    )

    warnings = client.v1.radar.early_fraud_warnings
    (event,) = client.v1.events.list({"type": "radar.early_fraud_warning.created"}).data
    assert [it.id for it in warnings.list({"charge": payment.latest_charge}).data] == [opened["id"]]
    assert [it.id for it in warnings.list({"payment_intent": payment.id}).data] == [opened["id"]]
    assert warnings.retrieve(opened["id"], {"expand": ["charge"]}).charge.payment_intent == payment.id
    assert event.data.object.to_dict() == opened
    assert (opened["actionable"], opened["fraud_type"]) == (True, "made_with_stolen_card")
    assert not client.v1.charges.retrieve(payment.latest_charge).disputed
    assert simulator.state()["early_fraud_warnings"] == [opened]


def test_a_warning_is_actionable_until_a_full_refund_or_a_dispute(client: Any, simulator: Simulator) -> None:
    refunded, disputed = pay(client), pay(client)
    first, second = (
        simulator.post(f"charges/{it.latest_charge}/early_fraud_warning")["id"] for it in (refunded, disputed)
    )
    warnings = client.v1.radar.early_fraud_warnings

    refund(client, refunded, amount=1999)
    assert warnings.retrieve(first).actionable
    last = refund(client, refunded)
    dispute(simulator, disputed, status="warning_needs_response")

    updates = client.v1.events.list({"type": "radar.early_fraud_warning.updated"}).data
    assert [warnings.retrieve(it).actionable for it in (first, second)] == [False, False]
    assert [update.data.object.id for update in updates] == [second, first]
    assert updates[0].data.previous_attributes.to_dict() == {"actionable": True}
    simulator.post(f"refunds/{last.id}/fail")
    assert warnings.retrieve(first).actionable
