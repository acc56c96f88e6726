"""From a request to the approvers: whose deposit it is, whether it may be refunded, and the waits in between."""

import pytest

from domain.payments import Settlement
from domain.refunds import RefundStatus
from tests.workflows.arrows import walks
from tests.workflows.house import House

CHECKING, AWAITING_OWNERSHIP = RefundStatus.CHECKING, RefundStatus.AWAITING_OWNERSHIP
AWAITING_ORDERS, AWAITING_APPROVAL = RefundStatus.AWAITING_ORDERS, RefundStatus.AWAITING_APPROVAL
NEEDS_ATTENTION, REFUNDED = RefundStatus.NEEDS_ATTENTION, RefundStatus.REFUNDED
INELIGIBLE, REJECTED, EXPIRED = RefundStatus.INELIGIBLE, RefundStatus.REJECTED, RefundStatus.EXPIRED
DUPLICATE, WITHDRAWN = RefundStatus.DUPLICATE, RefundStatus.WITHDRAWN


@walks((CHECKING, AWAITING_OWNERSHIP), (AWAITING_OWNERSHIP, CHECKING), (CHECKING, AWAITING_APPROVAL))
async def test_a_mail_is_asked_for_proof_then_confirmed_by_one_person_and_approved_by_another(house: House) -> None:
    house.deposit()
    refund = await house.request(channel="email")
    seen = await house.until(refund, AWAITING_OWNERSHIP)
    assert (seen["waiting_for"], house.books()) == ("payment_proof", {"spendable": 2000})
    assert [message["kind"] for message in seen["messages"]] == ["awaiting_ownership/proof_missing"]

    await house.request(channel="email", payment_proof="pi_dep_1")
    await house.until(refund, AWAITING_OWNERSHIP, reason="ownership_unproved")
    house.confirm(refund, "bob")
    await house.bring(refund, AWAITING_APPROVAL)
    house.approve(refund, "ann")
    await house.bring(refund, REFUNDED)

    assert house.card.moved() == [("pi_dep_1", 2000)]
    assert house.books() == {"refunded": 2000}


@walks((AWAITING_OWNERSHIP, REJECTED))
async def test_a_denied_ownership_ends_the_refund_and_holds_nothing(house: House) -> None:
    house.deposit()
    refund = await house.request(channel="email", payment_proof="pi_dep_1")
    await house.until(refund, AWAITING_OWNERSHIP)

    house.confirm(refund, action="deny")
    seen = await house.bring(refund, REJECTED)

    assert seen["status_reason"] == "ownership_denied"
    assert house.books() == {"spendable": 2000}
    assert (await house.result(refund))["status"] == "rejected"


@walks((AWAITING_OWNERSHIP, EXPIRED))
async def test_a_customer_who_never_answers_has_fourteen_days(house: House) -> None:
    house.deposit()
    refund = await house.request(channel="email")
    await house.until(refund, AWAITING_OWNERSHIP)

    await house.skip(days=13.9)
    status_on_the_last_day = house.see(refund)["status"]
    await house.skip(days=0.2)

    assert status_on_the_last_day == AWAITING_OWNERSHIP
    assert house.see(refund)["status_reason"] == "customer_did_not_answer"


@walks((AWAITING_OWNERSHIP, CHECKING))
async def test_a_confirmation_that_no_signal_told_of_wins_over_the_end_of_the_wait(house: House) -> None:
    house.deposit()
    refund = await house.request(channel="email", payment_proof="pi_dep_1")
    await house.until(refund, AWAITING_OWNERSHIP)

    house.confirm(refund)
    await house.skip(days=14.1)

    assert house.see(refund)["status"] == AWAITING_APPROVAL


async def test_several_deposits_that_could_be_meant_wait_for_an_operator_who_names_one(house: House) -> None:
    house.deposit("dep_1")
    house.deposit("dep_2")
    refund = await house.request()
    await house.until(refund, AWAITING_OWNERSHIP, reason="deposit_ambiguous")

    house.confirm(refund, deposit_id="dep_2")
    await house.bring(refund, AWAITING_APPROVAL)

    assert house.see(refund)["deposit_id"] == "dep_2"
    assert house.books() == {"held": 2000, "spendable": 2000}


@walks((CHECKING, AWAITING_ORDERS), (AWAITING_ORDERS, CHECKING))
async def test_a_pending_order_that_is_cancelled_lets_the_refund_go_to_approval(house: House) -> None:
    house.deposit()
    house.order("ord_1", "pending")
    refund = await house.request()
    seen = await house.until(refund, AWAITING_ORDERS)
    assert (seen["status_reason"], seen["waiting_for"]) == ("orders_pending", "orders")

    house.order("ord_1", "cancelled")
    await house.bring(refund, AWAITING_APPROVAL)

    assert house.books() == {"held": 2000}


@walks((AWAITING_ORDERS, INELIGIBLE))
async def test_a_pending_order_that_is_charged_makes_the_deposit_used(house: House) -> None:
    house.deposit()
    house.order("ord_1", "pending")
    refund = await house.request()
    await house.until(refund, AWAITING_ORDERS)

    house.order("ord_1", "charged")
    seen = await house.bring(refund, INELIGIBLE)

    assert seen["status_reason"] == "unused_failed"
    assert house.books() == {"spendable": 1950, "used": 50}


@pytest.mark.parametrize("settled", ["cancelled", "charged"])
async def test_an_order_that_settles_is_found_by_the_timer_when_nobody_tells(house: House, settled: str) -> None:
    house.deposit()
    house.order("ord_1", "pending")
    refund = await house.request()
    await house.until(refund, AWAITING_ORDERS)

    house.order("ord_1", settled)
    await house.skip(minutes=16)

    assert house.see(refund)["status"] == (AWAITING_APPROVAL if settled == "cancelled" else INELIGIBLE)


@walks((AWAITING_ORDERS, EXPIRED))
async def test_an_order_that_stays_pending_ends_the_wait_after_fourteen_days(house: House) -> None:
    house.deposit()
    house.order("ord_1", "pending")
    refund = await house.request()
    await house.until(refund, AWAITING_ORDERS)

    await house.skip(days=14.1)

    assert house.see(refund)["status"] == EXPIRED
    assert house.books() == {"held": 50, "spendable": 1950}


@walks((AWAITING_ORDERS, WITHDRAWN))
async def test_a_withdrawal_that_no_signal_told_of_is_found_though_the_processor_is_away(house: House) -> None:
    house.deposit()
    house.order("ord_1", "pending")
    refund = await house.request()
    await house.until(refund, AWAITING_ORDERS)
    house.card.is_away = True

    house.withdraw(refund)
    await house.skip(minutes=16)

    assert house.see(refund)["status"] == WITHDRAWN


async def test_news_without_end_do_not_slow_the_timer_of_a_wait_for_orders(house: House) -> None:
    house.deposit()
    house.order("ord_1", "pending")
    refund = await house.request()
    await house.until(refund, AWAITING_ORDERS)
    for _ in range(12):
        await house.wake(refund)
        await house.settle()

    house.order("ord_1", "cancelled")
    await house.skip(minutes=16)

    assert house.see(refund)["status"] == AWAITING_APPROVAL


async def test_a_payment_that_is_not_final_yet_is_waited_for(house: House) -> None:
    house.deposit(rail="crypto")
    (tx_hash, final), *_ = house.chain.deposits.items()
    house.chain.deposits[tx_hash] = final.model_copy(update={"settlement": Settlement.PENDING})
    refund = await house.request(rail="crypto")
    await house.until(refund, AWAITING_ORDERS, reason="payment_unsettled")

    house.chain.deposits[tx_hash] = final
    await house.skip(minutes=16)

    assert house.see(refund)["status"] == AWAITING_APPROVAL


@walks((CHECKING, INELIGIBLE))
async def test_a_deposit_older_than_the_promise_is_refused_with_its_reasons(house: House) -> None:
    house.deposit(days_ago=15)

    refund = await house.request()
    seen = await house.until(refund, INELIGIBLE)

    assert seen["status_reason"] == "window_failed"
    assert "14 days" in seen["messages"][0]["text"]


async def test_a_customer_who_reads_chinese_is_told_the_reason_in_chinese_and_the_operator_in_english(
    house: House,
) -> None:
    house.deposit(days_ago=15)

    seen = await house.until(await house.request(locale="zh-CN"), INELIGIBLE)
    await house.settle()

    window = next(rule for rule in seen["verdict"]["rules"] if rule["rule"] == "window")
    (told,) = house.see(seen["id"])["messages"]
    assert "14 days" in window["reason"]
    assert window["reasons"]["zh-Hans"] in told["text"]
    assert "14 days" not in told["text"]
    assert house.books() == {"spendable": 2000}


@walks((CHECKING, DUPLICATE))
async def test_a_second_ticket_for_the_same_deposit_is_told_which_refund_is_running(house: House) -> None:
    house.deposit()
    first = await house.request("1")
    await house.until(first, AWAITING_APPROVAL)

    second = await house.request("2")
    seen = await house.until(second, DUPLICATE)

    assert seen["duplicate_of"] == first
    assert first in seen["messages"][0]["text"]
    assert house.books() == {"held": 2000}


@walks((CHECKING, REJECTED))
async def test_a_charge_that_belongs_to_no_deposit_of_the_account_is_rejected(house: House) -> None:
    house.deposit()

    refund = await house.request(payment_proof="ch_of_somebody_else")
    seen = await house.until(refund, REJECTED)

    assert seen["status_reason"] == "proof_matches_nothing"


async def test_a_charge_names_the_payment_that_the_processor_says_it_belongs_to(house: House) -> None:
    house.deposit("dep_1")
    house.deposit("dep_2")

    refund = await house.request(payment_proof="ch_dep_2")
    seen = await house.until(refund, AWAITING_APPROVAL)

    assert seen["deposit_id"] == "dep_2"


@walks((CHECKING, NEEDS_ATTENTION))
async def test_facts_that_stay_away_for_half_an_hour_bring_an_operator(house: House) -> None:
    house.deposit()
    house.card.is_away = True
    refund = await house.request()

    await house.skip(minutes=31)

    seen = house.see(refund)
    assert (seen["status"], seen["status_reason"]) == (NEEDS_ATTENTION, "facts_unavailable")
    assert house.findings() == ["facts_unavailable"]
    assert house.books() == {"spendable": 2000}
