"""How many people must approve: by what would be paid, and by the policy as it is when it is paid."""

import pytest

from domain.decisions import ResolutionAction
from domain.errors import NotAllowed
from domain.payments import CardPaymentRef
from domain.refunds import RefundStatus, StatusReason
from tests.ledger.scene import PAID_CARD, Scene, policy

MUCH = CardPaymentRef(payment_intent="pi_dep", amount_minor=500_000, currency="USD")
MUCH_PAID = PAID_CARD.model_copy(update={"amount_minor": MUCH.amount_minor})


def test_a_policy_that_asks_for_more_approvals_holds_for_what_is_not_paid_yet(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.decide(refund, "ann")
    assert scene.read(refund).approved
    scene.govern(policy(approvals_default=2))

    state = scene.begin(refund)

    assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.APPROVAL_NEEDED)
    assert not scene.read(refund).approved
    assert scene.views.refund(refund)["approvals_needed"] == 2
    scene.decide(refund, "bob")
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_a_policy_that_asks_for_fewer_approvals_lowers_nothing_that_was_asked_before(scene: Scene) -> None:
    scene.govern(policy(approvals_default=2))
    scene.funded()
    refund = scene.awaiting_approval()
    scene.govern(policy())

    scene.decide(refund, "ann")

    assert not scene.read(refund).approved


def test_a_policy_that_asks_for_more_approvals_holds_for_what_was_paid_outside(scene: Scene) -> None:
    scene.funded()
    refund = scene.failed()
    scene.govern(policy(approvals_default=2))

    first = scene.resolve(refund, ResolutionAction.PAID_OUTSIDE, "bob", evidence="re_out")
    second = scene.resolve(refund, ResolutionAction.PAID_OUTSIDE, "cleo", evidence="re_out")

    assert (first.status, second.status) == (RefundStatus.NEEDS_ATTENTION, RefundStatus.REFUNDED)


def test_what_was_paid_is_weighed_where_it_is_more_than_what_was_credited(scene: Scene) -> None:
    limits = [{"currency": "USD", "up_to_minor": 2000}]
    levels = [{"currency": "USD", "up_to_minor": 2000, "approvals": 1}]
    scene.govern(policy(approver_limits=limits, approvals=levels, approvals_default=2))
    scene.funded(payment=MUCH)

    refund = scene.awaiting_approval(facts=MUCH_PAID)

    assert scene.views.refund(refund)["approvals_needed"] == 2
    with pytest.raises(NotAllowed, match="this needs an admin"):
        scene.decide(refund, "ann")
