"""Refunds at the Stripe simulator, spoken to by Stripe's own library."""

from typing import Any

import httpx2
import pytest
import stripe

from tests.devstack.simulator import Simulator, pay, refund, refused


def test_a_refund_without_amount_pays_back_what_is_left(client: Any) -> None:
    payment = pay(client)
    refund(client, payment, amount=500)

    rest = refund(client, payment, reason="requested_by_customer", metadata={"refund_id": "rf_1"})

    charge = client.v1.charges.retrieve(payment.latest_charge, {"expand": ["refunds"]})
    assert (rest.amount, rest.status, rest.reason) == (1500, "succeeded", "requested_by_customer")
    assert rest.metadata.to_dict() == {"refund_id": "rf_1"}
    assert "pending_reason" not in rest
    assert "failure_reason" not in rest
    assert (charge.amount_refunded, charge.refunded) == (2000, True)
    assert charge.refunds is not None
    assert charge.refunds.data[0].id == rest.id


def test_a_refund_may_name_the_charge_instead_of_the_payment(client: Any) -> None:
    payment = pay(client)

    made = client.v1.refunds.create({"charge": payment.latest_charge, "amount": 1, "expand": ["payment_intent"]})

    assert made.payment_intent.status == "succeeded"
    assert made.charge == payment.latest_charge


def test_nothing_more_can_be_refunded_after_a_full_refund(client: Any) -> None:
    payment = pay(client)
    refund(client, payment)

    error = refused(client, payment, amount=1)

    assert (error.http_status, error.code) == (400, "charge_already_refunded")


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        (2001, "Refund amount ($20.01) is greater than charge amount ($20.00)"),
        (1501, "Refund amount ($15.01) is greater than unrefunded amount on charge ($15.00)"),
    ],
    ids=["more-than-paid", "more-than-left"],
)
def test_more_than_is_left_is_refused_without_a_code(client: Any, amount: int, message: str) -> None:
    payment = pay(client)
    refund(client, payment, amount=500)

    error = refused(client, payment, amount=amount)

    assert (error.http_status, error.param, error.code) == (400, "amount", None)
    assert error.user_message == message
    assert refund(client, payment, amount=1500).status == "succeeded"


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": "1.5"}, "parameter_invalid_integer", "amount"),
        ({"reason": "because"}, None, "reason"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, None, "metadata"),
        ({"payment_intent": "pi_unknown"}, "resource_missing", "payment_intent"),
    ],
    ids=["unknown", "zero", "fraction", "reason", "long-key", "long-value", "51-keys", "no-such-payment"],
)
def test_a_refund_with_a_wrong_parameter_is_refused(
    client: Any, simulator: Simulator, params: Any, code: str | None, param: str
) -> None:
    error = refused(client, pay(client), **params)

    assert (error.code, error.param) == (code, param)
    assert error.error.request_log_url.endswith(error.request_id)
    assert simulator.state()["refunds"] == []


def test_metadata_is_merged_unset_and_cleared(client: Any) -> None:
    made = refund(client, pay(client), metadata={"a": "1", "b": "2"})

    merged = client.v1.refunds.update(made.id, {"metadata": {"b": "", "c": "3"}})

    assert merged.metadata.to_dict() == {"a": "1", "c": "3"}
    assert client.v1.refunds.retrieve(made.id).metadata.to_dict() == {"a": "1", "c": "3"}
    assert client.v1.refunds.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


def test_a_pending_refund_waits_until_it_is_settled(client: Any, simulator: Simulator) -> None:
    payment = pay(client, card="pm_card_pendingRefund")
    pending = refund(client, payment)
    assert (pending.status, pending.pending_reason) == ("pending", "processing")
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 2000

    simulator.post(f"refunds/{pending.id}/settle")

    settled = client.v1.refunds.retrieve(pending.id)
    assert settled.status == "succeeded"
    assert "pending_reason" not in settled


@pytest.mark.parametrize("action", ["fail", "cancel"])
def test_a_refund_that_ends_unpaid_gives_its_amount_back(client: Any, simulator: Simulator, action: str) -> None:
    payment = pay(client, card="pm_card_refundFail")
    first = refund(client, payment)
    assert first.status == "succeeded"

    simulator.post(f"refunds/{first.id}/{action}")

    ended = client.v1.refunds.retrieve(first.id)
    assert ended.status == {"fail": "failed", "cancel": "canceled"}[action]
    assert ended.failure_reason == {"fail": "unknown", "cancel": "merchant_request"}[action]
    assert ended.failure_balance_transaction is not None
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 0
    assert client.v1.charges.retrieve(payment.latest_charge).amount_refunded == 0
    assert refund(client, payment).id != first.id
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 2000


def test_the_control_plane_refuses_what_it_cannot_do(client: Any, simulator: Simulator) -> None:
    made = refund(client, pay(client))

    answers = [
        httpx2.post(f"{simulator.url}/_sim/refunds/{made.id}/settle"),
        httpx2.post(f"{simulator.url}/_sim/refunds/re_unknown/settle"),
        httpx2.post(f"{simulator.url}/_sim/refunds/{made.id}/fail", json={"failure_reason": "mood"}),
        httpx2.post(f"{simulator.url}/_sim/faults", json={"kind": "earthquake"}),
        httpx2.post(f"{simulator.url}/_sim/clock", json={"seconds": 1}),
        httpx2.post(f"{simulator.url}/_sim/clock", json={"advance_seconds": -1}),
    ]

    assert [answer.status_code for answer in answers] == [409, 404, 400, 400, 400, 400]


def test_lists_page_past_one_hundred_refunds_newest_first(client: Any) -> None:
    payment, other = pay(client), pay(client)
    refund(client, other, amount=1)
    made = [refund(client, payment, amount=n + 1).id for n in range(52)]
    made += [refund(client, payment, amount=1).id for _ in range(53)]

    first = client.v1.refunds.list({"payment_intent": payment.id, "limit": 100})
    second = client.v1.refunds.list(
        {"charge": payment.latest_charge, "limit": 100, "starting_after": first.data[-1].id}
    )
    newer = client.v1.refunds.list({"payment_intent": payment.id, "limit": 3, "ending_before": second.data[0].id})

    assert (len(first.data), first.has_more) == (100, True)
    assert (len(second.data), second.has_more) == (5, False)
    assert [one.id for one in (*first.data, *second.data)] == made[::-1]
    assert [one.id for one in newer.data] == [one.id for one in first.data[-3:]]
    assert [one.id for one in first.auto_paging_iter()] == made[::-1]
    assert len(client.v1.refunds.list().data) == 10


def test_a_list_that_is_too_long_or_names_what_does_not_exist_is_refused(
    client: Any,
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as too_many:
        client.v1.refunds.list({"limit": 101})
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        client.v1.refunds.list({"starting_after": "re_unknown"})
    with pytest.raises(stripe.InvalidRequestError) as no_payment:
        client.v1.refunds.list({"payment_intent": "pi_unknown"})

    assert too_many.value.param == "limit"
    assert unknown.value.param == "starting_after"
    assert (no_payment.value.code, no_payment.value.param) == ("resource_missing", "payment_intent")


def test_an_inquiry_leaves_the_charge_refundable_and_a_chargeback_does_not(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    assert client.v1.disputes.list({"payment_intent": payment.id}).data == []

    simulator.post(f"charges/{payment.latest_charge}/dispute", status="warning_needs_response")
    inquiry = client.v1.disputes.list({"payment_intent": payment.id}).data[0]
    assert client.v1.charges.retrieve(payment.latest_charge).disputed
    assert inquiry.is_charge_refundable
    assert refund(client, payment, amount=500).status == "succeeded"

    simulator.post(f"charges/{payment.latest_charge}/dispute", status="needs_response")
    chargeback = client.v1.disputes.list({"charge": payment.latest_charge}).data[0]
    error = refused(client, payment)
    assert (chargeback.id, chargeback.status) == (inquiry.id, "needs_response")
    assert not chargeback.is_charge_refundable
    assert (error.http_status, error.code) == (400, "charge_disputed")


def test_the_balance_is_what_was_charged_less_what_was_refunded(client: Any) -> None:
    refund(client, pay(client), amount=500)

    balance = client.v1.balance.retrieve()

    assert [(one.amount, one.currency) for one in balance.available] == [(1500, "usd")]
