"""Sending: one nonce after the other, the same bytes again while no block has them, nothing that was not stored."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from domain.outbox import IN_FLIGHT_MAX
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from domain.transfers import ForeignUse, SendAnswer, WalletView
from ledger.tables import ChainTransaction
from tests.activities.line import Line
from tests.activities.steps import Steps
from tests.fakes import SENDER, FakeChain
from tests.workflows.house import COIN, House


@dataclass
class BusyChain(FakeChain):
    """Something happens just after the wallet was looked at."""

    then: Callable[[], object] | None = None

    def view(self, *, for_signing: bool = True) -> WalletView:
        found = super().view(for_signing=for_signing)
        then, self.then = self.then, None
        if then is not None:
            then()
        return found


def test_a_payout_that_came_after_the_view_gets_its_nonce_by_the_next_one(house: House) -> None:
    refunds: list[str] = []
    chain = BusyChain(mines_at_once=False)
    line = Line(Steps(house, chain))
    chain.then = lambda: refunds.append(line.queue())

    line.turn(1)
    late = line.nonce(refunds[0])
    findings = house.findings()
    line.turn(2)

    assert (late, findings) == (None, [])
    assert line.nonce(refunds[0]) == 0


def test_nonces_are_sent_in_their_order(line: Line) -> None:
    refunds = [line.queue(f"dep_{number}") for number in range(4)]

    line.turn()

    assert line.chain.nonces() == [0, 1, 2, 3]
    assert sorted(line.nonce(refund) or 0 for refund in refunds) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "answer", [SendAnswer.UNCLEAR, SendAnswer.FUNDS_TOO_LOW, SendAnswer.FEE_TOO_LOW, SendAnswer.NOT_SENDABLE], ids=str
)
def test_nothing_overtakes_a_nonce_that_no_node_has_taken(line: Line, answer: SendAnswer) -> None:
    for number in range(3):
        line.queue(f"dep_{number}")
    line.chain.answers = answer

    for _ in range(3):
        line.turn()
        line.wait(blocks=0)

    assert len(set(line.chain.broadcasts)) == 1
    line.chain.answers = None
    line.turn()
    assert line.chain.nonces() == [0, 1, 2]


def test_the_same_bytes_are_sent_again_and_again_but_ever_more_slowly(line: Line) -> None:
    refund = line.queue()
    sent = []
    for _ in range(60):
        line.turn()
        line.house.clock.advance(2)
        sent.append(len(line.chain.broadcasts))

    assert set(line.chain.broadcasts) == set(line.hashes(refund))
    assert sent[0] == 1
    assert 4 <= sent[-1] <= 8


def test_a_payout_that_left_its_block_is_sent_again_at_once_with_the_same_bytes(line: Line) -> None:
    refund = line.queue()
    line.turn()
    (tx_hash,) = line.hashes(refund)
    line.chain.mine(tx_hash, is_final=False, is_buried=False)
    line.turn()
    assert line.status(refund)[2] == PayoutStatus.PENDING

    line.wait()
    line.chain.reorg(tx_hash)
    line.turn()

    assert line.chain.broadcasts == [tx_hash, tx_hash]
    assert (line.status(refund)[2], line.nonce(refund)) == (PayoutStatus.UNKNOWN, 0)


def test_a_paid_refund_whose_block_vanished_reopens_and_is_paid_by_the_same_bytes(line: Line) -> None:
    refund = line.queue()
    line.turn()
    (tx_hash,) = line.hashes(refund)
    line.chain.mine(tx_hash, is_buried=False)
    line.turn()
    assert line.status(refund)[0] == RefundStatus.REFUNDED

    line.chain.reorg(tx_hash)
    line.turn()
    assert line.status(refund)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REORGED)
    line.chain.mine(tx_hash)
    line.turn()

    assert line.status(refund)[0] == RefundStatus.REFUNDED
    assert (line.hashes(refund), line.chain.moved()) == ([tx_hash], [(SENDER, COIN)])
    assert line.house.books() == {"refunded": 2000}


def test_no_more_than_sixteen_are_in_flight(line: Line) -> None:
    for number in range(IN_FLIGHT_MAX + 3):
        line.queue(f"dep_{number}")

    for _ in range(3):
        line.turn()
    assert len(line.chain.sent) == IN_FLIGHT_MAX

    line.chain.mine(next(iter(line.chain.sent)), is_final=False, is_buried=False)
    line.turn()
    line.turn()
    assert len(line.chain.sent) == IN_FLIGHT_MAX + 1


def test_bytes_that_say_something_else_are_never_sent_and_stop_the_wallet(line: Line) -> None:
    refund, other = line.queue(), line.queue("dep_2")
    line.chain.dies_before_sending = True
    with pytest.raises(KeyboardInterrupt):
        line.turn()
    line.chain.dies_before_sending = False
    first = min((refund, other), key=lambda it: line.nonce(it) or 0)
    with line.house.database.write() as session:
        (stored,) = session.query(ChainTransaction).filter_by(refund_id=first).all()
        stored.raw = stored.raw.replace(SENDER.encode(), b"0x" + b"66" * 20)

    report = line.turn()

    assert line.chain.broadcasts == []
    assert line.pause_reason() == "bytes_differ"
    assert line.status(first)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_UNKNOWN)
    assert first in report.changed
    third = line.queue("dep_3")
    line.turn()
    assert line.nonce(third) is None


def test_a_turn_asks_for_no_receipt_of_a_nonce_that_no_block_has_used(line: Line) -> None:
    refund = line.queue()
    line.turn()
    line.chain.looks.clear()

    line.turn(1)
    assert line.chain.looks == []
    line.chain.mine(line.hashes(refund)[0])
    line.turn(2)

    assert line.chain.looks == line.hashes(refund)
    assert line.status(refund)[0] == RefundStatus.REFUNDED


def test_now_and_then_every_payout_is_looked_at_whatever_the_counts_say(line: Line) -> None:
    refund = line.queue()
    line.turn()
    line.chain.mine(line.hashes(refund)[0])
    line.chain.hides_counts = True

    line.turn(14)
    assert line.status(refund)[2] == PayoutStatus.UNKNOWN
    line.turn(15)

    assert line.status(refund)[2] == PayoutStatus.SUCCEEDED


def test_a_mined_payout_is_looked_at_again_only_when_its_block_may_be_final(line: Line) -> None:
    refund = line.queue()
    line.turn()
    line.chain.mine(line.hashes(refund)[0], is_final=False, is_buried=False)
    line.chain.final = 8
    line.turn(1)
    line.chain.looks.clear()

    line.turn(2)
    assert line.chain.looks == []
    line.chain.final = 9
    line.turn(3)

    assert line.chain.looks == line.hashes(refund)


def test_a_paid_payout_whose_receipt_is_hidden_stays_paid_unless_its_nonce_went_elsewhere(line: Line) -> None:
    refund = line.queue()
    line.turn()
    paid = line.hashes(refund)[0]
    line.chain.mine(paid, is_buried=False)
    line.turn()
    line.chain.reorg(paid)
    line.chain.nonce = 1  # and yet its nonce counts as used

    line.turn()
    hidden = line.status(refund)
    line.chain.foreign[0] = ForeignUse(nonce=0, finalized_nonces=(1, 1), tx_hash="0xf0")
    line.turn()

    assert hidden[0] == RefundStatus.REFUNDED
    assert line.status(refund)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REORGED)


def test_while_the_chain_cannot_be_read_signed_bytes_are_sent_and_people_hear_of_what_waits(line: Line) -> None:
    refund = line.queue()
    line.turn()
    waiting = line.queue("dep_2")
    line.chain.is_away = True
    line.wait(301)

    line.turn()

    assert line.chain.broadcasts == [line.hashes(refund)[0]] * 2
    assert line.nonce(waiting) is None
    assert line.house.findings() == ["payout_delayed"]


def test_what_waits_for_the_chain_takes_no_turn_to_write_while_that_is_no_news(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = line.queue()
    line.chain.is_away = True
    monkeypatch.setattr(line.house.database, "write", lambda: pytest.fail("it wrote"))

    line.turn()

    assert line.nonce(refund) is None
