"""Approval early, late, twice, never, against a rejection, and by every way it can be delivered."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.errors import AlreadyDecided, NotAllowed, StaleDigest, WrongState
from domain.policy import ApprovalLevel
from domain.refunds import RefundStatus
from ledger.progress import UNBACKED_LINES_MAX
from tests.workflows.arrows import walks
from tests.workflows.house import House, make_policy

AWAITING_OWNERSHIP, AWAITING_APPROVAL = RefundStatus.AWAITING_OWNERSHIP, RefundStatus.AWAITING_APPROVAL
REFUNDED, REJECTED, INELIGIBLE = RefundStatus.REFUNDED, RefundStatus.REJECTED, RefundStatus.INELIGIBLE
NEEDS_ATTENTION, CHECKING = RefundStatus.NEEDS_ATTENTION, RefundStatus.CHECKING

TWO_PEOPLE = make_policy(approvals=(ApprovalLevel(currency="USD", up_to_minor=10**6, approvals=2),))
MARKS = ["deadline_half", "deadline_three_quarters", "deadline_nine_tenths"]


async def waiting(house: House, **changes: Any) -> str:
    """Bring a refund before the approvers."""
    house.deposit(rail=changes.get("rail", "card"))
    refund = await house.request(**changes)
    await house.until(refund, AWAITING_APPROVAL)
    return refund


# --- early ---


async def test_an_approval_that_comes_too_early_is_refused_and_its_signal_changes_nothing(house: House) -> None:
    house.deposit()
    refund = await house.request(channel="email", payment_proof="pi_dep_1")
    await house.until(refund, AWAITING_OWNERSHIP)

    with pytest.raises(WrongState):
        house.approve(refund)
    await house.handle(refund).signal("approve", {"decision_id": "early"})
    house.confirm(refund)
    await house.bring(refund, AWAITING_APPROVAL)
    await house.skip(hours=1)

    assert house.see(refund)["status"] == AWAITING_APPROVAL
    assert house.events(refund).count("signal.without_record") == 1
    assert house.card.posts == 0


async def test_a_signal_that_starts_the_run_is_written_down_as_soon_as_the_run_waits(house: House) -> None:
    house.deposit()
    refund = house.accept()

    await house.temporal.client.start_workflow(
        "RefundWorkflow",
        {"ticket": {"system": "zammad", "id": "1"}},
        id=house.handle(refund).id,
        task_queue="refunds",
        start_signal="approve",
        start_signal_args=[{"decision_id": "made up"}],
    )
    await house.until(refund, AWAITING_APPROVAL)
    await house.settle()

    assert "signal.without_record" in house.events(refund)
    assert house.card.posts == 0


# --- late and never ---


async def test_an_overdue_refund_is_a_finding_and_can_still_be_approved(house: House) -> None:
    refund = await waiting(house)
    await house.skip(hours=49)
    assert house.see(refund)["status_reason"] == "approval_overdue"

    house.approve(refund)
    await house.bring(refund, REFUNDED)

    assert house.findings() == ["overdue_reminder", "overdue_escalation"]
    assert house.books() == {"refunded": 2000}


async def test_a_refund_that_nobody_decides_is_reminded_escalated_and_open_after_sixty_days(house: House) -> None:
    refund = await waiting(house)

    await house.skip(hours=25)
    after_a_day = house.findings()
    await house.skip(days=59)

    assert after_a_day == ["overdue_reminder"]
    assert house.findings() == ["overdue_reminder", "overdue_escalation", *MARKS]
    assert house.see(refund)["status"] == AWAITING_APPROVAL
    assert house.books() == {"held": 2000}
    assert len(await house.history(refund)) < 700


async def test_an_approval_that_no_signal_told_of_is_found_at_the_next_reminder(house: House) -> None:
    refund = await waiting(house)

    house.approve(refund)
    await house.skip(hours=25)

    assert house.see(refund)["status"] == REFUNDED


async def test_opened_on_day_13_and_approved_on_day_16_is_refunded(house: House) -> None:
    house.deposit(days_ago=13)
    refund = await house.request()
    await house.until(refund, AWAITING_APPROVAL)

    await house.skip(days=3)
    house.approve(refund)
    await house.bring(refund, REFUNDED)

    assert house.card.moved() == [("pi_dep_1", 2000)]
    assert "overdue_escalation" in house.findings()


async def test_a_request_told_of_three_days_late_counts_from_its_own_time_once_that_is_confirmed(
    house: House,
) -> None:
    house.deposit(days_ago=16)
    opened_on_day_13 = (house.now - timedelta(days=3)).isoformat()
    refund = await house.request(requested_at=opened_on_day_13)
    seen = await house.until(refund, AWAITING_OWNERSHIP)
    assert (seen["status_reason"], seen["waiting_for"]) == ("request_time_old", "request_time")

    house.confirm(refund, is_request_time_confirmed=True)
    await house.bring(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, REFUNDED)

    assert house.card.moved() == [("pi_dep_1", 2000)]


# --- twice, and against a rejection ---


async def test_the_same_approval_delivered_ten_times_in_every_way_pays_once(house: House) -> None:
    refund = await waiting(house)

    decision_id = house.approve(refund)
    assert house.approve(refund) == decision_id
    for _ in range(5):
        await house.handle(refund).signal("approve", {"decision_id": decision_id})
        await house.wake(refund)
    await house.until(refund, REFUNDED)
    await house.settle()

    assert house.card.moved() == [("pi_dep_1", 2000)]
    assert len(house.see(refund)["decisions"]) == 1
    assert "signal.without_record" not in house.events(refund)


@pytest.mark.parametrize("policy", [TWO_PEOPLE], ids=["two approvals"])
async def test_one_operator_is_one_approval_however_often_they_approve(house: House) -> None:
    refund = await waiting(house)

    house.approve(refund, "ann")
    with pytest.raises(AlreadyDecided):
        house.approve(refund, "ann", decision_id="another id")
    await house.wake(refund)
    await house.settle()
    status_after_one = house.see(refund)["status"]
    house.approve(refund, "bob")
    await house.bring(refund, REFUNDED)

    assert status_after_one == AWAITING_APPROVAL
    assert house.card.posts == 1


@walks((AWAITING_APPROVAL, REJECTED))
@pytest.mark.parametrize("policy", [TWO_PEOPLE], ids=["two approvals"])
async def test_one_rejection_is_enough_and_releases_the_hold(house: House) -> None:
    refund = await waiting(house)

    house.approve(refund, "ann")
    house.reject(refund, "bob")
    seen = await house.bring(refund, REJECTED)

    assert seen["status_reason"] == "operator_rejected"
    assert house.books() == {"spendable": 2000}
    assert house.card.posts == 0


async def test_a_rejection_that_comes_with_an_approval_loses_if_it_was_recorded_later(house: House) -> None:
    refund = await waiting(house)

    approval = house.approve(refund, "ann")
    with pytest.raises(AlreadyDecided):
        house.reject(refund, "bob")
    await asyncio.gather(
        house.handle(refund).signal("reject", {"decision_id": "reject-bob"}),
        house.handle(refund).signal("approve", {"decision_id": approval}),
    )
    await house.until(refund, REFUNDED)

    assert house.card.posts == 1
    assert [it["action"] for it in house.see(refund)["decisions"]] == ["approve"]


async def test_an_approval_that_comes_with_a_rejection_loses_if_it_was_recorded_later(house: House) -> None:
    refund = await waiting(house)

    rejection = house.reject(refund, "bob")
    with pytest.raises(AlreadyDecided):
        house.approve(refund, "ann")
    await asyncio.gather(
        house.handle(refund).signal("approve", {"decision_id": "approve-ann"}),
        house.handle(refund).signal("reject", {"decision_id": rejection}),
    )
    await house.until(refund, REJECTED)

    assert house.card.posts == 0
    assert [it["action"] for it in house.see(refund)["decisions"]] == ["reject"]


# --- by update and by signal ---


async def test_an_update_brings_an_approval_and_answers_when_it_was_read(house: House) -> None:
    refund = await waiting(house)

    decision_id = house.approve(refund)
    outcome = await house.handle(refund).execute_update("decide", {"decision_id": decision_id}, id=decision_id)
    await house.until(refund, REFUNDED)

    assert outcome["refund_id"] == refund
    assert house.card.posts == 1


async def test_an_update_brings_a_rejection_and_answers_with_the_end(house: House) -> None:
    refund = await waiting(house)

    outcome = await house.handle(refund).execute_update("decide", {"decision_id": house.reject(refund)})

    assert (outcome["status"], outcome["reason"]) == ("rejected", "operator_rejected")


async def test_an_update_with_nothing_behind_it_is_answered_and_changes_nothing(house: House) -> None:
    refund = await waiting(house)

    outcome = await house.handle(refund).execute_update("decide", {"decision_id": "made up"})

    assert outcome["status"] == "awaiting_approval"
    assert house.events(refund).count("signal.without_record") == 1
    assert house.card.posts == 0


@pytest.mark.parametrize(
    ("update", "field"),
    [("confirm_ownership", "confirmation_id"), ("resolve", "resolution_id")],
)
async def test_an_update_that_does_not_belong_to_this_state_is_refused_without_a_trace(
    house: House, update: str, field: str
) -> None:
    refund = await waiting(house)
    before = house.events(refund)

    with pytest.raises(WorkflowUpdateFailedError) as refusal:
        await house.handle(refund).execute_update(update, {field: "x"})

    assert getattr(refusal.value.cause, "type", None) == "WrongState"
    assert house.events(refund) == before
    assert not any(
        event.HasField("workflow_execution_update_accepted_event_attributes") for event in await house.history(refund)
    )


@pytest.mark.parametrize(
    "malformed",
    [None, {}, {"decision_id": ""}, {"decision_id": 7}, {"decision_id": "x" * 129}, {"decision_id": "a\nb"}, [1]],
    ids=["nothing", "no field", "empty", "a number", "too long", "a control character", "a list"],
)
async def test_a_malformed_decision_is_refused_by_name_and_as_a_signal_changes_nothing(
    house: House, malformed: object
) -> None:
    refund = await waiting(house)

    with pytest.raises(WorkflowUpdateFailedError) as refusal:
        await house.handle(refund).execute_update("decide", malformed)
    await house.handle(refund).signal("reject", malformed)
    await house.settle()

    assert getattr(refusal.value.cause, "type", None) == "InvalidRequest"
    assert "decision_id" in str(refusal.value.cause)
    assert house.see(refund)["status"] == AWAITING_APPROVAL
    assert house.events(refund).count("signal.without_record") == 1


@pytest.mark.parametrize("signal", ["approve", "reject"])
async def test_a_signal_with_nothing_behind_it_stands_in_the_timeline_once(house: House, signal: str) -> None:
    refund = await waiting(house)

    for _ in range(3):
        await house.handle(refund).signal(signal, {"decision_id": "made up"})
        await house.settle()

    lines = [entry for entry in house.see(refund)["timeline"] if entry["event"] == "signal.without_record"]
    assert len(lines) == 1
    assert "made up" not in str(lines)  # it may hold anything, so only a keyed hash of it is kept
    assert house.see(refund)["status"] == AWAITING_APPROVAL
    assert (house.card.posts, house.books()) == (0, {"held": 2000})


async def test_a_decision_of_another_refund_counts_for_nothing_here(house: House) -> None:
    house.deposit("dep_1")
    house.deposit("dep_2")
    one = await house.request("1", deposit_id="dep_1")
    other = await house.request("2", deposit_id="dep_2")
    await house.until(one, AWAITING_APPROVAL)
    await house.until(other, AWAITING_APPROVAL)

    await house.handle(other).signal("approve", {"decision_id": house.approve(one)})
    await house.settle()

    assert house.see(other)["status"] == AWAITING_APPROVAL
    assert "signal.without_record" in house.events(other)
    assert house.card.posts == 0


async def test_a_thousand_signals_with_nothing_behind_them_leave_few_lines_and_few_steps(house: House) -> None:
    refund = await waiting(house)

    for batch in range(10):
        signals = [
            house.handle(refund).signal("approve", {"decision_id": f"flood {batch}/{number}"})
            for number in range(100)
        ]
        await asyncio.gather(*signals)
    await house.settle()
    house.approve(refund)
    await house.bring(refund, REFUNDED)

    steps = [
        event for event in await house.history(refund) if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert house.events(refund).count("signal.without_record") <= UNBACKED_LINES_MAX
    assert len(steps) < 150
    assert house.card.posts == 1


async def test_the_requester_and_a_viewer_cannot_approve_and_an_old_digest_counts_for_nothing(house: House) -> None:
    refund = await waiting(house)

    for operator in ("desk", "vera", "nobody"):
        with pytest.raises(NotAllowed):
            house.approve(refund, operator)
    with pytest.raises(StaleDigest):
        house.approve(refund, digest="sha256:" + "1" * 64)

    assert house.see(refund)["decisions"] == []
