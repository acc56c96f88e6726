"""No reconciliation says clean of what it did not compare, and none is a way to make a finding disappear."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.books import STRAYS_MAX
from domain.book_runs import KEYS_PER_SCOPE_MAX, CloseBooks, OpenBooks, PageReport, ScopeReport
from domain.errors import TryAgain
from domain.payouts import PayoutStatus
from ledger.reconciliations import REQUESTED_TOGETHER_MAX, RUN_MAX, Reconciliations
from tests.ledger.outside import Outside
from tests.ledger.scene import CHAIN_ID, PAID_CHAIN, Scene
from tests.ledger.test_reconciling import DAYS, found, paid_card, paid_coins, reconcile, steps_of, unasked

MONTH_SECONDS = 86400 * 30


@pytest.fixture
def outside(scene: Scene) -> Outside:
    return Outside(scene)


def late_by_card(outside: Outside) -> None:
    """Paid at the processor, and still under way by our books."""
    outside.scene.funded()
    refund = outside.scene.paying()
    outside.scene.payouts.record_sending(refund, 1)
    outside.pays("pi_dep", "re_1", refund_id=refund, attempt=1)
    outside.scene.clock.advance(timedelta(hours=1))


def late_on_chain(outside: Outside) -> None:
    scene = outside.scene
    scene.funded(id="coins", rail="crypto")
    signed = scene.sign(scene.paying("coins", PAID_CHAIN, rail="crypto"))
    assert signed is not None
    outside.sends(0, tx_hash=signed.tx_hash)
    scene.clock.advance(timedelta(hours=1))


def pending_without_trace(outside: Outside) -> None:
    outside.scene.funded()
    outside.scene.outcome(outside.scene.paying(), PayoutStatus.PENDING)
    outside.scene.clock.advance(timedelta(hours=1))


@pytest.mark.parametrize(
    "plant",
    [unasked, late_by_card, late_on_chain, pending_without_trace],
    ids=["refunded outside", "paid by card", "paid on chain", "pending and not seen"],
)
def test_patience_closes_no_finding(outside: Outside, plant: object) -> None:
    """A viewer may ask for any grace; what then counts as under way was found, and is not gone."""
    assert callable(plant)
    plant(outside)
    assert reconcile(outside).outcome == "differences"
    open_before = found(outside.scene)

    patient = reconcile(outside, grace_seconds=MONTH_SECONDS)

    assert (patient.outcome, patient.under_way > 0) == ("differences", True)
    assert found(outside.scene) == open_before != []


@pytest.mark.parametrize("rail", ["card", f"chain/{CHAIN_ID}"])
def test_a_rail_that_the_books_know_and_the_worker_does_not_was_not_read(outside: Outside, rail: str) -> None:
    (paid_card if rail == "card" else paid_coins)(outside)
    steps, run = steps_of(outside, has_card=rail != "card", has_chain=rail == "card"), ActivityEnvironment().run

    plan = run(steps.open_books, OpenBooks(reconciliation_id="r", days=DAYS, grace_seconds=60))

    assert plan.unread == (rail,)


def test_a_wallet_that_was_replaced_was_not_read(outside: Outside) -> None:
    paid_coins(outside)
    steps = steps_of(outside, wallet="0x" + "bb" * 20)

    plan = ActivityEnvironment().run(steps.open_books, OpenBooks(reconciliation_id="r", days=DAYS, grace_seconds=60))

    assert plan.unread == (f"chain/{CHAIN_ID}/0x{'aa' * 20}",)


def test_a_difference_that_grew_after_a_person_closed_it_is_open_again(outside: Outside) -> None:
    scene = outside.scene
    scene.funded()
    take(scene)
    reconcile(outside)
    finding = scene.views.open_findings()[0]["id"]
    scene.findings_desk.close(finding, "one cent, known", operator="ann")
    as_it_was_closed = reconcile(outside).outcome

    take(scene)

    assert (as_it_was_closed, reconcile(outside).outcome) == ("clean", "differences")
    assert [kind for kind, _, _ in found(scene)] == ["books_unbalanced"]


def take(scene: Scene) -> None:
    """Steal one cent from the books."""
    with scene.database.write() as session:
        session.execute(
            text(
                "INSERT INTO postings (entry_id, account_id, deposit_id, currency, book, amount_minor) "
                "SELECT MIN(id), 'acct', 'dep', 'USD', 'spendable', -1 FROM entries"
            )
        )


def test_a_few_reconciliations_run_together_and_no_more(scene: Scene) -> None:
    reconciliations = Reconciliations(scene.database)
    asked = [OpenBooks(reconciliation_id=f"r{it}", days=3650, grace_seconds=0) for it in range(9)]
    for it in asked[:REQUESTED_TOGETHER_MAX]:
        reconciliations.request(it, requested_by="vera")

    with pytest.raises(TryAgain):
        reconciliations.request(asked[-1], requested_by="ann")
    again = reconciliations.request(asked[0], requested_by="ann")
    by_schedule = reconciliations.open(OpenBooks(reconciliation_id="daily-1", days=3, grace_seconds=60))

    assert (again["id"], bool(by_schedule)) == ("r0", True)


def test_reconciliations_that_never_began_or_never_end_are_not_waited_for_for_ever(scene: Scene) -> None:
    reconciliations = Reconciliations(scene.database)
    asked = [OpenBooks(reconciliation_id=f"r{it}", days=3, grace_seconds=0) for it in range(9)]
    for it in asked[:REQUESTED_TOGETHER_MAX]:
        reconciliations.request(it, requested_by="vera")
    scene.clock.advance(timedelta(minutes=6))
    for it in asked[REQUESTED_TOGETHER_MAX : 2 * REQUESTED_TOGETHER_MAX]:
        reconciliations.request(it, requested_by="vera")
        reconciliations.open(it)

    scene.clock.advance(RUN_MAX)

    assert reconciliations.request(asked[-1], requested_by="vera")["status"] == "requested"


def test_a_scope_names_so_many_differences_that_its_report_can_still_be_written() -> None:
    report = ScopeReport(scope="card")

    for day in range(100):
        page = PageReport(compared=500, keys=tuple(f"{day}/{it}" for it in range(500)), kept=(f"kept/{day}",))
        report = report.plus(page)

    assert (len(report.keys), report.is_whole) == (KEYS_PER_SCOPE_MAX, False)
    assert report.kept == tuple(f"kept/{day}" for day in range(100))


def test_a_scope_that_is_not_whole_closes_nothing(outside: Outside) -> None:
    unasked(outside)
    reconcile(outside)
    outside.scene.clock.advance(timedelta(minutes=1))
    steps, run = steps_of(outside), ActivityEnvironment().run
    plan = run(steps.open_books, OpenBooks(reconciliation_id="big", days=DAYS, grace_seconds=60))

    outcome = run(steps.close_books, CloseBooks(plan=plan, scopes=(ScopeReport(scope="card", is_whole=False),)))

    assert outcome.outcome == "incomplete"
    assert [kind for kind, _, _ in found(outside.scene)] == ["unowned_payment"]


def test_what_left_a_wallet_is_asked_for_in_parts_until_all_of_it_is_known(outside: Outside) -> None:
    strays = STRAYS_MAX + 5
    for nonce in range(strays):
        outside.sends(nonce, to="0x" + "66" * 20)

    reconcile(outside)
    reconcile(outside)

    assert Counter(kind for kind, _, _ in found(outside.scene)) == {"unowned_payment": strays}


def test_what_is_known_of_a_wallet_leaves_room_to_write_down_what_is_new(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.books.DIFFERENCES_PER_PAGE_MAX", 3)
    monkeypatch.setattr("activities.books.STRAYS_MAX", 2)
    strays = range(8)
    for nonce in strays:
        outside.sends(nonce, to="0x" + "66" * 20)

    for _ in strays[::2]:
        reconcile(outside)

    assert Counter(kind for kind, _, _ in found(outside.scene)) == {"unowned_payment": len(strays)}
