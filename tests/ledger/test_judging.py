"""The verdict, the hold that follows it, and the ends of waiting."""

from datetime import timedelta
from typing import Any

import pytest

from domain.payments import CardPayment, Dispute
from domain.refunds import RefundStatus, StatusReason, WaitingFor
from domain.verdicts import Outcome
from ledger.books import Book
from tests.ledger.scene import CHAIN_ID, DISPUTED_CARD, NOON, PAID_CARD, PAID_CHAIN, SENDER, Scene, policy

UNSETTLED = CardPayment(found=True, status="processing")
NO_CARD = PAID_CARD.model_copy(update={"is_card": False})


def test_an_eligible_deposit_is_held_whole_and_shown_to_the_approvers(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()

    state = scene.check(refund)

    assert (state.status, state.waiting_for) == (RefundStatus.AWAITING_APPROVAL, WaitingFor.APPROVAL)
    assert (scene.in_book(Book.HELD), scene.in_book(Book.SPENDABLE)) == (2000, 0)
    assert (scene.hold_state(refund), scene.deposit_state()) == ("active", "held")
    assert (state.digest or "").startswith("sha256:")


def test_judging_again_changes_nothing(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    before = scene.views.refund(refund), scene.balance()

    scene.check(refund)
    scene.checking.judge(refund, DISPUTED_CARD)

    assert (scene.views.refund(refund), scene.balance()) == before


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param(PAID_CARD.model_copy(update={"amount_minor": 1999}), StatusReason.SETTLED_FAILED, id="amount"),
        pytest.param(PAID_CARD.model_copy(update={"dispute": Dispute.OPEN}), StatusReason.CLEAN_FAILED, id="dispute"),
        pytest.param(PAID_CARD.model_copy(update={"refunded_minor": 1}), StatusReason.CLEAN_FAILED, id="outside"),
    ],
)
def test_a_failed_rule_ends_the_refund_with_its_reason_and_holds_nothing(
    scene: Scene, facts: CardPayment, reason: StatusReason
) -> None:
    scene.funded()
    refund = scene.request()

    state = scene.check(refund, facts)

    assert (state.status, state.reason) == (RefundStatus.INELIGIBLE, reason)
    assert (scene.in_book(Book.SPENDABLE), scene.hold_state(refund)) == (2000, None)
    assert scene.views.refund(refund)["verdict"]["outcome"] == Outcome.FAIL


def test_a_dispute_that_was_lost_before_takes_the_balance_with_it(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()

    state = scene.check(refund, PAID_CARD.model_copy(update={"dispute": Dispute.LOST}))

    assert state.status == RefundStatus.INELIGIBLE
    assert (scene.in_book(Book.SPENDABLE), scene.in_book(Book.CHARGED_BACK)) == (0, 2000)
    assert scene.findings() == ["payment_went_back"]


def test_a_second_ticket_for_what_was_refunded_reports_no_payment_as_lost(scene: Scene) -> None:
    scene.funded()
    scene.refunded()
    again = scene.request("2")

    state = scene.check(again, PAID_CARD.model_copy(update={"refunded_minor": 2000}))

    assert (state.status, state.reason) == (RefundStatus.INELIGIBLE, StatusReason.CLEAN_FAILED)
    assert scene.findings() == [], "the payment went back by the first ticket's own refund"


@pytest.mark.parametrize(
    ("paid", "status"),
    [
        pytest.param(timedelta(days=14), RefundStatus.AWAITING_APPROVAL, id="14 days ago"),
        pytest.param(timedelta(days=14, seconds=1), RefundStatus.INELIGIBLE, id="a second longer ago"),
    ],
)
def test_the_window_is_kept_to_the_second(scene: Scene, paid: timedelta, status: RefundStatus) -> None:
    scene.funded(paid_at=NOON - paid)

    assert scene.check(scene.request()).status == status


def test_time_that_passes_on_our_side_costs_the_customer_nothing(scene: Scene) -> None:
    scene.funded(paid_at=NOON - timedelta(days=13))
    refund = scene.request()
    scene.clock.advance(timedelta(days=9))

    assert scene.check(refund).status == RefundStatus.AWAITING_APPROVAL


def test_a_used_deposit_beside_an_unused_one_does_not_spoil_it(scene: Scene) -> None:
    scene.funded(id="used", paid_at=NOON - timedelta(days=2))
    scene.deposit("unused")
    scene.order("o", 50)

    refund = scene.awaiting_approval(deposit_id="unused")
    other = scene.request("2", deposit_id="used")

    assert scene.row(refund).deposit_id == "unused"
    assert scene.check(other).reason == StatusReason.UNUSED_FAILED


@pytest.mark.parametrize(
    ("orders", "status", "reason"),
    [
        pytest.param([("charged", 50)], RefundStatus.INELIGIBLE, StatusReason.UNUSED_FAILED, id="charged"),
        pytest.param([("pending", 50)], RefundStatus.AWAITING_ORDERS, StatusReason.ORDERS_PENDING, id="pending"),
        pytest.param(
            [("pending", 50), ("charged", 1)], RefundStatus.INELIGIBLE, StatusReason.UNUSED_FAILED, id="both"
        ),
        pytest.param(
            [("cancelled", 50)], RefundStatus.AWAITING_APPROVAL, StatusReason.APPROVAL_NEEDED, id="cancelled"
        ),
        pytest.param([], RefundStatus.AWAITING_APPROVAL, StatusReason.APPROVAL_NEEDED, id="none"),
    ],
)
def test_orders_decide_as_the_published_policy_says(
    scene: Scene, orders: list[tuple[str, int]], status: RefundStatus, reason: StatusReason
) -> None:
    scene.funded()
    for number, (order_status, amount) in enumerate(orders):
        scene.order(f"o{number}", amount, order_status)

    state = scene.check(scene.request())

    assert (state.status, state.reason) == (status, reason)


@pytest.mark.parametrize(
    ("becomes", "status"),
    [("charged", RefundStatus.INELIGIBLE), ("cancelled", RefundStatus.AWAITING_APPROVAL)],
    ids=["charged", "cancelled"],
)
def test_a_wait_for_an_order_ends_as_the_order_ends(scene: Scene, becomes: str, status: RefundStatus) -> None:
    scene.funded()
    scene.order("o", 50, "pending")
    refund = scene.request()
    scene.check(refund)
    due_at = scene.row(refund).due_at
    scene.clock.advance(timedelta(hours=1))
    scene.check(refund)
    assert scene.row(refund).due_at == due_at

    scene.order("o", 50, becomes)

    assert scene.check(refund).status == status


def test_an_unsettled_payment_waits_for_the_payment(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()

    state = scene.check(refund, UNSETTLED)

    assert (state.status, state.waiting_for) == (RefundStatus.AWAITING_ORDERS, WaitingFor.PAYMENT)
    assert scene.check(refund).status == RefundStatus.AWAITING_APPROVAL


def test_two_that_wait_for_the_same_order_do_not_both_hold(scene: Scene) -> None:
    scene.funded()
    scene.order("o", 50, "pending")
    first, second = scene.request("1"), scene.request("2")
    scene.check(first)
    scene.check(second)
    scene.order("o", 50, "cancelled")

    states = [scene.check(first), scene.check(second)]

    assert [state.status for state in states] == [RefundStatus.AWAITING_APPROVAL, RefundStatus.INELIGIBLE]
    assert states[1].reason == StatusReason.CLEAN_FAILED


def test_a_refund_that_lost_the_race_for_the_hold_is_told_who_won(scene: Scene) -> None:
    scene.funded()
    first, second = scene.request("1"), scene.request("2")
    for refund in (first, second):
        scene.checking.identify(refund)

    scene.checking.judge(first, PAID_CARD)
    state = scene.checking.judge(second, PAID_CARD)

    assert (state.status, scene.row(second).duplicate_of) == (RefundStatus.DUPLICATE, first)


def test_a_crypto_deposit_goes_back_to_its_own_sender(scene: Scene) -> None:
    scene.funded(rail="crypto")
    refund = scene.paying(facts=PAID_CHAIN, rail="crypto")

    payout = scene.payout(refund)

    assert (payout.destination, payout.chain_id) == (SENDER, CHAIN_ID)
    assert payout.amount_base_units == PAID_CHAIN.amount_base_units


@pytest.mark.parametrize(
    ("rail", "facts"),
    [
        pytest.param("card", NO_CARD, id="a payment that no card made"),
        pytest.param(
            "crypto", PAID_CHAIN.model_copy(update={"sender": None, "review": ("unclear",)}), id="an unclear sender"
        ),
        pytest.param("crypto", PAID_CHAIN.model_copy(update={"sender": None}), id="no sender at all"),
    ],
)
def test_without_a_way_back_a_person_must_look_and_the_money_stays_held(scene: Scene, rail: str, facts: Any) -> None:
    scene.funded(rail=rail)
    refund = scene.request(rail=rail)

    state = scene.check(refund, facts)

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.ROUTE_UNKNOWN)
    assert scene.in_book(Book.HELD) == 2000
    assert scene.findings() == ["route_unknown"]


@pytest.mark.parametrize(
    ("amount_minor", "needed"), [(2000, 1), (2001, 2)], ids=["at the level's top", "a cent above it"]
)
def test_the_amount_decides_how_many_must_approve(scene: Scene, amount_minor: int, needed: int) -> None:
    levels = [
        {"currency": "USD", "up_to_minor": 2000, "approvals": 1},
        {"currency": "USD", "up_to_minor": 9999, "approvals": 2},
    ]
    scene.govern(policy(approvals=levels))
    record = scene.deposit_record()
    scene.funded(credited=record.credited.model_copy(update={"amount_minor": amount_minor}))

    assert scene.row(scene.awaiting_approval()).approvals_needed == needed


# --- the ends of waiting


def test_a_refund_whose_orders_stay_undecided_is_let_go(scene: Scene) -> None:
    scene.funded()
    scene.order("o", 50, "pending")
    refund = scene.request()
    scene.check(refund)

    state = scene.checking.expire(refund)

    assert (state.status, state.reason) == (RefundStatus.EXPIRED, StatusReason.ORDERS_UNDECIDED)
    assert scene.row(refund).due_at is None


def recorded_withdrawal(scene: Scene, refund: str) -> None:
    scene.withdraw(refund)


def recorded_proof(scene: Scene, _: str) -> None:
    scene.request(channel="email", payment_proof="pi_dep")


def recorded_confirmation(scene: Scene, refund: str) -> None:
    scene.record_confirmation(refund, action="deny")


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        pytest.param(recorded_withdrawal, RefundStatus.WITHDRAWN, id="a withdrawal"),
        pytest.param(recorded_confirmation, RefundStatus.REJECTED, id="a denial"),
        pytest.param(recorded_proof, RefundStatus.CHECKING, id="a proof"),
    ],
)
def test_the_end_of_a_wait_never_beats_a_recorded_answer(scene: Scene, answer: Any, then: RefundStatus) -> None:
    scene.funded()
    refund = scene.request(channel="email")
    scene.checking.identify(refund)
    answer(scene, refund)

    assert scene.checking.expire(refund).status == RefundStatus.AWAITING_OWNERSHIP
    assert scene.read(refund).status == then


def test_a_customer_who_did_their_part_never_loses_the_refund_to_our_silence(scene: Scene) -> None:
    scene.funded()
    refund = scene.request(channel="email", payment_proof="pi_dep")
    scene.checking.identify(refund)

    state = scene.checking.expire(refund)

    assert (state.status, state.waiting_for) == (RefundStatus.AWAITING_OWNERSHIP, "ownership")


@pytest.mark.parametrize("step", ["awaiting_approval", "paying", "failed", "refunded"])
def test_only_waits_for_the_customer_expire(scene: Scene, step: str) -> None:
    scene.funded()
    refund = getattr(scene, step)()
    before = scene.row(refund).status

    assert scene.checking.expire(refund).status == before


def test_an_overdue_refund_is_reminded_of_once_per_urgency_and_can_still_be_decided(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()

    for urgency in ("reminder", "reminder", "escalation", "escalation"):
        state = scene.checking.remind(refund, urgency)

    assert state.reason == StatusReason.APPROVAL_OVERDUE
    assert scene.findings() == ["overdue_reminder", "overdue_escalation"]
    scene.decide(refund)
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_nobody_is_reminded_of_what_has_ended(scene: Scene) -> None:
    scene.funded()
    refund = scene.refunded()

    scene.checking.remind(refund, "reminder")

    assert scene.findings() == []


@pytest.mark.parametrize(
    ("step", "stands"),
    [
        ("request", RefundStatus.NEEDS_ATTENTION),
        ("paying", RefundStatus.PAYING),
        ("awaiting_approval", RefundStatus.AWAITING_APPROVAL),
        ("refunded", RefundStatus.REFUNDED),
    ],
)
def test_what_no_step_can_solve_comes_before_an_operator(scene: Scene, step: str, stands: RefundStatus) -> None:
    scene.funded()
    refund = getattr(scene, step)()

    assert scene.checking.attend(refund, StatusReason.FACTS_UNAVAILABLE).status == stands


def test_a_refund_that_waits_for_orders_may_need_an_operator_too(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()
    scene.check(refund, UNSETTLED)

    scene.checking.attend(refund, StatusReason.FACTS_UNAVAILABLE)
    scene.checking.attend(refund, StatusReason.FACTS_UNAVAILABLE)

    assert scene.row(refund).status == RefundStatus.NEEDS_ATTENTION
    assert scene.findings() == ["facts_unavailable"]
