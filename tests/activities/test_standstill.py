"""What keeps a wallet or a payout standing is never silent: it pauses, or a person is told."""

import pytest

from domain.refunds import RefundStatus, StatusReason
from ledger.wallets import Wallets
from tests.activities.line import Line
from tests.fakes import CHAIN_ID, WALLET


@pytest.fixture
def refund(line: Line) -> str:
    """A refund whose payout was sent, and is in no block."""
    refund = line.queue()
    line.turn()
    return refund


def test_a_contradiction_that_only_some_turns_come_upon_stops_the_wallet_too(line: Line, refund: str) -> None:
    line.chain.disputes_looks = True
    line.turn(0)
    for turn in range(1, 12):  # none of these looks at a payout that no count calls used
        line.house.clock.advance(26)
        line.turn(turn)
    assert line.pause_reason() is None
    line.house.clock.advance(26)

    line.turn(15)

    assert line.pause_reason() == "endpoints_disagree"


def test_a_silence_between_two_contradictions_is_no_agreement(line: Line, refund: str) -> None:
    line.chain.disputes = "nonces"
    line.turn()
    line.chain.disputes, line.chain.is_away = "", True
    line.house.clock.advance(200)
    line.turn()
    line.chain.disputes, line.chain.is_away = "nonces", False
    line.house.clock.advance(101)

    line.turn()

    assert line.pause_reason() == "endpoints_disagree"


def test_one_contradiction_and_silence_after_it_stop_no_wallet(line: Line, refund: str) -> None:
    line.chain.disputes = "nonces"
    line.turn()
    line.chain.disputes, line.chain.is_away = "", True
    line.house.clock.advance(1000)

    line.turn()

    assert line.pause_reason() is None


def test_an_idle_wallet_whose_endpoints_agree_again_begins_the_wait_anew(line: Line) -> None:
    line.turn()
    watch = Wallets(line.house.database, line.house.policy).watch
    for _ in range(3):
        watch(CHAIN_ID, WALLET, None, "nonces")
        line.house.clock.advance(900)
        watch(CHAIN_ID, WALLET, line.chain.view(), None)

    assert line.pause_reason() is None


def test_a_high_count_in_a_pool_is_told_once_it_has_kept_payouts_back_for_long(line: Line, refund: str) -> None:
    line.chain.in_pool = 3
    waiting = line.queue("dep_2")
    line.turn()
    assert line.house.findings() == []
    line.house.clock.advance(301)

    line.turn()

    (told,) = line.house.views.open_findings()
    assert (told["kind"], told["refund_id"], line.nonce(waiting)) == ("payout_delayed", waiting, None)
    assert "endpoints know 3 nonces" in told["evidence"]["cause"]


def test_a_bug_that_one_payout_meets_stops_no_other_and_is_told(line: Line, refund: str) -> None:
    second = line.queue("dep_2")
    line.turn()
    line.chain.fails_at.add(line.hashes(refund)[0])
    line.chain.mine(line.hashes(second)[0])
    waiting = line.queue("dep_3")

    line.turn()

    assert line.status(second)[0] == RefundStatus.REFUNDED
    assert line.nonce(waiting) == 2
    (told,) = line.house.views.open_findings()
    assert (told["kind"], told["refund_id"]) == ("payout_delayed", refund)
    assert "ZeroDivisionError" in told["evidence"]["cause"]


def test_code_that_came_to_the_wallet_is_found_before_the_next_nonce(line: Line, refund: str) -> None:
    line.chain.has_code = True
    waiting = line.queue("dep_2")

    line.turn(1)

    assert (line.pause_reason(), line.nonce(waiting)) == ("wallet_has_code", None)


def test_a_paid_payout_in_another_block_of_the_same_height_is_not_taken_for_the_same(line: Line, refund: str) -> None:
    (tx_hash,) = line.hashes(refund)
    line.chain.mine(tx_hash, is_buried=False)
    line.turn()
    assert line.status(refund)[0] == RefundStatus.REFUNDED
    seen = line.chain.mined[tx_hash]
    line.chain.mined[tx_hash] = seen.model_copy(update={"block_hash": "0xc", "is_final": False})

    line.turn()

    assert line.status(refund)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REORGED)


async def test_a_chain_with_slow_blocks_is_asked_as_slowly(line: Line, refund: str) -> None:
    await line.steps.wake_wallet(refund)
    fast = line.steps.wallet_runs.block_seconds
    line.chain.block_seconds = 12

    await line.steps.wake_wallet(refund)

    assert (fast, line.steps.wallet_runs.block_seconds) == (line.house.policy.handling.wallet_block_seconds, 12)
