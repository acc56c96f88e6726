"""From which nonce on a wallet is ours is said by people: a database that forgot it must not believe the chain."""

from pathlib import Path

import pytest

from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from ledger.tables import Wallet
from ledger.wallets import Wallets
from tests.activities.line import Line
from tests.activities.test_pauses import start
from tests.activities.test_restored import Backup, reconcile
from tests.fakes import CHAIN_ID, SENDER, WALLET
from tests.workflows.house import COIN

RETURNED = (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REFUSED, PayoutStatus.REFUSED)


@pytest.fixture
def forgotten(line: Line, tmp_path: Path) -> str:
    """A refund that was paid under the wallet's first nonce, and is queued again in an older database."""
    line.chain.mines_at_once = True
    refund = line.queue()
    backup = Backup(line, tmp_path / "backup.sqlite")
    line.turn()
    line.turn()
    assert line.status(refund)[0] == RefundStatus.REFUNDED
    line.chain.nonce = line.chain.nonce_finalized = 1
    backup.restore()
    return refund


def told(line: Line) -> str:
    """Return what the start and `refunds doctor` say of the wallet."""
    return Wallets(line.house.database, line.house.policy).stranger(CHAIN_ID, WALLET, line.chain.view()) or ""


def count(line: Line) -> tuple[int, int]:
    with line.house.database.read() as session:
        wallet = session.get_one(Wallet, (CHAIN_ID, WALLET))
        return wallet.first_nonce, wallet.next_nonce


def test_a_database_older_than_the_first_nonce_pays_nothing_again(line: Line, forgotten: str) -> None:
    for turn in range(3):
        line.turn(turn)
        line.wait()

    assert (line.pause_reason(), line.nonce(forgotten)) == ("nonce_drift", None)
    assert line.chain.moved() == [(SENDER, COIN)]


def test_while_what_it_forgot_is_not_final_it_waits(line: Line, forgotten: str) -> None:
    line.chain.nonce_finalized = 0

    line.turn()

    assert (line.pause_reason(), line.nonce(forgotten)) == (None, None)
    assert line.chain.moved() == [(SENDER, COIN)]


def test_reconciliation_does_not_teach_it_the_chains_count(line: Line, forgotten: str) -> None:
    reconcile(line)

    line.turn()

    assert count(line) == (0, 0)
    assert "paid_not_booked" in line.house.findings()
    assert line.chain.moved() == [(SENDER, COIN)]


def test_two_people_adopt_what_is_explained_and_what_was_paid_stays_paid_once(line: Line, forgotten: str) -> None:
    line.turn()
    reconcile(line)

    assert not start(line, "ann", "bob", adopt_nonce=1)

    assert line.status(forgotten) == RETURNED
    line.turn()
    assert line.chain.moved() == [(SENDER, COIN)]


def test_a_wallet_with_a_past_is_told_with_what_to_do(line: Line) -> None:
    line.chain.nonce = line.chain.nonce_finalized = 7
    before = told(line)

    line.turn()

    for said in (before, told(line)):
        assert "--adopt-nonce 7" in said
        assert "first_nonce = 7" in said
    (paused,) = line.house.views.open_findings()
    assert (paused["evidence"]["first_nonce"], paused["evidence"]["finalized_nonce"]) == (0, 7)


def test_a_wallet_that_was_used_before_begins_at_the_nonce_that_people_say(line: Line) -> None:
    line.chain.first_nonce = line.chain.nonce = line.chain.nonce_finalized = 7
    refund = line.queue()

    line.turn()

    assert (line.pause_reason(), line.nonce(refund), told(line)) == (None, 7, "")


def test_a_count_that_people_raise_later_brings_the_queue_before_them_and_starts_nothing(line: Line) -> None:
    line.chain.nonce = line.chain.nonce_finalized = 7
    refund = line.queue()
    line.turn()
    line.chain.first_nonce = 7

    line.turn()

    assert (count(line), line.pause_reason()) == ((7, 7), "nonce_drift")
    assert line.status(refund) == RETURNED
    assert not start(line, "ann", "bob")
    assert line.pause_reason() is None


def test_once_a_nonce_was_assigned_the_settings_move_the_count_no_more(line: Line) -> None:
    line.queue()
    line.turn()
    line.chain.first_nonce = line.chain.nonce = 7

    line.turn()

    assert count(line) == (0, 1)


def test_a_first_nonce_that_the_chain_has_not_reached_assigns_nothing(line: Line) -> None:
    line.chain.first_nonce = 3
    refund = line.queue()

    line.turn()

    assert line.nonce(refund) is None
    assert "mend the chains file" in told(line)
    line.chain.nonce = line.chain.nonce_finalized = 3
    line.turn()
    assert line.nonce(refund) == 3
