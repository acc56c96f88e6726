"""A database that was restored from a backup: it has forgotten what it paid, and pays none of it again."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.books import BooksActivities
from domain.book_runs import ChainPage, CloseBooks, OpenBooks, ScopeReport
from domain.decisions import ResolutionAction
from domain.errors import Conflict
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from ledger.booked import Booked
from ledger.findings import Findings
from ledger.reconciliations import Reconciliations
from tests.activities.line import Line
from tests.activities.test_pauses import start
from tests.fakes import CHAIN_ID, SENDER, WALLET
from tests.workflows.house import COIN


class Backup:
    """The database as it was at one moment."""

    def __init__(self, line: Line, path: Path) -> None:
        self._database, self._path = line.house.database, path
        _copy(str(self._database.url.database), str(path))

    def restore(self) -> None:
        self._database.close()
        _copy(str(self._path), str(self._database.url.database))


def _copy(source: str, target: str) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


def reconcile(line: Line, name: str = "r1") -> None:
    """Compare the wallet's page, and close what is gone, as a reconciliation does."""
    database = line.house.database
    books = BooksActivities(
        card=None,
        chains={CHAIN_ID: line.chain},
        wallets={CHAIN_ID: WALLET},
        booked=Booked(database, line.house.policy),
        reconciliations=Reconciliations(database),
    )
    line.house.clock.advance(1)
    asked = OpenBooks(reconciliation_id=name, days=45, grace_seconds=0)
    plan = ActivityEnvironment().run(books.open_books, asked)
    page = ActivityEnvironment().run(books.compare_wallet, ChainPage(plan=plan, chain_id=CHAIN_ID))
    scope = ScopeReport(scope=f"chain/{CHAIN_ID}").plus(page)
    ActivityEnvironment().run(books.close_books, CloseBooks(plan=plan, scopes=(scope,)))


@pytest.fixture
def forgotten(line: Line, tmp_path: Path) -> str:
    """A refund that was paid after the backup was made, and is queued again since it was restored."""
    line.chain.mines_at_once = True
    line.queue("dep_0")
    line.turn()
    refund = line.queue()
    backup = Backup(line, tmp_path / "backup.sqlite")
    line.turn()
    line.turn()
    assert line.status(refund)[0] == RefundStatus.REFUNDED
    line.chain.nonce = line.chain.nonce_finalized = 2
    backup.restore()
    assert line.status(refund)[2] == PayoutStatus.QUEUED
    return refund


def test_a_restored_database_pauses_its_wallet_and_sends_nothing(line: Line, forgotten: str) -> None:
    line.turn()

    assert (line.pause_reason(), line.nonce(forgotten)) == ("nonce_drift", None)
    assert line.chain.nonces() == [0, 1]


@pytest.mark.parametrize(
    ("adopt_nonce", "rule"),
    [(None, "nonces_explained"), (1, "nonces_explained"), (2, "nonces_explained"), (3, "nonce_is_final")],
    ids=["not named", "too low", "not reconciled", "more than the chain has used"],
)
def test_it_does_not_start_before_every_nonce_is_explained(
    line: Line, forgotten: str, adopt_nonce: int | None, rule: str
) -> None:
    line.turn()

    with pytest.raises(Conflict) as refused:
        start(line, "ann", adopt_nonce=adopt_nonce)

    assert refused.value.rule == rule
    assert line.pause_reason() == "nonce_drift"


def test_two_people_who_name_different_counts_start_nothing(line: Line, forgotten: str) -> None:
    line.turn()
    reconcile(line)
    start(line, "ann", adopt_nonce=2)
    line.chain.nonce_finalized = 3
    line.turn()

    with pytest.raises(Conflict):
        start(line, "bob", adopt_nonce=3)
    assert line.pause_reason() == "nonce_drift"


def test_after_reconciliation_it_starts_and_what_was_paid_is_told_and_not_paid_again(
    line: Line, forgotten: str
) -> None:
    line.turn()
    reconcile(line)
    assert "paid_not_booked" in line.house.findings()

    assert not start(line, "ann", "bob", adopt_nonce=2)
    assert line.status(forgotten)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REFUSED)
    line.house.resolve(forgotten, ResolutionAction.RETRY)
    line.steps.read_records(forgotten)
    line.house.approve(forgotten)
    line.steps.begin(forgotten)
    line.turn()
    assert line.status(forgotten)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REFUSED)
    line.house.resolve(forgotten, ResolutionAction.PAID_OUTSIDE, evidence="0x7910aa02")
    line.steps.read_records(forgotten)

    assert line.status(forgotten)[0] == RefundStatus.REFUNDED
    line.chain.nonce = 0
    other = line.queue("dep_2")
    line.turn()
    line.turn()
    assert line.nonce(other) == 2
    assert line.chain.moved() == [(SENDER, COIN)] * 3


def test_a_stray_that_names_no_refund_must_be_closed_by_a_person(line: Line, forgotten: str) -> None:
    stolen = line.chain.mined.pop(line.chain.last_sent)
    line.chain.sent[line.chain.last_sent] = line.chain.sent[line.chain.last_sent].replace(
        SENDER.encode(), b"0x" + b"66" * 20
    )
    line.chain.mined[line.chain.last_sent] = stolen
    line.turn()
    reconcile(line)
    with pytest.raises(Conflict) as refused:
        start(line, "ann", adopt_nonce=2)
    assert refused.value.rule == "nonces_explained"

    (stray,) = [it["id"] for it in line.house.views.open_findings() if it["kind"] == "unowned_payment"]
    Findings(line.house.database).close(stray, "a thief; reported", operator="root")

    assert not start(line, "ann", "bob", adopt_nonce=2)


def test_two_forgotten_payouts_of_the_same_amount_each_name_a_refund_of_their_own(line: Line, tmp_path: Path) -> None:
    line.chain.mines_at_once = True
    refunds = [line.queue("dep_1"), line.queue("dep_2")]
    backup = Backup(line, tmp_path / "backup.sqlite")
    line.turn()
    line.turn()
    assert [line.status(it)[0] for it in refunds] == [RefundStatus.REFUNDED] * 2
    line.chain.nonce = line.chain.nonce_finalized = 2
    backup.restore()
    line.turn()
    reconcile(line)

    named = [it["refund_id"] for it in line.house.views.open_findings() if it["kind"] == "paid_not_booked"]
    assert sorted(named) == sorted(refunds)

    assert not start(line, "ann", "bob", adopt_nonce=2)
    for refund, operator in zip(refunds, ("ann", "bob"), strict=True):
        line.house.resolve(refund, ResolutionAction.RETRY, operator)
        line.steps.read_records(refund)
        line.house.approve(refund, operator)
        line.steps.begin(refund)
    line.turn()
    assert line.chain.moved() == [(SENDER, COIN)] * 2


def test_a_name_that_was_given_stays_whatever_was_resolved_or_asked_for_since(line: Line, forgotten: str) -> None:
    line.turn()
    reconcile(line)
    start(line, "ann", "bob", adopt_nonce=2)
    line.house.resolve(forgotten, ResolutionAction.PAID_OUTSIDE, evidence="0x7910aa02")
    line.steps.read_records(forgotten)
    line.turn()

    def named() -> list[tuple[str, str]]:
        open_ones = line.house.views.open_findings()
        return [(it["kind"], it["refund_id"]) for it in open_ones if it["kind"] in ("paid_not_booked", "paid_twice")]

    reconcile(line, "r2")
    assert named() == [("paid_not_booked", forgotten)]
    line.queue("dep_2")
    reconcile(line, "r3")
    assert named() == [("paid_not_booked", forgotten)]

    (found,) = [it["id"] for it in line.house.views.open_findings() if it["kind"] == "paid_not_booked"]
    Findings(line.house.database).close(found, "paid before the backup", operator="root")
    reconcile(line, "r4")
    assert named() == []


def test_a_stray_whose_transfer_was_found_only_later_explains_its_nonce(line: Line, forgotten: str) -> None:
    line.turn()
    mined = line.chain.mined.pop(line.chain.last_sent)
    reconcile(line)
    assert "unowned_payment" in line.house.findings()
    line.chain.mined[line.chain.last_sent] = mined

    reconcile(line, "r2")

    assert "paid_not_booked" in line.house.findings()
    assert not start(line, "ann", "bob", adopt_nonce=2)
