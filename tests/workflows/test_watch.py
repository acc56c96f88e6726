"""Paid is no end of care: a refund that fails, is disputed or leaves its block afterwards is reopened."""

import pytest

from domain.decisions import ResolutionAction
from domain.errors import Conflict
from domain.payouts import PayoutOutcome
from domain.refunds import RefundStatus
from tests.fakes import CANCELED, DISPUTED, FAILED, SENDER, SUCCEEDED
from tests.workflows.arrows import walks
from tests.workflows.house import COIN, House

AWAITING_APPROVAL, CONFIRMING = RefundStatus.AWAITING_APPROVAL, RefundStatus.CONFIRMING
REFUNDED, NEEDS_ATTENTION = RefundStatus.REFUNDED, RefundStatus.NEEDS_ATTENTION
LOOK_AGAIN, RETRY = ResolutionAction.LOOK_AGAIN, ResolutionAction.RETRY


async def paid(house: House, rail: str = "card") -> str:
    """Bring a refund to its end, so that only the watch is left."""
    house.deposit(rail=rail)
    refund = await house.request(rail=rail)
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, REFUNDED)
    return refund


@walks((REFUNDED, NEEDS_ATTENTION), (NEEDS_ATTENTION, AWAITING_APPROVAL))
@pytest.mark.parametrize("outcome", [FAILED, CANCELED], ids=lambda it: it.status.value)
async def test_a_card_refund_that_fails_later_is_held_again_and_can_be_retried_once(
    house: House, outcome: PayoutOutcome
) -> None:
    refund = await paid(house)
    assert house.books() == {"refunded": 2000}

    house.card.change(f"refund/{refund}/1", outcome)
    await house.skip(hours=1.1)
    assert house.see(refund)["status_reason"] == outcome.reason
    assert house.books() == {"held": 2000}
    house.resolve(refund, RETRY)
    await house.bring(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, REFUNDED)

    assert house.card.moved() == [("pi_dep_1", 2000)]
    assert house.books() == {"refunded": 2000}


async def test_news_from_the_processor_are_looked_at_at_once(house: House) -> None:
    refund = await paid(house)

    house.card.change(f"refund/{refund}/1", FAILED)
    await house.bring(refund, NEEDS_ATTENTION)

    assert house.books() == {"held": 2000}


async def test_a_dispute_after_the_refund_brings_an_operator_and_cannot_be_paid_again(house: House) -> None:
    refund = await paid(house)
    house.card.change(f"refund/{refund}/1", DISPUTED)
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_disputed")
    with pytest.raises(Conflict):
        house.resolve(refund, RETRY)

    house.card.change(f"refund/{refund}/1", SUCCEEDED)
    house.resolve(refund, LOOK_AGAIN)
    await house.bring(refund, REFUNDED)

    assert house.card.posts == 1
    assert house.books() == {"refunded": 2000}


async def test_the_watch_over_a_card_refund_follows_its_schedule_and_ends_with_a_result(house: House) -> None:
    refund = await paid(house)

    looks_before = house.card.looks
    await house.skip(hours=1.1)
    looks_in_the_first_hour = house.card.looks - looks_before
    outcome = await house.result(refund)

    assert looks_in_the_first_hour == 1
    assert house.card.looks - looks_before == len(house.policy.handling.watch_card_hours)
    assert (outcome["status"], outcome["reason"]) == ("refunded", "paid")
    assert house.events(refund).count("watch.over") == 1
    assert house.books() == {"refunded": 2000}


async def test_a_dispute_on_day_60_wakes_a_refund_that_nobody_watches_any_more(house: House) -> None:
    refund = await paid(house)
    await house.result(refund)
    await house.skip(days=25)

    house.card.change(f"refund/{refund}/1", DISPUTED)
    await house.bring(refund, NEEDS_ATTENTION)

    assert house.see(refund)["status_reason"] == "payout_disputed"
    assert "payout_disputed" in house.findings()


async def test_a_dispute_on_day_60_that_a_refused_key_kept_from_us_is_found_by_a_new_watch(house: House) -> None:
    refund = await paid(house)
    await house.result(refund)
    await house.skip(days=25)
    house.card.change(f"refund/{refund}/1", DISPUTED)
    house.card.is_locked = True
    await house.wake(refund)
    await house.skip(hours=0.2)

    house.card.is_locked = False
    await house.skip(hours=1.1)

    assert house.see(refund)["status_reason"] == "payout_disputed"
    assert "payout_disputed" in house.findings()


async def test_a_start_that_comes_again_after_the_watch_ends_at_once_and_changes_nothing(house: House) -> None:
    refund = await paid(house)
    await house.result(refund)
    before = (house.see(refund), house.books())

    await house.wake(refund)
    outcome = await house.result(refund)

    assert outcome["status"] == "refunded"
    assert (house.see(refund), house.books()) == before


async def test_a_processor_that_does_not_show_the_refund_any_more_is_for_a_person_to_explain(house: House) -> None:
    refund = await paid(house)

    house.card.refunds.clear()
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_unknown")

    assert house.card.posts == 1
    with pytest.raises(Conflict):
        house.resolve(refund, RETRY)


async def test_the_watch_over_a_chain_payout_ends_when_it_is_buried(house: House) -> None:
    house.chain.mines_at_once = False
    house.deposit(rail="crypto")
    refund = await house.request(rail="crypto")
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.wake(refund)
    await house.settle()
    (tx_hash,) = house.chain.sent
    house.chain.mine(tx_hash, is_final=False, is_buried=False)
    await house.until(refund, CONFIRMING)
    house.chain.mine(tx_hash, is_buried=False)
    await house.until(refund, REFUNDED)
    await house.settle()
    assert "watch.over" not in house.events(refund)

    house.chain.mine(tx_hash)
    outcome = await house.result(refund)

    assert outcome["status"] == "refunded"
    assert house.events(refund).count("watch.over") == 1
    assert house.chain.moved() == [(SENDER, COIN)]


@walks((REFUNDED, NEEDS_ATTENTION), (NEEDS_ATTENTION, REFUNDED))
async def test_a_payout_that_leaves_its_final_block_is_held_again_sent_again_and_never_paid_twice(
    house: House,
) -> None:
    house.deposit(rail="crypto")
    house.chain.mines_at_once = False
    refund = await house.request(rail="crypto")
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.wake(refund)
    await house.settle()
    (tx_hash,) = house.chain.sent
    house.chain.mine(tx_hash, is_buried=False)
    await house.until(refund, REFUNDED)

    house.chain.reorg(tx_hash)
    await house.until(refund, NEEDS_ATTENTION, reason="payout_reorged")
    assert house.books() == {"held": 2000}
    with pytest.raises(Conflict):
        house.resolve(refund, RETRY)
    house.chain.mine(tx_hash)
    outcome = await house.result(refund)

    assert outcome["status"] == "refunded"
    assert house.chain.moved() == [(SENDER, COIN)]
    assert (house.chain.nonces(), house.books()) == ([0], {"refunded": 2000})
