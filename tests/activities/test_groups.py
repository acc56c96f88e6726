"""Payouts that go in one turn: each for itself, whatever becomes of the others, and whenever a worker dies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from domain.outbox import IN_FLIGHT_MAX
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from domain.transfers import SendAnswer
from tests.activities.line import Line
from tests.activities.steps import Steps
from tests.fakes import SENDER, FakeChain
from tests.workflows.house import COIN, House

STRANGER = "0x" + 40 * "7"
GROUP = 5


@dataclass
class MortalChain(FakeChain):
    """The worker dies when it is about to send once more than it may."""

    sends_left: int | None = None
    mines_at_once: bool = False

    def broadcast(self, raw: bytes) -> SendAnswer:
        if self.sends_left == 0:
            raise KeyboardInterrupt
        self.sends_left = None if self.sends_left is None else self.sends_left - 1
        return super().broadcast(raw)


@pytest.fixture
def mortal(house: House) -> tuple[Line, MortalChain]:
    chain = MortalChain()
    return Line(Steps(house, chain)), chain


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing be written any more from the moment on in which the worker dies."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dead:
        dead.setattr("ledger.outbox.Outbox.record_sends", die)
        with pytest.raises(KeyboardInterrupt):
            yield


@pytest.mark.parametrize(
    ("spoil", "becomes"),
    [
        pytest.param(
            lambda chain: chain.refuses.add(STRANGER), RefundStatus.NEEDS_ATTENTION, id="its dry run is refused"
        ),
        pytest.param(lambda chain: chain.unclear_about.add(STRANGER), RefundStatus.PAYING, id="its estimate fails"),
    ],
)
def test_what_keeps_the_third_of_a_group_leaves_no_gap_and_stops_nobody(
    line: Line, spoil: Callable[[FakeChain], None], becomes: RefundStatus
) -> None:
    refunds = [line.queue(f"dep_{number}", STRANGER if number == 2 else SENDER) for number in range(GROUP)]
    spoil(line.chain)

    line.turn()

    assert [line.nonce(it) for it in refunds] == [0, 1, None, 2, 3]
    assert line.chain.nonces() == [0, 1, 2, 3]
    assert line.status(refunds[2])[0] == becomes
    line.chain.unclear_about.clear()
    line.turn(1)
    assert line.nonce(refunds[2]) == (4 if becomes == RefundStatus.PAYING else None)


def test_the_oldest_that_cannot_go_for_long_do_not_stop_those_behind_them(line: Line) -> None:
    line.chain.unclear_about.add(STRANGER)
    stuck = [line.queue(f"dep_stuck_{number}", STRANGER) for number in range(2 * IN_FLIGHT_MAX + 1)]
    late = line.queue("dep_late")

    for turn in range(1, 4):
        line.turn(turn)

    assert line.nonce(late) == 0
    assert [line.nonce(it) for it in stuck] == [None] * len(stuck)


@pytest.mark.parametrize("sent", [0, 2, GROUP], ids=["before the first", "midway", "after the last"])
def test_a_worker_that_dies_while_it_sends_a_group_has_paid_each_once_with_the_stored_bytes(
    mortal: tuple[Line, MortalChain], sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, chain = mortal
    refunds = [line.queue(f"dep_{number}") for number in range(GROUP)]
    chain.sends_left = sent
    with dying(monkeypatch):
        line.turn()
    stored = [hash for it in refunds for hash in line.hashes(it)]
    in_order = sorted(stored, key=lambda it: next(line.nonce(r) or 0 for r in refunds if it in line.hashes(r)))
    assert len(stored) == GROUP
    assert chain.broadcasts == in_order[:sent]

    chain.sends_left = None
    line.turn()
    for tx_hash in in_order:
        chain.mine(tx_hash)
    line.turn(15)

    assert chain.broadcasts == [*in_order[:sent], *in_order]
    assert [hash for it in refunds for hash in line.hashes(it)] == stored
    assert chain.moved() == [(SENDER, COIN)] * GROUP
    assert {line.status(it)[2] for it in refunds} == {PayoutStatus.SUCCEEDED}


def test_a_worker_that_dies_with_a_group_signed_and_not_committed_has_used_no_nonce(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    refunds = [line.queue(f"dep_{number}") for number in range(GROUP)]

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dead:
        dead.setattr("ledger.assigning.store", die)
        with pytest.raises(KeyboardInterrupt):
            line.turn()

    assert [line.nonce(it) for it in refunds] == [None] * GROUP
    assert line.chain.broadcasts == []
    line.turn()
    assert line.chain.nonces() == list(range(GROUP))


def test_a_second_worker_in_the_middle_of_a_group_sends_the_same_bytes_and_pays_each_once(
    house: House,
) -> None:
    chain = MeanwhileChain()
    line = Line(Steps(house, chain))
    refunds = [line.queue(f"dep_{number}") for number in range(GROUP)]
    chain.meanwhile = lambda: line.turn(1)

    line.turn()

    assert chain.meanwhile is None
    assert {len(line.hashes(it)) for it in refunds} == {1}
    assert sorted(line.nonce(it) or 0 for it in refunds) == list(range(GROUP))
    assert chain.nonces() == list(range(GROUP))
    assert set(chain.broadcasts) == {line.hashes(it)[0] for it in refunds}


@dataclass
class MeanwhileChain(FakeChain):
    """Another worker takes its turn just before the third broadcast of this one."""

    meanwhile: Callable[[], object] | None = None
    mines_at_once: bool = False

    def broadcast(self, raw: bytes) -> SendAnswer:
        if len(self.broadcasts) == 2 and self.meanwhile is not None:
            then, self.meanwhile = self.meanwhile, None
            then()
        return super().broadcast(raw)
