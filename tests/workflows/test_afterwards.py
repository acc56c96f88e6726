"""What a run does about a card's bank: it looks while an operator has the case, and tells of time that runs out."""

import pytest

from domain.decisions import ResolutionAction
from domain.disputes import DisputeStage, FraudWarning
from domain.errors import Conflict
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, workflow_id
from tests.fakes import DISPUTED, FAILED, PENDING, SUCCEEDED, contested
from tests.workflows.house import House, make_policy
from tests.workflows.lives import go_on_to_the_money, stand_in

AWAITING_OWNERSHIP, AWAITING_APPROVAL = RefundStatus.AWAITING_OWNERSHIP, RefundStatus.AWAITING_APPROVAL
CONFIRMING = RefundStatus.CONFIRMING
REFUNDED, NEEDS_ATTENTION = RefundStatus.REFUNDED, RefundStatus.NEEDS_ATTENTION
WARNING = FraudWarning(warning_id="issfr_1", fraud_type="misc", is_actionable=True)
MARKS = ["deadline_half", "deadline_three_quarters", "deadline_nine_tenths"]


def marks(house: House) -> list[str]:
    return [kind for kind in house.findings() if kind in MARKS]


@pytest.mark.parametrize("is_told", [True, False], ids=["by an event", "by looking"])
async def test_the_end_of_a_dispute_is_seen_while_an_operator_has_the_case(house: House, is_told: bool) -> None:
    refund = await stand_in(house, REFUNDED, "card")
    key = f"refund/{refund}/1"
    house.card.change(key, contested(DisputeStage.INQUIRY))
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_disputed")
    house.card.change(key, contested(DisputeStage.CHARGEBACK))
    await (house.wake(refund) if is_told else house.skip(days=1.1))
    await house.settle()
    assert house.findings().count("payout_disputed") == 2

    house.card.change(key, contested(DisputeStage.WON))
    await (house.wake(refund) if is_told else house.skip(days=1.1))
    await house.until(refund, REFUNDED)

    assert house.books() == {"refunded": 2000}
    assert house.card.posts == 1


async def test_a_refund_that_fails_while_its_dispute_is_open_is_held_again_at_once(house: House) -> None:
    refund = await stand_in(house, REFUNDED, "card")
    house.card.change(f"refund/{refund}/1", DISPUTED)
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_disputed")

    house.card.change(f"refund/{refund}/1", FAILED)
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_failed")

    assert house.books() == {"held": 2000}


async def test_a_lost_dispute_is_closed_by_an_act_and_the_refund_stays_watched(house: House) -> None:
    refund = await stand_in(house, REFUNDED, "card")
    key = f"refund/{refund}/1"
    house.card.change(key, contested(DisputeStage.LOST))
    await house.bring(refund, NEEDS_ATTENTION, reason="dispute_lost")
    with pytest.raises(Conflict):
        house.resolve(refund, ResolutionAction.RETRY)

    house.resolve(refund, ResolutionAction.ACCEPT_LOSS)
    await house.bring(refund, REFUNDED, reason="loss_accepted")
    assert house.books() == {"charged_back": 2000}
    house.card.change(key, FAILED)
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_failed")

    assert house.books() == {"charged_back": 2000}
    assert house.trail_is_whole()


async def test_a_chargeback_of_what_was_paid_outside_reopens_the_case(house: House) -> None:
    refund = await stand_in(house, REFUNDED, "card")
    house.card.change(f"refund/{refund}/1", FAILED)
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_failed")
    house.resolve(refund, ResolutionAction.PAID_OUTSIDE, evidence="bank transfer 77")
    await house.bring(refund, REFUNDED, reason="paid_outside")
    await house.result(refund)

    unseen = {"status": PayoutStatus.UNKNOWN}
    house.card.refunds[f"refund/{refund}/2"] = contested(DisputeStage.CHARGEBACK).model_copy(update=unseen)
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_disputed")
    house.card.refunds[f"refund/{refund}/2"] = contested(DisputeStage.LOST).model_copy(update=unseen)
    await house.bring(refund, NEEDS_ATTENTION, reason="dispute_lost")
    house.resolve(refund, ResolutionAction.ACCEPT_LOSS)
    await house.bring(refund, REFUNDED, reason="loss_accepted")

    assert house.books() == {"charged_back": 2000}


async def test_an_inquiry_into_a_pending_refund_brings_an_operator_and_lets_it_go_on(house: House) -> None:
    refund = await stand_in(house, CONFIRMING, "card")
    key = f"refund/{refund}/1"
    inquiry = contested(DisputeStage.INQUIRY).model_copy(update={"status": PENDING.status})
    house.card.change(key, inquiry)
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_disputed")

    closed = contested(DisputeStage.CLOSED).model_copy(update={"status": PENDING.status})
    house.card.change(key, closed)
    await house.bring(refund, CONFIRMING)
    house.card.change(key, SUCCEEDED)
    await house.bring(refund, REFUNDED)

    assert house.books() == {"refunded": 2000}


# --- warnings of fraud


@pytest.mark.parametrize("may_read", [True, False], ids=["readable", "not for this key"])
async def test_a_warning_before_approval_marks_the_refund_and_it_is_paid_all_the_same(
    house: House, may_read: bool
) -> None:
    refund = await stand_in(house, AWAITING_APPROVAL, "card")
    house.card.warnings, house.card.may_read_warnings = (WARNING,), may_read

    await house.wake(refund)
    await house.settle()
    seen = house.see(refund)
    await go_on_to_the_money(house, refund)

    assert [it["warning_id"] for it in seen["fraud_warnings"]] == (["issfr_1"] if may_read else [])
    assert seen["status"] == AWAITING_APPROVAL
    assert ("fraud_warning" in house.findings()) == may_read
    assert house.books() == {"refunded": 2000}


async def test_an_approval_without_trouble_asks_nothing_more_of_the_processor(house: House) -> None:
    await stand_in(house, REFUNDED, "card")

    assert house.card.warning_reads == 0


async def test_a_warning_after_the_refund_is_shown_by_the_watch_and_reopens_nothing(house: House) -> None:
    refund = await stand_in(house, REFUNDED, "card")
    house.card.warnings = (WARNING,)

    await house.skip(hours=1.1)

    assert house.see(refund)["status"] == REFUNDED
    assert [it["warning_id"] for it in house.see(refund)["fraud_warnings"]] == ["issfr_1"]


# --- the time to pay


@pytest.mark.parametrize("policy", [make_policy(customer_wait_days=60)], ids=["patient"])
@pytest.mark.parametrize("status", [AWAITING_OWNERSHIP, AWAITING_APPROVAL, CONFIRMING, NEEDS_ATTENTION], ids=str)
async def test_an_unpaid_refund_is_escalated_three_times_wherever_it_stands(
    house: House, status: RefundStatus
) -> None:
    refund = await stand_in(house, status, "card")

    told = []
    for days in (6.9, 0.2, 3.3, 0.3, 1.8, 0.3, 5):
        await house.skip(days=days)
        told.append(marks(house))

    assert told == [[], MARKS[:1], MARKS[:1], MARKS[:2], MARKS[:2], MARKS, MARKS]
    assert house.see(refund)["status"] not in ("refunded", "expired", "ineligible")


async def test_a_mark_is_told_once_by_all_runs_together(house: House) -> None:
    refund = await stand_in(house, AWAITING_APPROVAL, "card")
    await house.skip(days=7.1)

    await house.handle(refund).terminate("lost by the test")
    await house.skip(days=4)
    await house.wake(refund)
    await house.settle()

    assert marks(house) == MARKS[:2]
    assert house.events(refund).count("finding.opened") == len(house.findings())
    assert (await house.handle(refund).describe()).id == workflow_id(refund)


async def test_a_refund_that_was_paid_is_not_escalated(house: House) -> None:
    refund = await stand_in(house, AWAITING_APPROVAL, "card")
    await house.skip(days=7.1)
    assert marks(house) == MARKS[:1]

    await go_on_to_the_money(house, refund)
    await house.skip(days=6)

    assert marks(house) == []
