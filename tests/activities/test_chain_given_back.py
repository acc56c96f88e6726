"""A hold of a chain deposit is given back only while none of its payouts may still pay, or has paid."""

from collections.abc import Callable
from pathlib import Path

import pytest

from domain.decisions import ResolutionAction
from domain.errors import Conflict
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from tests.activities.line import Line
from tests.activities.test_pauses import start
from tests.activities.test_restored import Backup, reconcile


def rejected(line: Line, refund: str) -> None:
    line.house.reject(refund)
    line.steps.read_records(refund)


def withdrawn(line: Line, refund: str) -> None:
    line.house.withdraw(refund)
    line.steps.read_records(refund)


def ineligible(line: Line, refund: str) -> None:
    """Somebody used the deposit for goods that are delivered already."""
    line.house.approve(refund)
    line.house.order("o_1", "charged", delivered=True)
    line.steps.begin(refund)


WAYS = [rejected, withdrawn, ineligible]


@pytest.fixture
def asked_again(line: Line) -> str:
    """A refund whose payout reverted in a block that may still be left, and whose next attempt waits for approval."""
    refund = line.reverted()
    line.house.resolve(refund, ResolutionAction.RETRY)
    line.steps.read_records(refund)
    assert line.house.see(refund)["status"] == RefundStatus.AWAITING_APPROVAL
    return refund


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_given_back_while_an_earlier_attempt_is_in_no_block(
    line: Line, asked_again: str, way: Callable[[Line, str], None]
) -> None:
    line.chain.reorg(line.hashes(asked_again)[0])
    line.turn()

    way(line, asked_again)

    assert "spendable" not in line.house.books()
    assert line.house.see(asked_again)["waiting_for"] == "operator"


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_given_back_once_an_earlier_attempt_moved(
    line: Line, asked_again: str, way: Callable[[Line, str], None]
) -> None:
    line.chain.mines_without_moving = False
    line.chain.mine(line.hashes(asked_again)[0])
    line.turn()
    assert "dead_payout_moved" in line.house.findings()

    way(line, asked_again)

    assert "spendable" not in line.house.books()
    assert line.house.see(asked_again)["status"] == RefundStatus.NEEDS_ATTENTION


@pytest.fixture
def forgotten(line: Line, tmp_path: Path) -> str:
    """A refund that waits for approval by a restored database, and that the chain shows as paid."""
    line.chain.mines_at_once = True
    line.queue("dep_0")
    line.turn()
    line.house.deposit("dep_1", rail="crypto")
    refund = line.house.accept("dep_1", rail="crypto", deposit_id="dep_1")
    line.steps.check(refund)
    backup = Backup(line, tmp_path / "backup.sqlite")
    line.house.approve(refund)
    line.steps.begin(refund)
    line.turn()
    line.turn()
    assert line.status(refund)[0] == RefundStatus.REFUNDED
    line.chain.nonce = line.chain.nonce_finalized = 2
    backup.restore()
    reconcile(line)
    assert "paid_not_booked" in line.house.findings()
    return refund


@pytest.mark.parametrize("way", [rejected, withdrawn])
def test_nothing_is_given_back_that_a_reconciliation_found_paid(
    line: Line, forgotten: str, way: Callable[[Line, str], None]
) -> None:
    way(line, forgotten)

    assert "spendable" not in line.house.books()
    assert line.house.see(forgotten)["status"] == RefundStatus.NEEDS_ATTENTION


def test_giving_up_what_a_reconciliation_found_paid_is_refused(line: Line, forgotten: str) -> None:
    line.turn()
    start(line, "ann", "bob", adopt_nonce=2)
    line.house.approve(forgotten)
    line.steps.begin(forgotten)
    line.turn()
    assert line.status(forgotten)[2] == PayoutStatus.REFUSED

    with pytest.raises(Conflict):
        line.house.resolve(forgotten, ResolutionAction.GIVE_UP)

    assert line.house.books()["held"] == 2000


@pytest.fixture
def given_up(line: Line) -> str:
    """A refund that a person gave up after its payout had reverted, in a block that may still be left."""
    refund = line.reverted()
    line.house.resolve(refund, ResolutionAction.GIVE_UP)
    line.steps.read_records(refund)
    assert line.house.see(refund)["status"] == RefundStatus.REJECTED
    line.chain.mines_without_moving = False
    return refund


def queued_anew(line: Line) -> str:
    """Bring another ticket's refund of the same deposit to its queued payout."""
    refund = line.house.accept("again", rail="crypto", deposit_id="dep_1")
    line.steps.check(refund)
    line.house.approve(refund)
    line.steps.begin(refund)
    assert line.status(refund)[2] == PayoutStatus.QUEUED
    return refund


def test_another_ticket_is_not_paid_while_a_payout_of_its_deposit_is_in_no_block(line: Line, given_up: str) -> None:
    (old,) = line.hashes(given_up)
    line.chain.reorg(old)
    line.turn()
    again = queued_anew(line)

    line.turn()
    line.turn()
    assert line.nonce(again) is None
    line.chain.mine(line.hashes(given_up)[-1])
    line.turn()

    line.turn()
    assert line.nonce(again) == 1


def test_another_ticket_is_not_paid_once_a_dead_payout_of_its_deposit_moved(line: Line, given_up: str) -> None:
    again = queued_anew(line)
    (old,) = line.hashes(given_up)
    line.chain.reorg(old)
    line.chain.mine(old)

    line.turn()
    line.turn()

    assert "dead_payout_moved" in line.house.findings()
    assert line.stored(again) == []
    assert line.status(again)[:2] == (RefundStatus.NEEDS_ATTENTION, "payout_refused")
