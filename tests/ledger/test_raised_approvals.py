"""A policy that changes how many people must approve while a refund waits for them."""

from domain.decisions import ResolutionAction
from domain.refunds import RefundStatus, StatusReason
from tests.ledger.scene import Scene, policy


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
