"""What fresh eyes tried: each of these once paid twice, or booked what was not so."""

import pytest

from domain.decisions import ResolutionAction
from domain.errors import Conflict
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from domain.transfers import ForeignUse
from ledger.outbox import Outbox
from ledger.sightings import Sightings
from tests.activities.line import Line
from tests.fakes import CHAIN_ID, SENDER, WALLET
from tests.workflows.house import COIN

CANCEL, RETRY = ResolutionAction.CANCEL_NONCE, ResolutionAction.RETRY


def test_an_attempt_that_pays_after_its_cancel_was_final_keeps_the_next_one_from_paying(line: Line) -> None:
    refund = line.queue()
    line.turn()
    line.chain.fee_cap = 11
    line.wait()
    line.turn()
    line.chain.fee_cap = 1000
    line.house.resolve(refund, CANCEL)
    line.turn()
    pay, cancel = line.hashes(refund)
    line.chain.mine(cancel, is_buried=False)
    line.turn()
    line.house.resolve(refund, RETRY)
    line.steps.read_records(refund)
    line.house.approve(refund)
    line.steps.begin(refund)

    line.chain.reorg(cancel)  # deeper than finality, and the old bytes are faster this time
    line.chain.mine(pay, is_buried=False)
    line.turn()
    line.turn()

    assert "dead_payout_moved" in line.house.findings()
    assert line.stored(refund, attempt=2) == []
    assert line.status(refund)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REFUSED)
    assert line.chain.moved() == [(SENDER, COIN)]


def test_an_endpoint_that_calls_less_final_than_before_reopens_no_paid_refund(line: Line) -> None:
    refund = line.queue()
    line.turn()
    line.chain.mine(line.hashes(refund)[0], is_buried=False)
    line.turn()
    assert line.status(refund)[0] == RefundStatus.REFUNDED

    line.chain.mine(line.hashes(refund)[0], is_final=False, is_buried=False)
    line.turn()

    assert line.status(refund)[::2] == (RefundStatus.REFUNDED, PayoutStatus.SUCCEEDED)
    assert line.house.books() == {"refunded": 2000}


def test_an_endpoint_that_calls_less_final_than_before_says_of_no_reverted_payout_that_it_moved(line: Line) -> None:
    refund = line.reverted()

    line.chain.mine(line.hashes(refund)[0], is_final=False, is_buried=False)
    line.turn()

    assert "dead_payout_moved" not in line.house.findings()


def test_a_worker_that_saw_less_takes_nothing_back_that_another_has_booked(line: Line) -> None:
    refund = line.queue()
    line.turn()
    line.chain.mine(line.hashes(refund)[0], is_final=False, is_buried=False)
    line.turn()
    database = line.house.database
    (slow,) = Outbox(database).sent(CHAIN_ID, WALLET)
    line.chain.mine(line.hashes(refund)[0], is_buried=False)
    line.turn()

    Sightings(database, line.house.policy).record_sighting(slow, None, None)

    assert line.status(refund)[::2] == (RefundStatus.REFUNDED, PayoutStatus.SUCCEEDED)


def test_the_counts_of_a_new_wallet_say_nothing_of_the_old_ones_payouts(line: Line) -> None:
    refund = line.queue()
    line.turn()
    line.chain.wallet = "0x" + "cc" * 20
    line.chain.nonce = line.chain.nonce_finalized = 5
    line.chain.foreign[0] = ForeignUse(nonce=0, finalized_nonces=(5, 5))
    line.turn()
    line.house.clock.advance(601)
    line.turn()
    assert line.pause_reason() is None
    assert line.status(refund)[::2] == (RefundStatus.PAYING, PayoutStatus.UNKNOWN)

    line.chain.mine(line.hashes(refund)[0])
    line.turn()
    assert line.status(refund)[0] == RefundStatus.REFUNDED


def test_a_nonce_that_forgotten_bytes_of_ours_used_is_not_paid_again(line: Line) -> None:
    """A backup from before a fee was raised: the raised bytes paid, and the database knows only the first ones."""
    refund = line.queue()
    line.turn()
    first = line.hashes(refund)[0]
    raised = "0x" + "77" * 32
    line.chain.sent[raised] = line.chain.sent[first]
    line.chain.mine(raised)
    line.chain.nonce = line.chain.nonce_finalized = 1
    line.chain.foreign[0] = ForeignUse(nonce=0, finalized_nonces=(1, 1), tx_hash=raised)
    line.turn()
    line.house.clock.advance(601)
    line.turn()
    line.house.resolve(refund, CANCEL)
    line.turn()
    assert line.status(refund)[2] == PayoutStatus.CANCELED
    line.chain.foreign[0] = line.chain.foreign[0].model_copy(update={"final_block": 5, "buried_block": 5})
    line.turn()

    with pytest.raises(Conflict) as refused:
        line.house.resolve(refund, RETRY)

    assert refused.value.rule == "no_moved_payout"
