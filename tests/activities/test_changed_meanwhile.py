"""A person's word that was right when it was said, and acts on a chain that moved on since."""

import pytest

from domain.decisions import ResolutionAction
from domain.refunds import RefundStatus
from tests.activities.line import Line

MONEY_ACTS = [ResolutionAction.RETRY, ResolutionAction.GIVE_UP, ResolutionAction.PAID_OUTSIDE]


@pytest.fixture
def reverted(line: Line) -> str:
    """A refund whose payout reverted in a block that may still be left."""
    return line.reverted()


def said(line: Line, refund: str, action: ResolutionAction) -> None:
    line.house.resolve(refund, action, evidence="0x01" if action == ResolutionAction.PAID_OUTSIDE else None)


@pytest.mark.parametrize("action", MONEY_ACTS)
def test_nothing_is_paid_again_or_given_back_once_a_dead_payout_left_its_block(
    line: Line, reverted: str, action: ResolutionAction
) -> None:
    said(line, reverted, action)
    line.chain.reorg(line.hashes(reverted)[0])
    line.turn()

    line.steps.read_records(reverted)

    assert line.status(reverted)[0] == RefundStatus.NEEDS_ATTENTION
    assert line.house.see(reverted)["attempt"] == 1
    assert line.house.books() == {"held": 2000}
    assert "resolution.refused" in line.house.events(reverted)


@pytest.mark.parametrize("action", [ResolutionAction.RETRY, ResolutionAction.GIVE_UP])
def test_nothing_is_paid_again_or_given_back_once_a_dead_payout_moved(
    line: Line, reverted: str, action: ResolutionAction
) -> None:
    said(line, reverted, action)
    (tx_hash,) = line.hashes(reverted)
    line.chain.mines_without_moving = False
    line.chain.mine(tx_hash)
    line.turn()
    assert "dead_payout_moved" in line.house.findings()

    line.steps.read_records(reverted)

    assert line.status(reverted)[0] == RefundStatus.NEEDS_ATTENTION
    assert line.house.see(reverted)["attempt"] == 1
    assert line.house.books() == {"held": 2000}


@pytest.mark.parametrize("action", MONEY_ACTS)
def test_while_it_stays_dead_the_word_acts(line: Line, reverted: str, action: ResolutionAction) -> None:
    said(line, reverted, action)

    line.steps.read_records(reverted)

    assert line.status(reverted)[0] != RefundStatus.NEEDS_ATTENTION
    assert "resolution.refused" not in line.house.events(reverted)
