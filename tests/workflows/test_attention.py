"""What stands before an operator, what they may do about it, and what is refused because it could pay twice."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.decisions import ResolutionAction
from domain.errors import Conflict, InvalidRequest, NotAllowed, WrongState
from domain.payouts import PayoutOutcome
from domain.policy import ApprovalLevel
from domain.refunds import RefundStatus
from tests.fakes import CANCELED, FAILED, PENDING, REFUSED, SENDER, SUCCEEDED, UNKNOWN
from tests.workflows.arrows import walks
from tests.workflows.house import COIN, House, make_policy
from workflows.policies import MONEY

CHECKING, AWAITING_APPROVAL = RefundStatus.CHECKING, RefundStatus.AWAITING_APPROVAL
PAYING, CONFIRMING, REFUNDED = RefundStatus.PAYING, RefundStatus.CONFIRMING, RefundStatus.REFUNDED
NEEDS_ATTENTION, REJECTED = RefundStatus.NEEDS_ATTENTION, RefundStatus.REJECTED
LOOK_AGAIN, RETRY = ResolutionAction.LOOK_AGAIN, ResolutionAction.RETRY
PAID_OUTSIDE, GIVE_UP = ResolutionAction.PAID_OUTSIDE, ResolutionAction.GIVE_UP

TWO_PEOPLE = make_policy(approvals=(ApprovalLevel(currency="USD", up_to_minor=10**6, approvals=2),))
MARKS = ["deadline_half", "deadline_three_quarters", "deadline_nine_tenths"]


async def after(house: House, outcome: PayoutOutcome) -> str:
    """Bring a card refund before an operator, because its payout came to `outcome`."""
    house.deposit()
    house.card.status_of_new = outcome
    refund = await house.request()
    await house.until(refund, AWAITING_APPROVAL)
    for operator in ("ann", "bob")[: house.see(refund)["approvals_needed"]]:
        house.approve(refund, operator)
    await house.bring(refund, NEEDS_ATTENTION)
    house.card.status_of_new = SUCCEEDED
    return refund


@walks((PAYING, NEEDS_ATTENTION), (NEEDS_ATTENTION, AWAITING_APPROVAL))
@pytest.mark.parametrize("outcome", [REFUSED, FAILED, CANCELED], ids=lambda it: it.status.value)
async def test_a_dead_payout_is_retried_under_a_new_key_after_a_new_approval_and_pays_once(
    house: House, outcome: PayoutOutcome
) -> None:
    refund = await after(house, outcome)
    assert house.see(refund)["status_reason"] == outcome.reason
    assert outcome.reason in house.findings()
    assert house.books() == {"held": 2000}

    house.resolve(refund, RETRY)
    seen = await house.bring(refund, AWAITING_APPROVAL)
    assert (seen["attempt"], seen["status_reason"]) == (2, "retry_approved_anew")
    await house.settle()
    assert house.card.posts == 1
    house.approve(refund)
    await house.bring(refund, REFUNDED)

    assert house.card.moved() == [("pi_dep_1", 2000)]
    assert list(house.card.refunds) == [f"refund/{refund}/1", f"refund/{refund}/2"]
    assert house.books() == {"refunded": 2000}


async def test_looking_again_at_a_refused_payout_finds_nothing_and_leaves_it_refused(house: House) -> None:
    refund = await after(house, REFUSED)
    house.card.refunds.clear()  # what was refused was never made

    house.resolve(refund, LOOK_AGAIN)
    await house.bring(refund, CONFIRMING, NEEDS_ATTENTION)
    seen = await house.until(refund, NEEDS_ATTENTION)
    await house.settle()

    assert (house.see(refund)["status_reason"], seen["payouts"][-1]["status"]) == ("payout_refused", "refused")
    assert "payout_unknown" not in house.findings()


@walks((NEEDS_ATTENTION, CHECKING), (CHECKING, AWAITING_APPROVAL))
async def test_looking_again_after_the_facts_were_away_goes_on_to_approval(house: House) -> None:
    house.deposit()
    house.card.is_away = True
    refund = await house.request()
    await house.skip(minutes=31)
    house.card.is_away = False

    house.resolve(refund, LOOK_AGAIN)
    await house.bring(refund, AWAITING_APPROVAL)

    assert house.books() == {"held": 2000}


@walks((NEEDS_ATTENTION, REJECTED))
async def test_giving_up_before_a_deposit_was_held_ends_the_refund(house: House) -> None:
    house.deposit()
    house.card.is_away = True
    refund = await house.request()
    await house.skip(minutes=31)

    house.resolve(refund, GIVE_UP)
    await house.bring(refund, REJECTED)

    assert house.books() == {"spendable": 2000}


async def test_a_deposit_whose_sender_nobody_knows_is_held_until_the_sender_is_known(house: House) -> None:
    house.deposit(rail="crypto")
    (tx_hash, known), *_ = house.chain.deposits.items()
    house.chain.deposits[tx_hash] = known.model_copy(update={"sender": None})
    refund = await house.request(rail="crypto")
    await house.until(refund, NEEDS_ATTENTION, reason="route_unknown")
    assert house.books() == {"held": 2000}
    with pytest.raises(Conflict):
        house.resolve(refund, RETRY)

    house.chain.deposits[tx_hash] = known
    house.resolve(refund, LOOK_AGAIN)
    await house.bring(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, REFUNDED)

    assert house.chain.moved() == [(SENDER, COIN)]


@walks((AWAITING_APPROVAL, NEEDS_ATTENTION), (NEEDS_ATTENTION, CHECKING))
async def test_a_sender_that_is_unknown_at_the_last_check_and_known_again_needs_no_second_approval(
    house: House,
) -> None:
    house.deposit(rail="crypto")
    (tx_hash, known), *_ = house.chain.deposits.items()
    refund = await house.request(rail="crypto")
    await house.until(refund, AWAITING_APPROVAL)
    house.chain.deposits[tx_hash] = known.model_copy(update={"sender": None})
    house.approve(refund)
    await house.bring(refund, NEEDS_ATTENTION, reason="route_unknown")

    house.chain.deposits[tx_hash] = known
    house.resolve(refund, LOOK_AGAIN)
    await house.bring(refund, REFUNDED)

    assert house.chain.moved() == [(SENDER, COIN)]


@walks((PAYING, NEEDS_ATTENTION))
async def test_a_receiver_that_refuses_the_money_is_dead_before_a_nonce_and_can_be_given_up(house: House) -> None:
    house.deposit(rail="crypto")
    house.chain.refuses.add(SENDER)
    refund = await house.request(rail="crypto")
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    seen = await house.bring(refund, NEEDS_ATTENTION)
    assert (seen["payouts"][0]["status"], seen["payouts"][0]["nonce"]) == ("refused", None)

    house.resolve(refund, GIVE_UP)
    await house.bring(refund, REJECTED)

    assert house.chain.moved() == []
    assert house.books() == {"spendable": 2000}


async def test_a_reverted_chain_payout_is_retried_with_a_new_nonce_and_pays_once(house: House) -> None:
    house.deposit(rail="crypto")
    house.chain.mines_without_moving = True
    refund = await house.request(rail="crypto")
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, NEEDS_ATTENTION, reason="payout_reverted")
    assert house.books() == {"held": 2000}

    house.chain.mines_without_moving = False
    house.resolve(refund, RETRY)
    await house.bring(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, REFUNDED)

    assert house.chain.moved() == [(SENDER, COIN)]
    assert house.chain.nonces() == [0, 1]


# --- what is unknown may have paid ---


@pytest.mark.parametrize("action", [RETRY, PAID_OUTSIDE, GIVE_UP])
async def test_while_a_payout_may_still_land_only_a_look_is_allowed(house: House, action: ResolutionAction) -> None:
    refund = await after(house, UNKNOWN)

    with pytest.raises(Conflict, match="only look_again is safe"):
        house.resolve(refund, action, evidence="a bank statement")
    await house.skip(days=3)

    assert house.see(refund)["status"] == NEEDS_ATTENTION
    assert house.books() == {"held": 2000}
    assert house.card.posts == 1


@walks((NEEDS_ATTENTION, CONFIRMING), (CONFIRMING, REFUNDED))
async def test_looking_again_finds_that_an_unknown_payout_did_pay(house: House) -> None:
    refund = await after(house, UNKNOWN)
    house.card.change(f"refund/{refund}/1", SUCCEEDED)

    house.resolve(refund, LOOK_AGAIN)
    await house.bring(refund, REFUNDED)

    assert house.card.posts == 1
    assert house.books() == {"refunded": 2000}


@walks((NEEDS_ATTENTION, CONFIRMING), (CONFIRMING, NEEDS_ATTENTION))
async def test_looking_again_at_what_stays_unknown_comes_back_to_the_operator(house: House) -> None:
    refund = await after(house, UNKNOWN)

    house.resolve(refund, LOOK_AGAIN)
    await house.wake(refund)
    await house.settle()

    assert house.see(refund)["status"] == NEEDS_ATTENTION
    assert house.events(refund).count("refund.needs_attention") == 2
    assert house.card.posts == 1


async def test_an_answer_that_was_lost_is_found_by_the_next_look_and_nothing_is_sent_twice(house: House) -> None:
    house.deposit()
    house.card.loses_answers = True
    refund = await house.request()
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)

    await house.bring(refund, REFUNDED)

    assert house.card.posts == 1
    assert house.books() == {"refunded": 2000}


async def test_a_processor_that_is_away_longer_than_a_step_is_tried_is_a_finding_and_is_asked_on(
    house: House,
) -> None:
    house.deposit()
    refund = await house.request()
    await house.until(refund, AWAITING_APPROVAL)
    house.card.status_of_new = PENDING
    house.approve(refund)
    await house.bring(refund, CONFIRMING)
    house.card.is_away = True
    await house.skip(seconds=MONEY["schedule_to_close_timeout"].total_seconds() + 3600)
    assert (house.see(refund)["status"], house.books()) == (CONFIRMING, {"held": 2000})
    assert "overdue_reminder" in house.findings()

    house.card.is_away = False
    house.card.change(f"refund/{refund}/1", SUCCEEDED)
    await house.skip(hours=2)

    assert house.see(refund)["status"] == REFUNDED
    assert house.card.moved() == [("pi_dep_1", 2000)]


# --- paid outside, given up, and who may say so ---


@walks((NEEDS_ATTENTION, REFUNDED))
async def test_paid_outside_takes_the_payout_slot_and_ends_the_refund_without_a_watch(house: House) -> None:
    refund = await after(house, FAILED)

    house.resolve(refund, PAID_OUTSIDE, evidence="bank transfer 77")
    seen = await house.bring(refund, REFUNDED)

    assert [payout["status"] for payout in seen["payouts"]] == ["failed", "paid_outside"]
    assert house.books() == {"refunded": 2000}
    assert house.card.moved() == []
    assert (await house.result(refund))["reason"] == "paid_outside"


@pytest.mark.parametrize("policy", [TWO_PEOPLE], ids=["two approvals"])
async def test_paid_outside_needs_as_many_people_as_a_payout(house: House) -> None:
    refund = await after(house, FAILED)

    house.resolve(refund, PAID_OUTSIDE, "ann", evidence="bank transfer 77")
    await house.wake(refund)
    await house.settle()
    status_after_one = house.see(refund)["status"]
    house.resolve(refund, PAID_OUTSIDE, "root", evidence="bank transfer 77")
    await house.bring(refund, REFUNDED)

    assert status_after_one == NEEDS_ATTENTION
    assert house.books() == {"refunded": 2000}


async def test_paid_outside_needs_evidence_and_any_resolution_a_person_who_may(house: House) -> None:
    refund = await after(house, FAILED)

    with pytest.raises(InvalidRequest):
        house.resolve(refund, PAID_OUTSIDE)
    for operator in ("vera", "desk"):
        with pytest.raises(NotAllowed):
            house.resolve(refund, GIVE_UP, operator)

    assert house.see(refund)["status"] == NEEDS_ATTENTION


@walks((NEEDS_ATTENTION, REJECTED))
async def test_giving_up_releases_the_hold_and_a_new_ticket_may_ask_again(house: House) -> None:
    refund = await after(house, FAILED)

    house.resolve(refund, GIVE_UP)
    seen = await house.bring(refund, REJECTED)
    again = await house.request("2")
    await house.until(again, AWAITING_APPROVAL)
    house.approve(again)
    await house.bring(again, REFUNDED)

    assert seen["status_reason"] == "operator_gave_up"
    assert house.card.moved() == [("pi_dep_1", 2000)]
    assert house.books() == {"refunded": 2000}


async def test_an_update_brings_a_resolution_and_answers_with_what_came_of_it(house: House) -> None:
    refund = await after(house, FAILED)

    outcome = await house.handle(refund).execute_update("resolve", {"resolution_id": house.resolve(refund, GIVE_UP)})

    assert (outcome["status"], outcome["reason"]) == ("rejected", "operator_gave_up")


async def test_a_resolution_with_nothing_behind_it_changes_nothing(house: House) -> None:
    refund = await after(house, FAILED)

    with pytest.raises(WorkflowUpdateFailedError):
        await house.handle(refund).execute_update("resolve", {"resolution_id": 5})
    outcome = await house.handle(refund).execute_update("resolve", {"resolution_id": "made up"})

    assert outcome["status"] == "needs_attention"
    assert house.events(refund).count("signal.without_record") == 1


async def test_a_resolution_belongs_to_needs_attention_alone(house: House) -> None:
    house.deposit()
    refund = await house.request()
    await house.until(refund, AWAITING_APPROVAL)

    with pytest.raises(WrongState):
        house.resolve(refund, GIVE_UP)

    assert house.books() == {"held": 2000}


async def test_of_two_resolutions_the_second_is_kept_as_overtaken(house: House) -> None:
    refund = await after(house, FAILED)

    house.resolve(refund, RETRY, "ann")
    house.resolve(refund, GIVE_UP, "root")
    await house.bring(refund, AWAITING_APPROVAL)
    await house.settle()

    assert house.events(refund).count("resolution.overtaken") == 1
    assert (house.see(refund)["attempt"], house.books()) == (2, {"held": 2000})


async def test_an_operator_who_does_not_come_is_reminded_and_then_it_escalates(house: House) -> None:
    refund = await after(house, FAILED)

    await house.skip(days=60)

    assert house.findings() == ["payout_failed", "overdue_reminder", "overdue_escalation", *MARKS]
    assert house.see(refund)["status"] == NEEDS_ATTENTION
    assert len(await house.history(refund)) < 700
