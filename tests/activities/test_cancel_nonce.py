"""Closing a nonce by moving nothing: asked for by a person, won by whichever bytes a block takes."""

import pytest

from domain.decisions import ResolutionAction
from domain.errors import Conflict, WrongState
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from domain.transfers import Transfer
from tests.activities.line import Line
from tests.fakes import SENDER, WALLET
from tests.workflows.house import COIN

CANCEL, RETRY, GIVE_UP = ResolutionAction.CANCEL_NONCE, ResolutionAction.RETRY, ResolutionAction.GIVE_UP


@pytest.fixture
def stuck(line: Line) -> str:
    """A refund whose payout no block takes, and whose fee is at the cap."""
    refund = line.queue()
    line.turn()
    line.chain.fee_cap = 11
    line.wait()
    line.turn()
    line.chain.fee_cap = 1000
    return refund


@pytest.fixture
def canceled(line: Line, stuck: str) -> str:
    """The same, its cancel signed and sent."""
    line.house.resolve(stuck, CANCEL)
    line.turn()
    return stuck


def test_a_cancel_moves_nothing_to_the_wallet_itself_under_the_same_nonce(line: Line, canceled: str) -> None:
    original, cancel = (Transfer.model_validate_json(it.raw) for it in line.stored(canceled))

    assert (cancel.nonce, cancel.to, cancel.amount_base_units, cancel.asset) == (original.nonce, WALLET, 0, "native")
    assert cancel.terms.max_fee_per_gas_wei > original.terms.max_fee_per_gas_wei
    assert line.chain.broadcasts[-1] == line.hashes(canceled)[1]


def test_a_final_cancel_ends_the_payout_and_a_new_attempt_gets_a_new_nonce(line: Line, canceled: str) -> None:
    line.chain.mine(line.hashes(canceled)[1])
    line.turn()
    assert line.status(canceled) == (
        RefundStatus.NEEDS_ATTENTION,
        StatusReason.PAYOUT_CANCELED,
        PayoutStatus.CANCELED,
    )
    assert line.house.books() == {"held": 2000}

    line.house.resolve(canceled, RETRY)
    line.steps.read_records(canceled)
    line.turn()
    assert len(line.house.see(canceled)["payouts"]) == 1  # approvals of the first attempt count for nothing
    line.house.approve(canceled)
    line.steps.begin(canceled)
    line.turn()
    line.chain.mine(line.hashes(canceled)[1])
    line.chain.mine(line.stored(canceled, attempt=2)[0].tx_hash)
    line.turn()

    assert [it["nonce"] for it in line.house.see(canceled)["payouts"]] == [0, 1]
    assert line.chain.moved() == [(WALLET, 0), (SENDER, COIN)]
    assert line.status(canceled)[0] == RefundStatus.REFUNDED


def test_a_cancel_that_is_not_final_settles_nothing(line: Line, canceled: str) -> None:
    line.chain.mine(line.hashes(canceled)[1], is_final=False, is_buried=False)
    line.turn()
    assert line.status(canceled)[2] == PayoutStatus.UNKNOWN

    line.chain.reorg(line.hashes(canceled)[1])
    line.chain.mine(line.hashes(canceled)[0])
    line.turn()

    assert line.status(canceled)[::2] == (RefundStatus.REFUNDED, PayoutStatus.SUCCEEDED)


def test_the_payout_that_is_faster_than_its_cancel_is_paid(line: Line, canceled: str) -> None:
    line.chain.mine(line.hashes(canceled)[0])
    line.turn()

    assert line.status(canceled)[::2] == (RefundStatus.REFUNDED, PayoutStatus.SUCCEEDED)
    assert line.chain.moved() == [(SENDER, COIN)]
    with pytest.raises(Conflict):
        line.house.resolve(canceled, CANCEL)


def test_a_cancel_that_waits_too_long_is_outbid_by_a_cancel(line: Line, canceled: str) -> None:
    line.wait()
    line.turn()

    assert [it.purpose for it in line.stored(canceled)] == ["pay", "cancel", "cancel"]


def test_a_cancel_is_signed_once_however_often_the_pump_turns(line: Line, canceled: str) -> None:
    for _ in range(3):
        line.turn()

    assert len(line.stored(canceled)) == 2


@pytest.mark.parametrize("action", [RETRY, GIVE_UP, ResolutionAction.PAID_OUTSIDE], ids=str)
def test_while_a_cancel_is_under_way_nothing_else_may_be_done(
    line: Line, canceled: str, action: ResolutionAction
) -> None:
    line.steps.attend(canceled)

    with pytest.raises(Conflict) as refused:
        line.house.resolve(canceled, action, evidence="receipt 77")

    assert refused.value.rule == "no_live_payout"


def test_a_cancelled_payout_can_be_given_up(line: Line, canceled: str) -> None:
    line.chain.mine(line.hashes(canceled)[1])
    line.turn()
    line.house.resolve(canceled, GIVE_UP)
    line.steps.read_records(canceled)

    assert line.status(canceled)[:2] == (RefundStatus.REJECTED, StatusReason.OPERATOR_GAVE_UP)
    assert line.house.books() == {"spendable": 2000}


def test_what_is_simply_on_its_way_is_not_cancelled(line: Line) -> None:
    refund = line.queue()
    line.turn()

    with pytest.raises(WrongState):
        line.house.resolve(refund, CANCEL)


def test_what_has_no_nonce_has_nothing_to_cancel(line: Line) -> None:
    refund = line.queue()
    line.chain.refuses.add(SENDER)
    line.turn()
    assert line.status(refund)[2] == PayoutStatus.REFUSED

    with pytest.raises(Conflict) as refused:
        line.house.resolve(refund, CANCEL)

    assert refused.value.rule == "has_nonce"


def test_cancelling_from_before_an_operator_lets_the_refund_follow_the_chain(line: Line, stuck: str) -> None:
    line.steps.attend(stuck)
    line.house.resolve(stuck, CANCEL)

    line.steps.read_records(stuck)

    assert line.status(stuck)[0] == RefundStatus.CONFIRMING


def test_looking_again_after_a_final_revert_and_retry_pays_once(line: Line) -> None:
    refund = line.queue()
    line.turn()
    line.chain.mines_without_moving = True
    line.chain.mine(line.hashes(refund)[0])
    line.turn()
    assert line.status(refund)[1] == StatusReason.PAYOUT_REVERTED
    line.house.resolve(refund, ResolutionAction.LOOK_AGAIN)
    line.steps.read_records(refund)
    assert line.status(refund)[0] == RefundStatus.NEEDS_ATTENTION

    line.chain.mines_without_moving = False
    line.house.resolve(refund, RETRY)
    line.steps.read_records(refund)
    line.house.approve(refund)
    line.steps.begin(refund)
    line.turn()
    line.chain.mine(line.stored(refund, attempt=2)[0].tx_hash)
    line.turn()

    assert line.status(refund)[0] == RefundStatus.REFUNDED
    assert line.chain.moved() == [(SENDER, COIN)]
