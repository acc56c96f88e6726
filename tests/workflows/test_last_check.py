"""Between approval and paying everything is checked again: what changed meanwhile decides."""

import pytest
from sqlalchemy import delete, update

from domain.eligibility import AccountStatus
from domain.payments import Dispute, Settlement
from domain.refunds import RefundStatus
from ledger.billing import AccountRecord
from ledger.tables import Client, RailStop
from tests.fakes import SENDER
from tests.workflows.arrows import walks
from tests.workflows.house import COIN, House

AWAITING_APPROVAL, INELIGIBLE = RefundStatus.AWAITING_APPROVAL, RefundStatus.INELIGIBLE
REFUNDED, NEEDS_ATTENTION = RefundStatus.REFUNDED, RefundStatus.NEEDS_ATTENTION


async def waiting(house: House, rail: str = "card") -> str:
    """Bring a refund before the approvers."""
    house.deposit(rail=rail)
    refund = await house.request(rail=rail)
    await house.until(refund, AWAITING_APPROVAL)
    return refund


@walks((AWAITING_APPROVAL, INELIGIBLE))
async def test_a_payment_whose_amount_is_another_after_the_approval_pays_nothing_and_releases_the_hold(
    house: House,
) -> None:
    refund = await waiting(house)
    house.card.payments["pi_dep_1"] = house.card.payments["pi_dep_1"].model_copy(update={"amount_minor": 1999})

    house.approve(refund)
    await house.bring(refund, INELIGIBLE)

    assert house.card.posts == 0
    assert house.books() == {"spendable": 2000}


@walks((AWAITING_APPROVAL, NEEDS_ATTENTION))
async def test_a_payment_that_was_refunded_outside_after_the_approval_stays_held_for_an_operator(
    house: House,
) -> None:
    refund = await waiting(house)
    house.card.payments["pi_dep_1"] = house.card.payments["pi_dep_1"].model_copy(update={"refunded_minor": 2000})

    house.approve(refund)
    await house.bring(refund, NEEDS_ATTENTION, reason="refunded_outside")

    assert house.card.posts == 0
    assert house.books() == {"held": 2000}


async def test_a_payment_that_is_disputed_after_the_approval_stays_held_and_is_paid_if_the_dispute_is_won(
    house: House,
) -> None:
    refund = await waiting(house)
    clean = house.card.payments["pi_dep_1"]
    house.card.payments["pi_dep_1"] = clean.model_copy(update={"dispute": Dispute.OPEN})
    house.approve(refund)
    await house.bring(refund, AWAITING_APPROVAL, reason="payout_disputed")
    assert (house.card.posts, house.books()) == (0, {"held": 2000})

    house.card.payments["pi_dep_1"] = clean
    await house.skip(minutes=16)

    assert house.see(refund)["status"] == REFUNDED
    assert house.card.moved() == [("pi_dep_1", 2000)]


async def test_a_payment_whose_dispute_is_lost_after_the_approval_is_charged_back_and_not_paid(house: House) -> None:
    refund = await waiting(house)
    lost = house.card.payments["pi_dep_1"].model_copy(update={"dispute": Dispute.LOST})
    house.card.payments["pi_dep_1"] = lost

    house.approve(refund)
    await house.bring(refund, INELIGIBLE)

    assert house.card.posts == 0
    assert house.books() == {"charged_back": 2000}


@walks((AWAITING_APPROVAL, INELIGIBLE))
async def test_goods_that_were_delivered_from_the_hold_make_the_deposit_used(house: House) -> None:
    refund = await waiting(house)
    house.order("ord_1", "charged", delivered=True)

    house.approve(refund)
    seen = await house.bring(refund, INELIGIBLE)

    assert seen["status_reason"] == "unused_failed"
    assert house.card.posts == 0
    assert house.books() == {"spendable": 1950, "used": 50}


async def test_an_account_suspended_after_the_approval_pays_nothing(house: House) -> None:
    refund = await waiting(house)
    suspended = AccountRecord(id="acct_1", username="user1", status=AccountStatus.SUSPENDED)
    house.feed.put_account(suspended, actor="billing")

    house.approve(refund)
    await house.bring(refund, INELIGIBLE)

    assert house.card.posts == 0


@walks((AWAITING_APPROVAL, AWAITING_APPROVAL))
async def test_an_approval_of_something_else_than_would_be_paid_now_has_to_be_given_anew(house: House) -> None:
    refund = await waiting(house, "crypto")
    (tx_hash, plain), *_ = house.chain.deposits.items()
    house.chain.deposits[tx_hash] = plain.model_copy(update={"review": ("sender_is_contract",)})

    house.approve(refund)
    await house.bring(refund, AWAITING_APPROVAL, reason="digest_changed")
    await house.settle()
    assert house.chain.moved() == []
    house.approve(refund, "bob", acknowledge=("sender_is_contract",))
    await house.bring(refund, REFUNDED)

    assert house.chain.moved() == [(SENDER, COIN)]


async def test_an_approval_stands_when_the_facts_come_back_to_what_was_approved(house: House) -> None:
    refund = await waiting(house, "crypto")
    (tx_hash, plain), *_ = house.chain.deposits.items()
    house.chain.deposits[tx_hash] = plain.model_copy(update={"review": ("sender_is_contract",)})
    house.approve(refund)
    await house.bring(refund, AWAITING_APPROVAL, reason="digest_changed")

    house.chain.deposits[tx_hash] = plain
    house.approve(refund, "bob", acknowledge=("sender_is_contract",))
    await house.bring(refund, REFUNDED)

    assert house.chain.moved() == [(SENDER, COIN)]


async def test_a_deposit_that_is_not_final_any_more_waits_approved_until_it_is(house: House) -> None:
    refund = await waiting(house, "crypto")
    (tx_hash, final), *_ = house.chain.deposits.items()
    house.chain.deposits[tx_hash] = final.model_copy(update={"settlement": Settlement.PENDING})
    house.approve(refund)
    await house.bring(refund, AWAITING_APPROVAL, reason="payment_unsettled")

    house.chain.deposits[tx_hash] = final
    await house.skip(minutes=16)
    await house.until(refund, REFUNDED)

    assert house.chain.moved() == [(SENDER, COIN)]


async def test_a_stopped_rail_holds_back_what_is_approved_until_it_is_started(house: House) -> None:
    refund = await waiting(house)
    with house.database.write() as session:
        session.add(RailStop(rail="card", operator="ann", reason="strange", stopped_at=house.now))
    house.approve(refund)
    await house.bring(refund, AWAITING_APPROVAL, reason="rail_stopped")
    await house.skip(hours=6)
    posts_while_stopped = house.card.posts

    with house.database.write() as session:
        session.execute(delete(RailStop))
    await house.skip(minutes=16)

    assert posts_while_stopped == 0
    assert house.see(refund)["status"] == REFUNDED


async def test_an_approver_who_lost_the_right_does_not_count_and_somebody_else_can_approve(house: House) -> None:
    refund = await waiting(house)
    house.approve(refund, "ann")
    with house.database.write() as session:
        session.execute(update(Client).where(Client.name == "ann").values(is_active=False))
    await house.wake(refund)
    await house.settle()
    assert (house.see(refund)["status"], house.card.posts) == (AWAITING_APPROVAL, 0)

    house.approve(refund, "bob")
    await house.bring(refund, REFUNDED)

    assert house.card.posts == 1


@pytest.mark.parametrize("trouble", ["is_away", "refuses_its_key"], ids=["away", "a key that may not read"])
async def test_facts_that_stay_away_keep_the_approval_tell_an_operator_and_are_tried_again(
    house: House, trouble: str
) -> None:
    refund = await waiting(house)
    setattr(house.card, trouble, True)
    house.approve(refund)
    await house.wake(refund)
    await house.skip(hours=3)
    seen = house.see(refund)
    assert (seen["status"], seen["status_reason"]) == (AWAITING_APPROVAL, "facts_unavailable")
    assert seen["waiting_for"] == "operator"
    assert house.findings() == ["facts_unavailable"]
    assert len(await house.history(refund)) < 400

    setattr(house.card, trouble, False)
    await house.skip(minutes=46)

    assert house.see(refund)["status"] == REFUNDED
    assert house.card.posts == 1
