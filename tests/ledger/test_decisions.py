"""A decision counts if the right person recorded it on exactly what would be paid, and only then."""

from typing import Any

import pytest

from domain.decisions import Action
from domain.errors import AlreadyDecided, Conflict, InvalidRequest, NotAllowed, NotFound, StaleDigest, WrongState
from domain.refunds import RefundStatus, StatusReason
from ledger.books import Book
from ledger.intake import Requester
from tests.ledger.scene import PAID_CARD, PAID_CHAIN, Scene, policy

APPROVE, REJECT = Action.APPROVE, Action.REJECT
REVIEWED = PAID_CHAIN.model_copy(update={"review": ("sender_is_contract", "not_a_plain_transfer")})
OTHER_DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def refund(scene: Scene) -> str:
    scene.funded()
    return scene.awaiting_approval()


def test_one_approval_lets_the_refund_be_paid(scene: Scene, refund: str) -> None:
    scene.decide(refund)

    assert scene.read(refund).approved
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_a_rejection_ends_it_and_frees_the_money(scene: Scene, refund: str) -> None:
    scene.decide(refund, action=REJECT)

    state = scene.read(refund)

    assert (state.status, state.reason) == (RefundStatus.REJECTED, StatusReason.OPERATOR_REJECTED)
    assert (scene.in_book(Book.SPENDABLE), scene.hold_state(refund)) == (2000, "released")


@pytest.mark.parametrize("action", [APPROVE, REJECT], ids=str)
@pytest.mark.parametrize("digest", [OTHER_DIGEST, ""], ids=["another digest", "no digest"])
def test_a_decision_on_something_else_is_stale(scene: Scene, refund: str, action: Action, digest: str) -> None:
    with pytest.raises(StaleDigest) as refused:
        scene.decide(refund, action=action, digest=digest)

    assert refused.value.field == "digest"
    assert not scene.read(refund).approved


@pytest.mark.parametrize("action", [APPROVE, REJECT], ids=str)
@pytest.mark.parametrize("person", ["vera", "desk", "nobody"], ids=["viewer", "help desk", "a stranger"])
def test_only_approvers_and_admins_decide(scene: Scene, refund: str, person: str, action: Action) -> None:
    with pytest.raises(NotAllowed) as refused:
        scene.decide(refund, person, action)

    assert refused.value.field == "operator"
    assert scene.read(refund).status == RefundStatus.AWAITING_APPROVAL


@pytest.mark.parametrize("action", [APPROVE, REJECT], ids=str)
def test_who_was_dismissed_decides_nothing(scene: Scene, refund: str, action: Action) -> None:
    scene.dismiss("ann")

    with pytest.raises(NotAllowed):
        scene.decide(refund, "ann", action)


def test_who_asked_for_the_refund_cannot_approve_it(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval(requester=Requester(name="ann", is_helpdesk=True))

    with pytest.raises(NotAllowed) as refused:
        scene.decide(refund, "ann")

    assert refused.value.rule == "distinct_people"
    scene.decide(refund, "bob")
    assert scene.read(refund).approved


@pytest.mark.parametrize("confirmer_may_approve", [False, True], ids=["by default not", "where the policy allows it"])
def test_who_confirmed_the_ownership_approves(scene: Scene, confirmer_may_approve: bool) -> None:
    scene.govern(policy(confirmer_may_approve=confirmer_may_approve))
    scene.funded()
    refund = scene.request(channel="email", payment_proof="pi_dep")
    scene.check(refund)
    scene.confirm(refund, "bob")
    scene.check(refund)

    if not confirmer_may_approve:
        with pytest.raises(NotAllowed):
            scene.decide(refund, "bob")
        scene.decide(refund, "ann")
    else:
        scene.decide(refund, "bob")

    assert scene.begin(refund).status == RefundStatus.PAYING


@pytest.mark.parametrize(
    ("limit", "person", "may"),
    [
        pytest.param(2000, "ann", True, id="approver at the limit"),
        pytest.param(1999, "ann", False, id="approver a cent above it"),
        pytest.param(1999, "ada", True, id="admin above it"),
    ],
)
def test_an_approver_approves_up_to_a_limit(scene: Scene, limit: int, person: str, may: bool) -> None:
    scene.govern(policy(approver_limits=[{"currency": "USD", "up_to_minor": limit}]))
    scene.funded()
    refund = scene.awaiting_approval()

    if may:
        scene.decide(refund, person)
    else:
        with pytest.raises(NotAllowed, match="1999 USD"):
            scene.decide(refund, person)

    assert scene.read(refund).approved is may


def test_above_the_limit_an_approver_may_still_reject(scene: Scene) -> None:
    scene.govern(policy(approver_limits=[{"currency": "USD", "up_to_minor": 1}]))
    scene.funded()
    refund = scene.awaiting_approval()

    scene.decide(refund, "ann", REJECT)

    assert scene.read(refund).status == RefundStatus.REJECTED


@pytest.mark.parametrize(
    ("acknowledged", "may"),
    [
        pytest.param((), False, id="nothing"),
        pytest.param(("sender_is_contract",), False, id="one of two"),
        pytest.param(("sender_is_contract", "not_a_plain_transfer"), True, id="both"),
        pytest.param(("sender_is_contract", "not_a_plain_transfer", "more"), True, id="more than there is"),
    ],
)
def test_what_is_under_review_must_be_acknowledged(scene: Scene, acknowledged: tuple[str, ...], may: bool) -> None:
    scene.funded(rail="crypto")
    refund = scene.awaiting_approval(facts=REVIEWED, rail="crypto")

    if may:
        scene.decide(refund, acknowledge=acknowledged)
    else:
        with pytest.raises(InvalidRequest) as refused:
            scene.decide(refund, acknowledge=acknowledged)
        assert refused.value.field == "acknowledge"

    assert scene.read(refund).approved is may


@pytest.mark.parametrize("reason", [None, ""], ids=["none", "empty"])
def test_a_rejection_needs_a_reason(scene: Scene, refund: str, reason: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        scene.decide(refund, action=REJECT, reason=reason)

    assert refused.value.field == "reason"


def test_the_same_decision_again_changes_nothing(scene: Scene, refund: str) -> None:
    scene.decide(refund, decision_id="d")
    before = scene.views.refund(refund)

    scene.decide(refund, decision_id="d")

    assert scene.views.refund(refund) == before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"operator": "bob"}, id="another operator"),
        pytest.param({"action": REJECT}, id="another action"),
        pytest.param({"digest": OTHER_DIGEST}, id="another digest"),
    ],
)
def test_an_id_is_used_for_one_decision(scene: Scene, refund: str, change: dict[str, Any]) -> None:
    scene.decide(refund, decision_id="d")

    with pytest.raises(Conflict) as refused:
        scene.decide(refund, **({"decision_id": "d"} | change))

    assert refused.value.rule == "one_use"


@pytest.mark.parametrize("second", [APPROVE, REJECT], ids=str)
@pytest.mark.parametrize("first", [APPROVE, REJECT], ids=str)
def test_once_settled_a_second_decision_comes_too_late(
    scene: Scene, refund: str, first: Action, second: Action
) -> None:
    scene.decide(refund, "ann", first)

    with pytest.raises(AlreadyDecided):
        scene.decide(refund, "bob", second)

    assert scene.read(refund).approved is (first == APPROVE)


class TestTwoApprovals:
    """Where an amount needs two people."""

    @pytest.fixture
    def refund(self, scene: Scene) -> str:
        scene.govern(policy(approvals_default=2))
        scene.funded()
        return scene.awaiting_approval()

    def test_one_is_not_enough(self, scene: Scene, refund: str) -> None:
        scene.decide(refund, "ann")

        state = scene.begin(refund)

        assert not scene.read(refund).approved
        assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.APPROVAL_NEEDED)

    def test_one_person_cannot_be_both(self, scene: Scene, refund: str) -> None:
        scene.decide(refund, "ann")

        with pytest.raises(AlreadyDecided):
            scene.decide(refund, "ann")

        assert not scene.read(refund).approved

    def test_two_people_are(self, scene: Scene, refund: str) -> None:
        scene.decide(refund, "ann")
        scene.decide(refund, "bob")

        assert scene.begin(refund).status == RefundStatus.PAYING

    def test_a_rejection_between_them_ends_it(self, scene: Scene, refund: str) -> None:
        scene.decide(refund, "ann")
        scene.decide(refund, "bob", REJECT)

        with pytest.raises(AlreadyDecided):
            scene.decide(refund, "cleo")

        assert scene.read(refund).status == RefundStatus.REJECTED

    def test_who_approved_cannot_reject_as_well(self, scene: Scene, refund: str) -> None:
        scene.decide(refund, "ann")

        with pytest.raises(AlreadyDecided):
            scene.decide(refund, "ann", REJECT)


def test_an_approver_who_is_dismissed_before_the_payment_no_longer_counts(scene: Scene, refund: str) -> None:
    scene.decide(refund, "ann")
    scene.dismiss("ann")

    state = scene.begin(refund)

    assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.APPROVAL_NEEDED)
    assert not scene.read(refund).approved
    scene.decide(refund, "bob")
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_the_rejection_of_somebody_dismissed_later_stands(scene: Scene, refund: str) -> None:
    scene.decide(refund, "ann", REJECT)
    scene.dismiss("ann")

    assert scene.read(refund).status == RefundStatus.REJECTED


# --- withdrawals, in the order in which they were recorded


def test_a_customer_withdraws_until_the_payment_begins_even_after_approval(scene: Scene, refund: str) -> None:
    scene.decide(refund)
    scene.withdraw(refund)

    state = scene.begin(refund)

    assert (state.status, state.reason) == (RefundStatus.WITHDRAWN, StatusReason.CUSTOMER_WITHDREW)
    assert scene.in_book(Book.SPENDABLE) == 2000


@pytest.mark.parametrize("action", [APPROVE, REJECT], ids=str)
def test_after_a_withdrawal_there_is_nothing_to_decide(scene: Scene, refund: str, action: Action) -> None:
    scene.withdraw(refund)

    with pytest.raises(AlreadyDecided, match="withdrawn"):
        scene.decide(refund, action=action)

    assert scene.read(refund).status == RefundStatus.WITHDRAWN


def test_after_a_rejection_there_is_nothing_to_withdraw(scene: Scene, refund: str) -> None:
    scene.decide(refund, action=REJECT)

    with pytest.raises(AlreadyDecided, match="rejected"):
        scene.withdraw(refund)

    assert scene.read(refund).status == RefundStatus.REJECTED


def test_withdrawing_twice_is_withdrawing_once(scene: Scene, refund: str) -> None:
    scene.withdraw(refund)
    before = scene.views.refund(refund)

    scene.withdraw(refund)

    assert scene.views.refund(refund) == before


@pytest.mark.parametrize("step", ["paying", "failed", "refunded"])
def test_nobody_withdraws_once_the_payment_has_begun(scene: Scene, step: str) -> None:
    scene.funded()
    refund = getattr(scene, step)()

    with pytest.raises(WrongState):
        scene.withdraw(refund)


def test_a_withdrawal_recorded_while_checking_is_not_overtaken_by_the_hold(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()
    scene.withdraw(refund)

    assert scene.checking.judge(refund, PAID_CARD).status == RefundStatus.WITHDRAWN
    assert scene.in_book(Book.SPENDABLE) == 2000


@pytest.mark.parametrize("step", ["request", "paying", "failed", "refunded"])
def test_a_refund_is_decided_only_while_it_awaits_approval(scene: Scene, step: str) -> None:
    scene.funded()
    refund = getattr(scene, step)()

    with pytest.raises(WrongState):
        scene.decide(refund, "bob", digest=scene.row(refund).digest or OTHER_DIGEST)


def test_a_refund_that_does_not_exist_cannot_be_decided(scene: Scene) -> None:
    with pytest.raises(NotFound):
        scene.records.withdraw("rf_unknown", "why", client="desk")


def test_what_was_told_and_stands_nowhere_is_written_down_once_and_counts_for_nothing(
    scene: Scene, refund: str
) -> None:
    scene.read(refund, "made-up", "made-up")
    scene.read(refund, "made-up")

    assert scene.events(refund).count("signal.without_record") == 1
    assert not scene.read(refund).approved


@pytest.mark.parametrize(
    "told", ["x" * 5000, "a\x00b", "a\ud800b", "\u202e", ""], ids=["long", "null", "surrogate", "override", "empty"]
)
def test_what_no_database_could_store_is_noted_all_the_same(scene: Scene, refund: str, told: str) -> None:
    scene.read(refund, told)
    scene.read(refund, told)

    assert scene.events(refund).count("signal.without_record") == 1
    assert scene.audit_break() is None


def test_what_was_told_and_is_recorded_leaves_no_mark(scene: Scene, refund: str) -> None:
    decision = scene.decide(refund)

    scene.read(refund, decision)

    assert "signal.without_record" not in scene.events(refund)


def test_the_reasons_of_people_are_sealed_in_the_trail_and_readable_beside_it(scene: Scene, refund: str) -> None:
    scene.decide(refund, action=REJECT, reason="Mr Smith called")

    picture = scene.views.refund(refund)

    assert picture["decisions"][0]["reason"] == "Mr Smith called"
    assert "Smith" not in str(picture["timeline"])
