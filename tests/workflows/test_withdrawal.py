"""A customer who changes their mind: in every state in which nothing was paid, and never afterwards."""

import pytest
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateStage

from domain.errors import AlreadyDecided, WrongState
from domain.refunds import WITHDRAWABLE, RefundStatus
from tests.fakes import PENDING
from tests.workflows.arrows import walks
from tests.workflows.house import House

CHECKING, AWAITING_OWNERSHIP = RefundStatus.CHECKING, RefundStatus.AWAITING_OWNERSHIP
AWAITING_ORDERS, AWAITING_APPROVAL = RefundStatus.AWAITING_ORDERS, RefundStatus.AWAITING_APPROVAL
CONFIRMING, REFUNDED, WITHDRAWN = RefundStatus.CONFIRMING, RefundStatus.REFUNDED, RefundStatus.WITHDRAWN
REJECTED, ACCEPTED = RefundStatus.REJECTED, WorkflowUpdateStage.ACCEPTED


async def standing_in(house: House, status: RefundStatus) -> str:
    """Bring a refund to one of the states in which it can be withdrawn."""
    house.deposit()
    if status == AWAITING_ORDERS:
        house.order("ord_1", "pending")
    house.card.is_away = status == CHECKING
    by_mail = {"channel": "email", "payment_proof": "pi_dep_1"} if status == AWAITING_OWNERSHIP else {}
    refund = await house.request(**by_mail)
    await house.until(refund, status)
    await house.settle()
    return refund


@walks(
    (CHECKING, AWAITING_ORDERS),
    (AWAITING_ORDERS, WITHDRAWN),
)
async def test_a_withdrawal_while_an_order_is_pending_ends_the_refund(house: House) -> None:
    refund = await standing_in(house, AWAITING_ORDERS)

    house.withdraw(refund)
    await house.bring(refund, WITHDRAWN)

    assert house.books() == {"held": 50, "spendable": 1950}


@walks((AWAITING_OWNERSHIP, WITHDRAWN))
async def test_a_withdrawal_while_ownership_is_unproved_ends_the_refund(house: House) -> None:
    refund = await standing_in(house, AWAITING_OWNERSHIP)

    house.withdraw(refund)
    await house.bring(refund, WITHDRAWN)

    assert house.books() == {"spendable": 2000}


@walks((AWAITING_APPROVAL, WITHDRAWN))
async def test_a_withdrawal_before_approval_releases_the_hold_and_is_confirmed_to_the_customer(house: House) -> None:
    refund = await standing_in(house, AWAITING_APPROVAL)

    house.withdraw(refund)
    seen = await house.bring(refund, WITHDRAWN)

    assert house.books() == {"spendable": 2000}
    assert [message["kind"] for message in seen["messages"]] == ["withdrawn/customer_withdrew"]
    assert house.card.posts == 0


@walks((CHECKING, WITHDRAWN))
async def test_a_withdrawal_while_the_processor_is_away_counts_as_soon_as_the_check_goes_on(house: House) -> None:
    refund = await standing_in(house, CHECKING)

    house.withdraw(refund)
    seen = await house.bring(refund, WITHDRAWN)

    assert seen["status_reason"] == "customer_withdrew"


@pytest.mark.parametrize("status", sorted(WITHDRAWABLE))
async def test_an_update_brings_a_withdrawal_and_answers_with_the_end(house: House, status: RefundStatus) -> None:
    refund = await standing_in(house, status)

    house.withdraw(refund)
    house.card.is_away = False
    update = await house.handle(refund).start_update("withdraw", wait_for_stage=ACCEPTED)
    await house.until(refund, WITHDRAWN)

    assert (await update.result())["status"] == "withdrawn"


@pytest.mark.parametrize("status", sorted(WITHDRAWABLE))
async def test_a_withdrawal_with_nothing_behind_it_changes_nothing(house: House, status: RefundStatus) -> None:
    refund = await standing_in(house, status)

    update = await house.handle(refund).start_update("withdraw", wait_for_stage=ACCEPTED)
    house.card.is_away = False
    if status == CHECKING:
        await house.until(refund, AWAITING_APPROVAL)
    outcome = await update.result()

    assert outcome["status"] == (AWAITING_APPROVAL if status == CHECKING else status)
    assert house.events(refund).count("signal.without_record") == 1


async def test_a_withdrawal_that_is_recorded_before_an_approval_keeps_it_out(house: House) -> None:
    refund = await standing_in(house, AWAITING_APPROVAL)

    house.withdraw(refund)
    with pytest.raises(AlreadyDecided):
        house.approve(refund)
    await house.bring(refund, WITHDRAWN)

    assert house.card.posts == 0


async def test_a_withdrawal_after_the_approval_and_before_paying_still_counts(house: House) -> None:
    refund = await standing_in(house, AWAITING_APPROVAL)

    house.approve(refund)
    house.withdraw(refund)
    await house.bring(refund, WITHDRAWN)

    assert house.card.posts == 0
    assert house.books() == {"spendable": 2000}


async def test_a_withdrawal_while_the_last_check_cannot_reach_the_processor_still_counts(house: House) -> None:
    refund = await standing_in(house, AWAITING_APPROVAL)
    house.card.is_away = True
    house.approve(refund)
    await house.wake(refund)
    await house.settle()

    house.withdraw(refund)
    house.card.is_away = False
    await house.bring(refund, WITHDRAWN)

    assert house.card.posts == 0


@pytest.mark.parametrize("status", [CHECKING, AWAITING_APPROVAL])
async def test_a_withdrawal_counts_though_the_processor_is_away_for_half_an_hour(
    house: House, status: RefundStatus
) -> None:
    refund = await standing_in(house, status)
    house.card.is_away = True
    if status == AWAITING_APPROVAL:
        house.approve(refund)
        await house.wake(refund)
        await house.settle()

    house.withdraw(refund)
    await house.skip(minutes=31)

    if status == AWAITING_APPROVAL:  # what is held is given back only by facts that show it did not leave otherwise
        assert house.see(refund)["status_reason"] == "facts_unavailable"
        house.card.is_away = False
        await house.skip(minutes=16)
    assert house.see(refund)["status"] == WITHDRAWN
    assert (house.card.posts, house.books()) == (0, {"spendable": 2000})


async def test_a_withdrawal_after_paying_began_is_refused_by_record_and_by_update(house: House) -> None:
    refund = await standing_in(house, AWAITING_APPROVAL)
    house.card.status_of_new = PENDING
    house.approve(refund)
    await house.bring(refund, CONFIRMING)

    with pytest.raises(WrongState):
        house.withdraw(refund)
    with pytest.raises(WorkflowUpdateFailedError) as refusal:
        await house.handle(refund).execute_update("withdraw", {})

    assert getattr(refusal.value.cause, "type", None) == "WrongState"
    assert house.card.moved() == [("pi_dep_1", 2000)]


async def test_a_withdrawal_after_a_recorded_rejection_is_refused(house: House) -> None:
    refund = await standing_in(house, AWAITING_APPROVAL)

    house.reject(refund)
    with pytest.raises(AlreadyDecided):
        house.withdraw(refund)
    await house.bring(refund, REJECTED)

    assert house.books() == {"spendable": 2000}


async def test_a_new_ticket_may_ask_again_after_a_withdrawal(house: House) -> None:
    first = await standing_in(house, AWAITING_APPROVAL)
    house.withdraw(first)
    await house.bring(first, WITHDRAWN)

    second = await house.request("2")
    await house.until(second, AWAITING_APPROVAL)
    house.approve(second)
    await house.bring(second, REFUNDED)

    assert house.card.moved() == [("pi_dep_1", 2000)]
    assert house.see(first)["status"] == WITHDRAWN
