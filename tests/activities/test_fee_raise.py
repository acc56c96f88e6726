"""A payout that no block takes: higher fees under the same nonce, stored before they are sent, all hashes watched."""

import pytest

from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from domain.transfers import SendAnswer, Transfer
from tests.activities.line import Line
from tests.fakes import SENDER
from tests.workflows.house import COIN


def transfers(line: Line, refund: str) -> list[Transfer]:
    return [Transfer.model_validate_json(it.raw) for it in line.stored(refund)]


@pytest.fixture
def refund(line: Line) -> str:
    """A refund whose payout was sent, and is in no block."""
    refund = line.queue()
    line.turn()
    return refund


def test_what_waits_too_long_is_outbid_under_the_same_nonce_for_the_same_money(line: Line, refund: str) -> None:
    line.wait()
    line.turn()

    first, second = transfers(line, refund)
    same = {"terms"}
    assert first.model_dump(exclude=same) == second.model_dump(exclude=same)
    assert second.terms.max_fee_per_gas_wei > first.terms.max_fee_per_gas_wei
    assert line.chain.broadcasts == line.hashes(refund)


@pytest.mark.parametrize(
    ("seconds", "blocks"), [(44, 3), (46, 2)], ids=["too early in seconds", "too early in blocks"]
)
def test_nothing_is_outbid_before_both_time_and_blocks_have_passed(
    line: Line, refund: str, seconds: float, blocks: int
) -> None:
    line.wait(seconds, blocks)
    line.turn()

    assert len(line.stored(refund)) == 1


def test_each_raise_is_waited_for_anew(line: Line, refund: str) -> None:
    line.wait()
    line.turn()
    line.turn()
    assert len(line.stored(refund)) == 2

    line.wait()
    line.turn()

    assert len(line.stored(refund)) == 3


def test_only_the_head_of_the_line_is_outbid(line: Line, refund: str) -> None:
    second = line.queue("dep_2")
    line.turn()
    line.wait()

    line.turn()

    assert [len(line.stored(it)) for it in (refund, second)] == [2, 1]


def test_a_worker_that_dies_before_it_sends_the_raise_leaves_its_bytes_behind(line: Line, refund: str) -> None:
    line.wait()
    line.chain.dies_before_sending = True
    with pytest.raises(KeyboardInterrupt):
        line.turn()
    assert len(line.stored(refund)) == 2
    line.chain.dies_before_sending = False

    line.turn()

    assert line.chain.broadcasts == line.hashes(refund)


@pytest.mark.parametrize("winner", [0, 1], ids=["the old bytes", "the new bytes"])
def test_whichever_bytes_get_into_a_block_settle_the_payout(line: Line, refund: str, winner: int) -> None:
    line.wait()
    line.turn()

    line.chain.mine(line.hashes(refund)[winner])
    line.turn()

    assert line.status(refund)[::2] == (RefundStatus.REFUNDED, PayoutStatus.SUCCEEDED)
    assert line.house.see(refund)["payouts"][0]["tx_hash"] == line.hashes(refund)[winner]
    assert line.chain.moved() == [(SENDER, COIN)]


def test_what_an_empty_wallet_cannot_pay_for_is_not_made_dearer_and_goes_on_once_there_is_money(line: Line) -> None:
    line.chain.answers = SendAnswer.FUNDS_TOO_LOW
    refund = line.queue()
    line.turn()

    for _ in range(3):
        line.wait()
        line.turn()
    assert line.chain.broadcasts == line.hashes(refund) * 4

    line.chain.answers = None
    line.wait()
    line.turn()
    line.wait()
    line.turn()
    assert len(line.stored(refund)) == 2


def test_at_the_cap_the_old_bytes_are_sent_again_and_a_person_hears_of_it(line: Line, refund: str) -> None:
    line.chain.fee_cap = 11
    line.wait()

    line.turn()

    assert line.chain.broadcasts == line.hashes(refund) * 2
    assert line.house.findings() == ["payout_stuck"]
    assert line.status(refund)[0] == RefundStatus.PAYING


def test_a_nonce_that_blocks_have_used_is_not_outbid_while_its_receipt_is_late(line: Line, refund: str) -> None:
    line.chain.nonce = 1
    line.wait()

    line.turn()

    assert len(line.stored(refund)) == 1
    assert line.status(refund)[::2] == (RefundStatus.PAYING, PayoutStatus.UNKNOWN)
