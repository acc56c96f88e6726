"""What a customer's bank does about a card refund: where the refund stands, and in which book its money."""

from typing import Any

import pytest

from domain.decisions import ResolutionAction
from domain.disputes import DisputeStage, FraudWarning
from domain.errors import Conflict
from domain.payments import Dispute
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from ledger.books import Book
from tests.ledger.bank import REASONS, dispute, look
from tests.ledger.scene import PAID_CARD, Scene

SUCCEEDED, PENDING, FAILED = PayoutStatus.SUCCEEDED, PayoutStatus.PENDING, PayoutStatus.FAILED
NEEDS_ATTENTION, REFUNDED = RefundStatus.NEEDS_ATTENTION, RefundStatus.REFUNDED
DISPUTED, LOST = StatusReason.PAYOUT_DISPUTED, StatusReason.DISPUTE_LOST
ACCEPT_LOSS, RETRY = ResolutionAction.ACCEPT_LOSS, ResolutionAction.RETRY


def found(scene: Scene, kind: str) -> list[dict[str, Any]]:
    return [it["evidence"] for it in scene.views.open_findings() if it["kind"] == kind]


@pytest.fixture
def refund(scene: Scene) -> str:
    scene.funded()
    return scene.refunded()


@pytest.mark.parametrize(
    ("status", "book"),
    [(SUCCEEDED, Book.REFUNDED), (PENDING, Book.HELD), (FAILED, Book.HELD)],
    ids=["paid", "pending", "stopped by it"],
)
@pytest.mark.parametrize("stage", REASONS, ids=str)
def test_a_dispute_brings_an_operator_with_what_money_is_where(
    scene: Scene, status: PayoutStatus, book: Book, stage: DisputeStage
) -> None:
    scene.funded()
    refund = scene.paying()

    for _ in range(2):
        state = look(scene, refund, status, dispute(stage))

    assert (state.status, state.reason, state.is_contested) == (
        NEEDS_ATTENTION,
        REASONS[stage],
        status != FAILED or stage != DisputeStage.LOST,
    )
    (evidence,) = found(scene, REASONS[stage])
    assert (evidence["dispute_id"], evidence["stage"], evidence["provider_ref"]) == ("du_1", stage, "re_1")
    assert (evidence["withdrawn_minor"], evidence["amount_minor"]) == (dispute(stage).withdrawn_minor, 2000)
    assert evidence["is_double_loss"] == (status == SUCCEEDED and stage != DisputeStage.INQUIRY)
    assert evidence["books"] == book
    assert scene.in_book(book) == 2000


def test_an_inquiry_that_escalates_is_told_again_with_the_money_that_was_taken(scene: Scene, refund: str) -> None:
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.INQUIRY))

    look(scene, refund, SUCCEEDED, dispute(DisputeStage.CHARGEBACK))

    assert [it["withdrawn_minor"] for it in found(scene, "payout_disputed")] == [0, 2000]
    assert [it for it in scene.events(refund) if it.startswith("dispute.")] == [
        "dispute.inquiry",
        "dispute.chargeback",
    ]


@pytest.mark.parametrize("over", [DisputeStage.WON, DisputeStage.CLOSED], ids=str)
def test_a_second_dispute_after_the_first_is_over_reopens_the_case(
    scene: Scene, refund: str, over: DisputeStage
) -> None:
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.CHARGEBACK))
    assert look(scene, refund, SUCCEEDED, dispute(over)).status == REFUNDED

    state = look(scene, refund, SUCCEEDED, dispute(over), dispute(DisputeStage.CHARGEBACK, "du_2"))

    assert (state.status, state.reason) == (NEEDS_ATTENTION, DISPUTED)
    assert [it["dispute_id"] for it in found(scene, "payout_disputed")] == ["du_1", "du_2"]
    assert scene.in_book(Book.REFUNDED) == 2000


def test_a_dispute_that_is_not_shown_any_more_is_over(scene: Scene, refund: str) -> None:
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.INQUIRY))

    state = look(scene, refund, SUCCEEDED)

    assert state.status == REFUNDED
    assert [it["stage"] for it in scene.views.refund(refund)["disputes"]] == ["closed"]


def test_the_late_answer_to_the_request_itself_closes_no_dispute_that_was_seen_meanwhile(
    scene: Scene, refund: str
) -> None:
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.CHARGEBACK))
    answer = PayoutOutcome(status=SUCCEEDED, provider_ref="re_1", saw_disputes=False)

    state = scene.payouts.record_outcome(refund, 1, answer)

    assert (state.status, state.reason, state.is_contested) == (NEEDS_ATTENTION, DISPUTED, True)


def test_a_pending_refund_goes_on_when_the_inquiry_into_it_is_closed(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()
    look(scene, refund, PENDING, dispute(DisputeStage.INQUIRY))

    state = look(scene, refund, PENDING, dispute(DisputeStage.CLOSED))

    assert state.status == RefundStatus.CONFIRMING
    assert look(scene, refund, SUCCEEDED, dispute(DisputeStage.CLOSED)).status == REFUNDED


# --- an act that closes the case


def test_a_dispute_lost_after_refunded_is_closed_by_a_person_and_is_never_spendable(
    scene: Scene, refund: str
) -> None:
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.LOST))
    assert scene.in_book(Book.REFUNDED) == 2000

    state = scene.resolve(refund, ACCEPT_LOSS)

    assert (state.status, state.reason, state.watch_over) == (REFUNDED, StatusReason.LOSS_ACCEPTED, False)
    balance = scene.balance()
    assert (balance["charged_back_minor"], balance["refunded_minor"], balance["spendable_minor"]) == (2000, 0, 0)
    assert (scene.hold_state(refund), scene.deposit_state()) == ("charged_back", "charged_back")
    assert found(scene, "dispute_lost") == []
    assert scene.audit_break() is None


def test_an_accepted_loss_stays_closed_and_another_dispute_opens_the_case_again(scene: Scene, refund: str) -> None:
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.LOST))
    scene.resolve(refund, ACCEPT_LOSS)
    before = scene.views.refund(refund)

    assert look(scene, refund, SUCCEEDED, dispute(DisputeStage.LOST)).status == REFUNDED
    assert scene.views.refund(refund) == before
    again = look(scene, refund, SUCCEEDED, dispute(DisputeStage.LOST), dispute(DisputeStage.INQUIRY, "du_2"))
    assert (again.status, again.reason) == (NEEDS_ATTENTION, DISPUTED)
    over = look(scene, refund, SUCCEEDED, dispute(DisputeStage.LOST), dispute(DisputeStage.CLOSED, "du_2"))

    assert (over.status, over.reason) == (REFUNDED, StatusReason.LOSS_ACCEPTED)
    assert scene.in_book(Book.CHARGED_BACK) == 2000


def test_a_refund_that_fails_after_its_loss_was_accepted_pays_nobody(scene: Scene, refund: str) -> None:
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.LOST))
    scene.resolve(refund, ACCEPT_LOSS)

    state = look(scene, refund, FAILED, dispute(DisputeStage.LOST))

    assert (state.status, state.reason) == (NEEDS_ATTENTION, StatusReason.PAYOUT_FAILED)
    with pytest.raises(Conflict):
        scene.record_resolution(refund, RETRY)
    assert scene.resolve(refund, ResolutionAction.GIVE_UP).status == RefundStatus.REJECTED
    assert scene.in_book(Book.CHARGED_BACK) == 2000


def test_whose_bank_took_the_payment_back_is_promised_no_money_when_the_refund_fails_as_well(
    scene: Scene, refund: str
) -> None:
    scene.messages.answer(refund)
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.LOST))
    scene.resolve(refund, ACCEPT_LOSS)

    look(scene, refund, FAILED, dispute(DisputeStage.LOST))
    scene.resolve(refund, ResolutionAction.GIVE_UP)
    scene.messages.answer(refund)

    told = {it["kind"]: it["text"] for it in scene.views.refund(refund)["messages"]}
    assert "decided by that dispute" in told["needs_attention/payout_failed"]
    assert "nothing left for us to send" in told["rejected/operator_gave_up"]


def test_a_dispute_that_stopped_the_refund_and_was_lost_ends_it_unpaid(scene: Scene, refund: str) -> None:
    look(scene, refund, FAILED, dispute(DisputeStage.CHARGEBACK))
    look(scene, refund, FAILED, dispute(DisputeStage.LOST))

    state = scene.resolve(refund, ACCEPT_LOSS)
    scene.messages.answer(refund)

    assert (state.status, state.reason) == (RefundStatus.REJECTED, StatusReason.LOSS_ACCEPTED)
    assert (scene.in_book(Book.CHARGED_BACK), scene.in_book(Book.SPENDABLE)) == (2000, 0)
    assert "nothing left for us to send" in scene.views.refund(refund)["messages"][-1]["text"]


def test_another_dispute_after_a_refund_ended_with_its_loss_is_told(scene: Scene, refund: str) -> None:
    look(scene, refund, FAILED, dispute(DisputeStage.LOST))
    scene.resolve(refund, ACCEPT_LOSS)

    state = look(scene, refund, FAILED, dispute(DisputeStage.LOST), dispute(DisputeStage.CHARGEBACK, "du_2"))

    assert state.status == RefundStatus.REJECTED
    assert [it["dispute_id"] for it in found(scene, "payout_disputed")] == ["du_2"]


@pytest.mark.parametrize("stage", [DisputeStage.CHARGEBACK, DisputeStage.WON, None], ids=str)
def test_no_loss_is_accepted_before_there_is_one(scene: Scene, refund: str, stage: DisputeStage | None) -> None:
    seen = [dispute(stage)] if stage else []
    look(scene, refund, FAILED, *seen)

    with pytest.raises(Conflict):
        scene.record_resolution(refund, ACCEPT_LOSS)

    assert scene.in_book(Book.HELD) == 2000


def test_a_loss_that_is_accepted_at_the_same_time_as_another_dispute_opens_is_refused(
    scene: Scene, refund: str
) -> None:
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.LOST))
    scene.record_resolution(refund, ACCEPT_LOSS)
    look(scene, refund, SUCCEEDED, dispute(DisputeStage.LOST), dispute(DisputeStage.CHARGEBACK, "du_2"))

    state = scene.read(refund)

    assert (state.status, state.reason) == (NEEDS_ATTENTION, DISPUTED)
    assert "resolution.refused" in scene.events(refund)
    assert scene.in_book(Book.REFUNDED) == 2000


@pytest.mark.parametrize("action", [RETRY, ResolutionAction.PAID_OUTSIDE], ids=str)
def test_nobody_is_paid_besides_while_the_bank_decides_and_the_way_is_free_when_it_was_won(
    scene: Scene, refund: str, action: ResolutionAction
) -> None:
    look(scene, refund, FAILED, dispute(DisputeStage.CHARGEBACK))
    with pytest.raises(Conflict):
        scene.record_resolution(refund, action, evidence="receipt")

    state = look(scene, refund, FAILED, dispute(DisputeStage.WON))

    assert (state.status, state.reason) == (NEEDS_ATTENTION, StatusReason.PAYOUT_FAILED)
    scene.record_resolution(refund, action, evidence="receipt")


def test_no_loss_is_accepted_while_a_queued_payout_may_still_leave(scene: Scene) -> None:
    scene.funded()
    refund = scene.failed()
    scene.resolve(refund, RETRY)
    scene.decide(refund)
    scene.begin(refund)
    look(scene, refund, FAILED, dispute(DisputeStage.LOST))  # a slow worker's answer, of the attempt before
    scene.checking.attend(refund, StatusReason.PAYOUT_UNKNOWN)

    with pytest.raises(Conflict):
        scene.record_resolution(refund, ACCEPT_LOSS)

    assert scene.payout(refund, 2).status == PayoutStatus.QUEUED
    assert scene.in_book(Book.HELD) == 2000


@pytest.mark.parametrize("stage", [DisputeStage.CHARGEBACK, DisputeStage.LOST], ids=str)
@pytest.mark.parametrize("action", [RETRY, ResolutionAction.PAID_OUTSIDE], ids=str)
def test_nobody_is_paid_besides_where_the_bank_took_the_money_between_the_word_and_the_act(
    scene: Scene, refund: str, action: ResolutionAction, stage: DisputeStage
) -> None:
    look(scene, refund, FAILED)
    scene.record_resolution(refund, action, evidence="receipt")
    look(scene, refund, FAILED, dispute(stage))

    state = scene.read(refund)

    assert (state.status, state.reason, state.attempt) == (NEEDS_ATTENTION, REASONS[stage], 1)
    assert "resolution.refused" in scene.events(refund)
    assert scene.in_book(Book.HELD) == 2000


def test_giving_up_while_the_dispute_is_open_keeps_the_hold_and_loses_it_to_the_bank(
    scene: Scene, refund: str
) -> None:
    look(scene, refund, FAILED, dispute(DisputeStage.CHARGEBACK))
    scene.record_resolution(refund, ResolutionAction.GIVE_UP)

    assert scene.read(refund, facts=PAID_CARD.model_copy(update={"dispute": Dispute.OPEN})).is_ending
    assert scene.in_book(Book.HELD) == 2000
    scene.read(refund, facts=PAID_CARD.model_copy(update={"dispute": Dispute.LOST}))

    assert scene.in_book(Book.CHARGED_BACK) == 2000


# --- warnings


def test_a_fraud_warning_marks_the_refund_and_stops_nothing(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    warning = FraudWarning(warning_id="issfr_1", fraud_type="misc", is_actionable=True)

    for _ in range(2):
        state = scene.payouts.record_warnings(refund, [warning])
    scene.decide(refund)

    assert state.status == RefundStatus.AWAITING_APPROVAL
    assert [it["warning_id"] for it in scene.views.refund(refund)["fraud_warnings"]] == ["issfr_1"]
    assert scene.findings() == ["fraud_warning"]
    assert scene.begin(refund).status == RefundStatus.PAYING
