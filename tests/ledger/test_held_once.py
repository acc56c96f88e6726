"""A refund that holds a deposit keeps to it, whatever is asked again."""

import pytest

from domain.decisions import ResolutionAction
from domain.errors import WrongState
from domain.refunds import OwnershipLevel, RefundStatus
from tests.ledger.scene import PAID_CHAIN, Scene, policy


def test_whose_a_held_deposit_is_is_not_asked_again_under_a_stricter_policy(scene: Scene) -> None:
    scene.account()
    scene.deposit("a", rail="crypto")
    scene.deposit("b", rail="crypto")
    refund = scene.request(rail="crypto", deposit_id="a")
    scene.check(refund, PAID_CHAIN.model_copy(update={"sender": None}))
    scene.resolve(refund, ResolutionAction.LOOK_AGAIN)
    scene.govern(policy(ownership_accepted=[OwnershipLevel.OPERATOR_CONFIRMED]))

    state = scene.check(refund, PAID_CHAIN)

    assert (state.status, state.deposit_id) == (RefundStatus.AWAITING_APPROVAL, "a")
    with pytest.raises(WrongState):
        scene.record_confirmation(refund, deposit_id="b")
    scene.decide(refund)
    scene.begin(refund, PAID_CHAIN)
    assert (scene.payout(refund).deposit_id, scene.deposit_state("a"), scene.deposit_state("b")) == (
        "a",
        "held",
        "open",
    )
