"""A balance at the Stripe simulator that is too short for a refund."""

from typing import Any

import pytest

from tests.devstack.simulator import DAY_SECONDS, Simulator, pay, refund, refused


def available(client: Any) -> dict[str, int]:
    return {one.currency: one.amount for one in client.v1.balance.retrieve().available}


def status(client: Any, made: Any) -> str:
    return str(client.v1.refunds.retrieve(made.id).status)


def test_a_refund_that_is_not_covered_waits_until_the_balance_is_topped_up(client: Any, simulator: Simulator) -> None:
    first, second = pay(client), pay(client)
    simulator.post("balance", available_minor=1999)

    waiting = refund(client, first)
    covered = refund(client, second, amount=1999)

    assert (waiting.status, waiting.pending_reason) == ("pending", "insufficient_funds")
    assert waiting.balance_transaction is None
    assert covered.status == "succeeded"
    assert available(client) == {"usd": 0}
    simulator.post("balance", top_up_minor=1999)
    assert status(client, waiting) == "pending"
    simulator.post("balance", top_up_minor=1)
    assert status(client, waiting) == "succeeded"
    assert available(client) == {"usd": 0}


def test_a_new_payment_pays_for_the_oldest_refund_that_waits(client: Any, simulator: Simulator) -> None:
    payments = [pay(client), pay(client)]
    simulator.post("balance", available_minor=0)
    first, second = (refund(client, payment) for payment in payments)

    pay(client, amount=2500)

    assert (status(client, first), status(client, second)) == ("succeeded", "pending")
    assert available(client) == {"usd": 500}


def test_a_refund_of_a_pending_card_goes_on_pending_once_there_is_money(client: Any, simulator: Simulator) -> None:
    payment = pay(client, card="pm_card_pendingRefund")
    simulator.post("balance", available_minor=0)
    waiting = refund(client, payment)

    simulator.post("balance", top_up_minor=2000)

    assert client.v1.refunds.retrieve(waiting.id).pending_reason == "processing"


@pytest.mark.parametrize(("when_short", "code"), [("refused", None), ("refused_with_code", "balance_insufficient")])
def test_a_refund_that_is_not_covered_is_refused_and_the_key_remembers_it(
    client: Any, simulator: Simulator, when_short: str, code: str | None
) -> None:
    payment = pay(client)
    simulator.post("balance", available_minor=1999, when_short=when_short)

    error = refused(client, payment, "key")
    simulator.post("balance", top_up_minor=1)

    assert (error.http_status, error.code) == (400, code)
    assert error.user_message == "Insufficient funds in your Stripe balance to refund this amount."
    assert simulator.state()["refunds"] == []
    assert refused(client, payment, "key").headers["Idempotent-Replayed"] == "true"
    assert refund(client, payment, "other key").status == "succeeded"


def test_a_chargeback_can_leave_too_little_for_another_refund(client: Any, simulator: Simulator) -> None:
    disputed, other = pay(client), pay(client)
    refund(client, disputed)
    # Long enough for the refund to be through: the money is gone twice.
    simulator.post("clock", advance_seconds=DAY_SECONDS)
    simulator.post(f"charges/{disputed.latest_charge}/dispute", status="needs_response")
    assert available(client) == {"usd": 0}

    simulator.post("balance", when_short="pending")
    waiting = refund(client, other)

    assert waiting.pending_reason == "insufficient_funds"
    simulator.post("balance", when_short="covered")
    assert status(client, waiting) == "succeeded"
    assert available(client) == {"usd": -2000}
