"""What operators do about a refund that needs attention, and what they cannot do while money may move."""

from typing import Any

import pytest

from domain.decisions import ResolutionAction
from domain.errors import Conflict, InvalidRequest, NotAllowed, WrongState
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from ledger.books import Book
from ledger.intake import Requester
from tests.ledger.scene import PAID_CARD, PAID_CHAIN, Scene, policy

LOOK_AGAIN, RETRY = ResolutionAction.LOOK_AGAIN, ResolutionAction.RETRY
PAID_OUTSIDE, GIVE_UP = ResolutionAction.PAID_OUTSIDE, ResolutionAction.GIVE_UP
FINAL_ACTS = [RETRY, PAID_OUTSIDE, GIVE_UP]
RECEIPT: dict[str, Any] = {"evidence": "bank receipt 77"}


@pytest.fixture
def refund(scene: Scene) -> str:
    """A refund whose payout is dead."""
    scene.funded()
    return scene.failed()


@pytest.fixture
def unclear(scene: Scene) -> str:
    """A refund whose payout may still land."""
    scene.funded()
    refund = scene.paying()
    scene.outcome(refund, PayoutStatus.UNKNOWN, StatusReason.PAYOUT_UNKNOWN)
    return refund


@pytest.mark.parametrize("action", FINAL_ACTS, ids=str)
def test_while_a_payout_may_still_land_only_looking_is_safe(
    scene: Scene, unclear: str, action: ResolutionAction
) -> None:
    with pytest.raises(Conflict) as refused:
        scene.resolve(unclear, action, **RECEIPT)

    assert refused.value.rule == "no_live_payout"
    assert scene.resolve(unclear, LOOK_AGAIN).status == RefundStatus.CONFIRMING


@pytest.mark.parametrize("action", FINAL_ACTS, ids=str)
def test_what_was_paid_is_not_paid_or_given_up_again(scene: Scene, action: ResolutionAction) -> None:
    scene.funded()
    refund = scene.refunded()
    scene.outcome(refund, PayoutStatus.SUCCEEDED, StatusReason.PAYOUT_DISPUTED)

    with pytest.raises(Conflict):
        scene.resolve(refund, action, **RECEIPT)


def test_looking_again_finds_that_it_did_pay(scene: Scene, unclear: str) -> None:
    scene.resolve(unclear, LOOK_AGAIN)

    assert scene.outcome(unclear, PayoutStatus.SUCCEEDED).status == RefundStatus.REFUNDED


def test_looking_again_in_vain_comes_back_before_the_operator(scene: Scene, refund: str) -> None:
    assert scene.resolve(refund, LOOK_AGAIN).status == RefundStatus.CONFIRMING

    state = scene.outcome(refund, PayoutStatus.FAILED, StatusReason.PAYOUT_FAILED)

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_FAILED)


def test_looking_again_before_anything_was_paid_judges_again(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()
    scene.checking.attend(refund, StatusReason.FACTS_UNAVAILABLE)

    assert scene.resolve(refund, LOOK_AGAIN).status == RefundStatus.CHECKING
    assert scene.check(refund).status == RefundStatus.AWAITING_APPROVAL


def test_looking_again_at_an_unknown_route_keeps_the_hold_once(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()
    scene.check(refund, PAID_CARD.model_copy(update={"is_card": False}))

    scene.resolve(refund, LOOK_AGAIN)

    assert scene.check(refund).status == RefundStatus.AWAITING_APPROVAL
    assert scene.in_book(Book.HELD) == 2000


def test_a_refund_that_cannot_be_given_up_can_still_be_told_to_be_paid_outside(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    outside = PAID_CARD.model_copy(update={"refunded_minor": 2000})
    scene.begin(refund, outside)
    scene.record_resolution(refund, GIVE_UP)
    assert scene.read(refund, facts=outside).status == RefundStatus.NEEDS_ATTENTION

    scene.record_resolution(refund, PAID_OUTSIDE, **RECEIPT)
    state = scene.read(refund, facts=outside)

    assert (state.status, state.reason, state.is_ending) == (
        RefundStatus.REFUNDED,
        StatusReason.PAID_OUTSIDE,
        False,
    )
    assert "resolution.overtaken" in scene.events(refund)
    assert (scene.in_book(Book.HELD), scene.in_book(Book.REFUNDED)) == (0, 2000)


@pytest.mark.parametrize("action", [RETRY, GIVE_UP], ids=str)
def test_while_a_dead_payout_is_known_to_have_moved_it_is_neither_paid_again_nor_given_back(
    scene: Scene, refund: str, action: ResolutionAction
) -> None:
    scene.resolve(refund, LOOK_AGAIN)
    scene.outcome(refund, PayoutStatus.SUCCEEDED)

    with pytest.raises(Conflict) as refused:
        scene.resolve(refund, action)

    assert refused.value.rule == "no_moved_payout"
    assert scene.resolve(refund, PAID_OUTSIDE, **RECEIPT).status == RefundStatus.REFUNDED


def test_giving_up_is_not_overtaken_before_the_payment_was_read(scene: Scene, refund: str) -> None:
    scene.record_resolution(refund, GIVE_UP)
    scene.record_resolution(refund, LOOK_AGAIN)

    assert scene.read(refund).status == RefundStatus.REJECTED
    assert scene.in_book(Book.SPENDABLE) == 2000


def test_a_retry_is_a_new_attempt_that_must_be_approved_anew(scene: Scene, refund: str) -> None:
    before = scene.row(refund).digest

    state = scene.resolve(refund, RETRY)

    assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.RETRY_APPROVED_ANEW)
    assert (state.attempt, state.digest != before, scene.read(refund).approved) == (2, True, False)
    assert scene.begin(refund) == state
    scene.decide(refund)
    assert scene.begin(refund).status == RefundStatus.PAYING
    assert [it["status"] for it in scene.views.refund(refund)["payouts"]] == ["failed", "queued"]


def test_the_answer_of_an_older_attempt_never_moves_the_refund(scene: Scene, refund: str) -> None:
    scene.resolve(refund, RETRY)
    scene.decide(refund)
    scene.begin(refund)

    state = scene.outcome(refund, PayoutStatus.FAILED, StatusReason.PAYOUT_FAILED, attempt=1)

    assert state.status == RefundStatus.PAYING


def test_a_retry_can_be_withdrawn_before_it_is_paid(scene: Scene, refund: str) -> None:
    scene.resolve(refund, RETRY)
    scene.withdraw(refund)

    assert scene.read(refund).status == RefundStatus.WITHDRAWN
    assert scene.in_book(Book.SPENDABLE) == 2000


@pytest.mark.parametrize(
    ("rail", "facts"),
    [
        pytest.param("card", PAID_CARD.model_copy(update={"is_card": False}), id="not a card"),
        pytest.param("crypto", PAID_CHAIN.model_copy(update={"sender": None}), id="no sender"),
    ],
)
def test_without_a_way_back_there_is_nothing_to_retry(scene: Scene, rail: str, facts: Any) -> None:
    scene.funded(rail=rail)
    refund = scene.request(rail=rail)
    scene.check(refund, facts)

    with pytest.raises(Conflict) as refused:
        scene.resolve(refund, RETRY)

    assert refused.value.rule == "route_known"


def test_giving_up_frees_the_money(scene: Scene, refund: str) -> None:
    state = scene.resolve(refund, GIVE_UP)

    assert (state.status, state.reason) == (RefundStatus.REJECTED, StatusReason.OPERATOR_GAVE_UP)
    assert (scene.in_book(Book.SPENDABLE), scene.deposit_state()) == (2000, "open")


def test_paid_outside_settles_the_books_and_takes_the_only_payout(scene: Scene, refund: str) -> None:
    state = scene.resolve(refund, PAID_OUTSIDE, **RECEIPT)

    assert (state.status, state.reason) == (RefundStatus.REFUNDED, StatusReason.PAID_OUTSIDE)
    assert scene.in_book(Book.REFUNDED) == 2000
    assert scene.payout(refund, 2).status == PayoutStatus.PAID_OUTSIDE
    scene.outcome(refund, PayoutStatus.FAILED, attempt=2)
    assert scene.payout(refund, 2).status == PayoutStatus.PAID_OUTSIDE


@pytest.mark.parametrize("evidence", [None, ""], ids=["none", "empty"])
def test_paid_outside_needs_evidence(scene: Scene, refund: str, evidence: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        scene.resolve(refund, PAID_OUTSIDE, evidence=evidence)

    assert refused.value.field == "evidence"


def test_paid_outside_is_not_for_who_asked(scene: Scene) -> None:
    scene.funded()
    refund = scene.request(requester=Requester(name="bob", is_helpdesk=True))
    scene.check(refund)
    scene.decide(refund)
    scene.begin(refund)
    scene.outcome(refund, PayoutStatus.FAILED)

    with pytest.raises(NotAllowed):
        scene.resolve(refund, PAID_OUTSIDE, "bob", **RECEIPT)


class TestTwoPeople:
    """Where the amount needs two, saying that it was paid outside needs two as well."""

    @pytest.fixture
    def refund(self, scene: Scene) -> str:
        scene.govern(policy(approvals_default=2))
        scene.funded()
        refund = scene.awaiting_approval()
        scene.decide(refund, "ann")
        scene.decide(refund, "bob")
        scene.begin(refund)
        scene.outcome(refund, PayoutStatus.FAILED)
        return refund

    def test_one_is_not_enough(self, scene: Scene, refund: str) -> None:
        assert scene.resolve(refund, PAID_OUTSIDE, "ann", **RECEIPT).status == RefundStatus.NEEDS_ATTENTION

    def test_one_person_twice_is_one(self, scene: Scene, refund: str) -> None:
        for _ in range(2):
            state = scene.resolve(refund, PAID_OUTSIDE, "ann", **RECEIPT)

        assert state.status == RefundStatus.NEEDS_ATTENTION

    def test_two_who_say_different_things_do_not_agree(self, scene: Scene, refund: str) -> None:
        scene.resolve(refund, PAID_OUTSIDE, "ann", evidence="receipt 1")

        assert scene.resolve(refund, PAID_OUTSIDE, "bob", evidence="receipt 2").status == RefundStatus.NEEDS_ATTENTION

    def test_one_who_lost_the_right_since_counts_no_longer(self, scene: Scene, refund: str) -> None:
        scene.resolve(refund, PAID_OUTSIDE, "ann", **RECEIPT)
        scene.dismiss("ann")

        assert scene.resolve(refund, PAID_OUTSIDE, "bob", **RECEIPT).status == RefundStatus.NEEDS_ATTENTION
        assert scene.resolve(refund, PAID_OUTSIDE, "cleo", **RECEIPT).status == RefundStatus.REFUNDED

    def test_two_who_say_the_same_settle_it(self, scene: Scene, refund: str) -> None:
        scene.resolve(refund, PAID_OUTSIDE, "ann", **RECEIPT)

        assert scene.resolve(refund, PAID_OUTSIDE, "bob", **RECEIPT).status == RefundStatus.REFUNDED


@pytest.mark.parametrize("action", [RETRY, PAID_OUTSIDE], ids=str)
def test_a_hold_that_is_not_whole_is_not_paid_by_any_resolution(
    scene: Scene, refund: str, action: ResolutionAction
) -> None:
    scene.order("o", 1, is_delivered=True)

    with pytest.raises(Conflict) as refused:
        scene.resolve(refund, action, **RECEIPT)

    assert refused.value.rule == "whole_hold"
    assert scene.resolve(refund, GIVE_UP).status == RefundStatus.REJECTED
    assert scene.in_book(Book.SPENDABLE) == 1999


def test_a_hold_that_broke_after_paid_outside_was_recorded_is_not_captured(scene: Scene, refund: str) -> None:
    scene.record_resolution(refund, PAID_OUTSIDE, **RECEIPT)
    scene.order("o", 1, is_delivered=True)

    assert scene.read(refund).status == RefundStatus.NEEDS_ATTENTION
    assert scene.events(refund)[-1] == "resolution.refused"


@pytest.mark.parametrize("action", [RETRY, PAID_OUTSIDE], ids=str)
def test_the_hold_of_another_refund_is_no_hold_of_this_one(scene: Scene, action: ResolutionAction) -> None:
    scene.funded()
    second = scene.request("2")
    scene.checking.identify(second)
    scene.checking.attend(second, StatusReason.FACTS_UNAVAILABLE)
    scene.awaiting_approval("1")

    with pytest.raises(Conflict) as refused:
        scene.resolve(second, action, **RECEIPT)

    assert refused.value.rule == "whole_hold"


@pytest.mark.parametrize("action", list(ResolutionAction), ids=str)
@pytest.mark.parametrize("step", ["request", "awaiting_approval", "paying", "refunded"])
def test_there_is_nothing_to_resolve_elsewhere(scene: Scene, step: str, action: ResolutionAction) -> None:
    scene.funded()
    refund = getattr(scene, step)()

    with pytest.raises(WrongState):
        scene.resolve(refund, action, **RECEIPT)


@pytest.mark.parametrize("person", ["vera", "desk", "nobody"], ids=["viewer", "help desk", "a stranger"])
def test_who_may_not_decide_may_not_resolve(scene: Scene, refund: str, person: str) -> None:
    with pytest.raises(NotAllowed):
        scene.resolve(refund, GIVE_UP, person)


def test_the_same_resolution_again_changes_nothing(scene: Scene, refund: str) -> None:
    scene.resolve(refund, RETRY, resolution_id="r")
    before = scene.views.refund(refund)

    scene.resolve(refund, RETRY, resolution_id="r")

    assert scene.views.refund(refund) == before


@pytest.mark.parametrize(
    "change",
    [{"operator": "bob"}, {"action": GIVE_UP}, {"evidence": "other"}],
    ids=["another operator", "another action", "other evidence"],
)
def test_an_id_is_used_for_one_resolution(scene: Scene, refund: str, change: dict[str, Any]) -> None:
    scene.resolve(refund, LOOK_AGAIN, resolution_id="r")

    with pytest.raises(Conflict) as refused:
        scene.resolve(refund, **({"action": LOOK_AGAIN, "resolution_id": "r"} | change))

    assert refused.value.rule == "one_use"


def test_a_resolution_that_another_overtook_never_acts_later(scene: Scene, refund: str) -> None:
    scene.record_resolution(refund, LOOK_AGAIN, "ann")
    scene.record_resolution(refund, RETRY, "bob")
    assert scene.read(refund).status == RefundStatus.CONFIRMING

    scene.outcome(refund, PayoutStatus.FAILED, StatusReason.PAYOUT_FAILED)

    assert scene.read(refund).status == RefundStatus.NEEDS_ATTENTION
    assert scene.row(refund).attempt == 1
    assert "resolution.overtaken" in scene.events(refund)


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (StatusReason.PAYOUT_DISPUTED, "charge_disputed"),
        (StatusReason.PAYOUT_FAILED, "charge_for_pending_refund_disputed"),
    ],
    ids=["refused, for it is contested", "failed, for it is contested"],
)
def test_a_contested_payment_is_not_paid_another_way(scene: Scene, reason: StatusReason, detail: str) -> None:
    scene.funded()
    refund = scene.paying()
    status = PayoutStatus.REFUSED if reason == StatusReason.PAYOUT_DISPUTED else PayoutStatus.FAILED
    scene.payouts.record_outcome(refund, 1, PayoutOutcome(status=status, reason=reason, detail=detail))

    with pytest.raises(Conflict) as refused:
        scene.resolve(refund, PAID_OUTSIDE, **RECEIPT)

    assert refused.value.rule == "no_dispute"
    assert scene.resolve(refund, RETRY).status == RefundStatus.AWAITING_APPROVAL


def test_a_look_in_vain_does_not_hide_that_a_payment_is_contested(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()
    contested = PayoutOutcome(status=PayoutStatus.REFUSED, reason=StatusReason.PAYOUT_DISPUTED)
    scene.payouts.record_outcome(refund, 1, contested)
    scene.resolve(refund, LOOK_AGAIN)

    seen = PayoutOutcome(status=PayoutStatus.UNKNOWN, reason=StatusReason.PAYOUT_DISPUTED, detail="dispute_open")
    state = scene.payouts.record_outcome(refund, 1, seen)

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_DISPUTED)
    with pytest.raises(Conflict):
        scene.resolve(refund, PAID_OUTSIDE, **RECEIPT)
