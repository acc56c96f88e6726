"""What becomes of a payout, in every status, and what its refund and the books make of it."""

from typing import Any

import pytest

from domain.errors import NotFound
from domain.payouts import DEAD, PayoutOutcome, PayoutStatus
from domain.refunds import RefundStatus, StatusReason, WaitingFor
from ledger.books import Book
from tests.ledger.scene import Scene

QUEUED, UNKNOWN, PENDING = PayoutStatus.QUEUED, PayoutStatus.UNKNOWN, PayoutStatus.PENDING
SUCCEEDED, FAILED = PayoutStatus.SUCCEEDED, PayoutStatus.FAILED
CARD_DEAD = sorted(DEAD)


@pytest.fixture
def refund(scene: Scene) -> str:
    scene.funded()
    return scene.paying()


def test_the_card_request_names_refund_and_attempt(scene: Scene, refund: str) -> None:
    payout, status = scene.payouts.card_payout(refund, 1)

    assert (payout.payment_intent, payout.amount_minor, payout.currency) == ("pi_dep", 2000, "USD")
    assert payout.idempotency_key == f"refund/{refund}/1"
    assert status == QUEUED


def test_before_the_request_leaves_its_outcome_is_written_as_unknown(scene: Scene, refund: str) -> None:
    scene.payouts.record_sending(refund, 1)
    scene.payouts.record_sending(refund, 1)

    assert scene.payout(refund).status == UNKNOWN
    assert scene.events(refund).count("payout.sending") == 1


def test_what_is_known_already_is_not_forgotten_by_another_try(scene: Scene, refund: str) -> None:
    scene.outcome(refund, PENDING)

    scene.payouts.record_sending(refund, 1)

    assert scene.payout(refund).status == PENDING


def test_an_unclear_outcome_changes_nothing_but_what_is_known(scene: Scene, refund: str) -> None:
    state = scene.outcome(refund, UNKNOWN)

    assert (state.status, scene.payout(refund).status) == (RefundStatus.PAYING, UNKNOWN)
    assert scene.in_book(Book.HELD) == 2000


def test_an_accepted_payout_is_confirmed_until_it_is_final(scene: Scene, refund: str) -> None:
    state = scene.outcome(refund, PENDING)

    assert (state.status, state.waiting_for) == (RefundStatus.CONFIRMING, WaitingFor.PROVIDER)
    assert scene.in_book(Book.HELD) == 2000


@pytest.mark.parametrize(
    "seen",
    [[SUCCEEDED], [PENDING, SUCCEEDED], [UNKNOWN, SUCCEEDED]],
    ids=["at once", "pending first", "unclear first"],
)
def test_a_payout_that_succeeded_settles_the_books(scene: Scene, refund: str, seen: list[PayoutStatus]) -> None:
    for status in seen:
        state = scene.outcome(refund, status)

    assert (state.status, state.reason) == (RefundStatus.REFUNDED, StatusReason.PAID)
    assert (scene.in_book(Book.REFUNDED), scene.in_book(Book.HELD)) == (2000, 0)
    assert (scene.hold_state(refund), scene.deposit_state()) == ("captured", "refunded")


@pytest.mark.parametrize("status", [*CARD_DEAD, UNKNOWN, PENDING, SUCCEEDED], ids=str)
def test_the_same_outcome_again_changes_nothing(scene: Scene, refund: str, status: PayoutStatus) -> None:
    scene.outcome(refund, status)
    before = scene.views.refund(refund), scene.balance(), scene.findings()

    scene.outcome(refund, status)

    assert (scene.views.refund(refund), scene.balance(), scene.findings()) == before


@pytest.mark.parametrize("status", CARD_DEAD, ids=str)
@pytest.mark.parametrize("before", [[], [PENDING], [SUCCEEDED]], ids=["at once", "after pending", "after refunded"])
def test_a_dead_payout_stands_before_an_operator_with_the_money_held(
    scene: Scene, refund: str, before: list[PayoutStatus], status: PayoutStatus
) -> None:
    for seen in before:
        scene.outcome(refund, seen)

    state = scene.outcome(refund, status, StatusReason.PAYOUT_FAILED)

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_FAILED)
    assert (scene.in_book(Book.HELD), scene.in_book(Book.REFUNDED)) == (2000, 0)
    assert (scene.hold_state(refund), scene.deposit_state()) == ("active", "held")
    assert scene.findings() == ["payout_failed"]


def test_a_payout_that_fails_after_refunded_reopens_watch_and_books_at_once(scene: Scene, refund: str) -> None:
    scene.outcome(refund, SUCCEEDED)
    scene.payouts.end_watch(refund)

    scene.outcome(refund, FAILED, StatusReason.PAYOUT_FAILED)

    assert not scene.row(refund).watch_over
    assert scene.events(refund)[-4:] == [
        "payout.failed",
        "hold.reopened",
        "refund.needs_attention",
        "finding.opened",
    ]


@pytest.mark.parametrize("before", [[], [PENDING], [SUCCEEDED]], ids=["at first sight", "after pending", "later"])
def test_a_paid_refund_that_is_disputed_needs_a_person_and_is_booked_as_paid(
    scene: Scene, refund: str, before: list[PayoutStatus]
) -> None:
    for seen in before:
        scene.outcome(refund, seen)

    for _ in range(2):
        state = scene.outcome(refund, SUCCEEDED, StatusReason.PAYOUT_DISPUTED)

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_DISPUTED)
    assert (scene.in_book(Book.REFUNDED), scene.hold_state(refund)) == (2000, "captured")
    assert scene.findings() == ["payout_disputed"]
    assert scene.outcome(refund, SUCCEEDED).status == RefundStatus.REFUNDED


def test_worse_news_while_an_operator_looks_are_told_as_well(scene: Scene, refund: str) -> None:
    scene.outcome(refund, SUCCEEDED)
    scene.outcome(refund, SUCCEEDED, StatusReason.PAYOUT_DISPUTED)

    state = scene.outcome(refund, FAILED, StatusReason.PAYOUT_FAILED)

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_FAILED)
    assert scene.findings() == ["payout_disputed", "payout_failed"]
    assert scene.in_book(Book.HELD) == 2000


def test_an_unclear_payout_may_still_turn_out_paid(scene: Scene, refund: str) -> None:
    scene.outcome(refund, UNKNOWN, StatusReason.PAYOUT_UNKNOWN)
    assert scene.row(refund).status == RefundStatus.NEEDS_ATTENTION

    assert scene.outcome(refund, SUCCEEDED).status == RefundStatus.REFUNDED
    assert scene.in_book(Book.REFUNDED) == 2000


@pytest.mark.parametrize("status", CARD_DEAD, ids=str)
@pytest.mark.parametrize("later", [UNKNOWN, QUEUED], ids=str)
def test_what_is_dead_stays_dead(scene: Scene, refund: str, status: PayoutStatus, later: PayoutStatus) -> None:
    scene.outcome(refund, status)
    before = scene.views.refund(refund), scene.findings()

    scene.outcome(refund, later)

    assert (scene.views.refund(refund), scene.findings()) == before


@pytest.mark.parametrize("later", [PENDING, SUCCEEDED], ids=str)
def test_money_that_moves_after_its_payout_was_dead_is_a_finding_and_never_silent(
    scene: Scene, refund: str, later: PayoutStatus
) -> None:
    scene.outcome(refund, FAILED, StatusReason.PAYOUT_FAILED)

    scene.outcome(refund, later)
    scene.outcome(refund, later)

    assert scene.findings() == ["payout_failed", "dead_payout_moved"]
    assert scene.payout(refund).status == FAILED
    assert scene.in_book(Book.HELD) == 2000


def test_a_payout_that_was_never_begun_has_no_outcome(scene: Scene, refund: str) -> None:
    with pytest.raises(NotFound):
        scene.outcome(refund, SUCCEEDED, attempt=2)


def test_a_long_answer_is_cut_and_kept(scene: Scene, refund: str) -> None:
    outcome = PayoutOutcome(status=UNKNOWN, detail="x" * 5000)

    scene.payouts.record_outcome(refund, 1, outcome)

    assert len(scene.payout(refund).detail) == 400


def test_the_watch_ends_once_and_only_for_a_paid_refund(scene: Scene, refund: str) -> None:
    scene.payouts.end_watch(refund)
    assert not scene.row(refund).watch_over

    scene.outcome(refund, SUCCEEDED)
    for _ in range(2):
        scene.payouts.end_watch(refund)

    assert scene.row(refund).watch_over
    assert scene.events(refund).count("watch.over") == 1


def test_a_refund_that_was_woken_after_its_watch_and_could_not_be_looked_at_is_watched_again(
    scene: Scene, refund: str
) -> None:
    scene.outcome(refund, SUCCEEDED)
    scene.payouts.end_watch(refund)

    scene.checking.remind(refund, "reminder")

    assert not scene.row(refund).watch_over
    assert scene.events(refund)[-1] == "watch.resumed"
    assert scene.findings() == []


# --- what the customer is told


def message(scene: Scene, refund: str) -> Any:
    scene.messages.answer(refund)
    return [it["text"] for it in scene.views.refund(refund)["messages"]]


def test_the_customer_is_told_once_what_the_card_gets_back(scene: Scene) -> None:
    scene.account()
    record = scene.deposit_record()
    scene.deposit(credited=record.credited.model_copy(update={"amount_minor": 2500}))  # with a bonus
    refund = scene.refunded()

    assert message(scene, refund) == message(scene, refund)
    assert "We sent 20.00 USD back to the card" in message(scene, refund)[0]
    assert "re_1" in message(scene, refund)[0]


def test_the_customer_hears_nothing_while_people_work(scene: Scene, refund: str) -> None:
    assert message(scene, refund) == []


def test_the_customer_reads_the_reasons_of_a_refusal(scene: Scene) -> None:
    scene.funded()
    scene.order("o", 50)
    refund = scene.request()
    scene.check(refund)

    assert "0.50 USD of the deposit was used by one order" in message(scene, refund)[0]
