"""Ending unpaid: a hold is given back only where the money is still with us."""

from collections.abc import Callable

import pytest

from domain.decisions import ResolutionAction
from domain.payments import CardPayment, Dispute
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from ledger.books import Book
from tests.ledger.scene import PAID_CARD, Scene

DISPUTED = PAID_CARD.model_copy(update={"dispute": Dispute.OPEN})
LOST = PAID_CARD.model_copy(update={"dispute": Dispute.LOST})
OUTSIDE = PAID_CARD.model_copy(update={"refunded_minor": 2000})
OURS = PAID_CARD.model_copy(update={"own_refunded_minor": 2000})


def withdrawn(scene: Scene) -> str:
    refund = scene.awaiting_approval()
    scene.records.withdraw(refund, "changed my mind", client="desk")
    return refund


def rejected(scene: Scene) -> str:
    refund = scene.awaiting_approval()
    scene.decide(refund, "ann", action="reject", reason="no")
    return refund


def given_up(scene: Scene) -> str:
    refund = scene.paying()
    scene.outcome(refund, PayoutStatus.FAILED, StatusReason.PAYOUT_FAILED)
    scene.record_resolution(refund, ResolutionAction.GIVE_UP)
    return refund


WAYS = [
    pytest.param(withdrawn, RefundStatus.WITHDRAWN, id="withdrawn"),
    pytest.param(rejected, RefundStatus.REJECTED, id="rejected"),
    pytest.param(given_up, RefundStatus.REJECTED, id="given up"),
]


@pytest.mark.parametrize(("way", "end"), WAYS)
def test_without_fresh_facts_nothing_is_released(
    scene: Scene, way: Callable[[Scene], str], end: RefundStatus
) -> None:
    scene.funded()
    refund = way(scene)

    state = scene.progress.read_records(refund, ())

    assert (state.is_ending, state.status == end) == (True, False)
    assert scene.in_book(Book.HELD) == 2000


@pytest.mark.parametrize(("way", "end"), WAYS)
def test_a_clean_payment_lets_it_end_and_frees_the_money(
    scene: Scene, way: Callable[[Scene], str], end: RefundStatus
) -> None:
    scene.funded()
    refund = way(scene)

    assert scene.read(refund).status == end
    assert scene.in_book(Book.SPENDABLE) == 2000


@pytest.mark.parametrize(("way", "end"), WAYS)
def test_an_open_dispute_keeps_the_hold_until_it_is_decided(
    scene: Scene, way: Callable[[Scene], str], end: RefundStatus
) -> None:
    scene.funded()
    refund = way(scene)

    kept = scene.read(refund, facts=DISPUTED)

    assert (kept.reason, kept.is_ending) == (StatusReason.PAYOUT_DISPUTED, True)
    assert (scene.in_book(Book.SPENDABLE), scene.in_book(Book.HELD)) == (0, 2000)
    (told,) = [it for it in scene.views.open_findings() if it["kind"] == "payout_disputed"]
    assert told["evidence"] == {"attempt": 1, "rail": "card", "deposit_id": "dep", "payment": "pi_dep"}
    assert scene.read(refund).status == end
    assert scene.in_book(Book.SPENDABLE) == 2000


@pytest.mark.parametrize(("way", "end"), WAYS)
def test_a_lost_dispute_is_charged_back_and_never_spendable(
    scene: Scene, way: Callable[[Scene], str], end: RefundStatus
) -> None:
    scene.funded()
    refund = way(scene)

    assert scene.read(refund, facts=LOST).status == end
    assert (scene.in_book(Book.SPENDABLE), scene.in_book(Book.CHARGED_BACK)) == (0, 2000)


@pytest.mark.parametrize("facts", [PAID_CARD, LOST], ids=["with us", "taken back by the bank"])
def test_who_withdraws_is_told_that_the_balance_is_theirs_only_where_it_is(scene: Scene, facts: CardPayment) -> None:
    scene.funded()
    refund = withdrawn(scene)
    scene.read(refund, facts=facts)

    scene.messages.answer(refund)

    (told,) = scene.views.refund(refund)["messages"]
    assert ("yours to use again" in told["text"]) == (scene.in_book(Book.SPENDABLE) == 2000)
    assert ("bank took the original payment back" in told["text"]) == (facts == LOST)


@pytest.mark.parametrize("facts", [OUTSIDE, OURS], ids=["refunded outside", "by an attempt of ours"])
@pytest.mark.parametrize(("way", "end"), WAYS)
def test_a_payment_that_went_back_keeps_the_hold_for_an_operator(
    scene: Scene, way: Callable[[Scene], str], end: RefundStatus, facts: CardPayment
) -> None:
    scene.funded()
    refund = way(scene)

    state = scene.read(refund, facts=facts)

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.REFUNDED_OUTSIDE)
    assert scene.in_book(Book.HELD) == 2000
    assert "refunded_outside" in scene.findings()


def test_an_order_cancelled_after_a_chargeback_gives_nothing_back(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.decide(refund, "ann")
    scene.order("o", 500, is_delivered=True)
    scene.begin(refund, LOST)

    scene.order("o", 500, "cancelled", is_delivered=True)

    assert (scene.in_book(Book.SPENDABLE), scene.in_book(Book.CHARGED_BACK)) == (0, 2000)


def test_a_held_refund_that_must_wait_for_an_order_waits_before_an_operator(scene: Scene) -> None:
    not_by_card = PAID_CARD.model_copy(update={"is_card": False})
    scene.funded()
    refund = scene.request()
    assert scene.check(refund, not_by_card).status == RefundStatus.NEEDS_ATTENTION
    scene.order("o", 50, "pending", is_delivered=True)

    scene.resolve(refund, ResolutionAction.LOOK_AGAIN)
    state = scene.check(refund, not_by_card)

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.ORDERS_PENDING)
    assert scene.hold_state(refund) == "active"
