"""A reconciliation on a real ledger: what was done past the service is found once, named, and closed when gone."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select, text, update
from temporalio.testing import ActivityEnvironment

from activities.books import BooksActivities
from domain.book_runs import BooksOutcome, CardDay, ChainPage, CloseBooks, OpenBooks, ScopeReport
from domain.errors import Conflict
from domain.payouts import PayoutStatus
from ledger.booked import Booked
from ledger.reconciliations import Reconciliations
from ledger.tables import Deposit, Finding
from tests.ledger.outside import HOUR, Outside
from tests.ledger.scene import CHAIN_ID, PAID_CHAIN, SENDER, WALLET, Scene

DAYS = 3
numbers = count(1)


@pytest.fixture
def outside(scene: Scene) -> Outside:
    return Outside(scene)


def steps_of(
    outside: Outside, *, has_card: bool = True, has_chain: bool = True, wallet: str = WALLET
) -> BooksActivities:
    scene = outside.scene
    return BooksActivities(
        card=outside if has_card else None,
        chains={CHAIN_ID: outside} if has_chain else {},
        wallets={CHAIN_ID: wallet} if has_chain else {},
        booked=Booked(scene.database, scene.policy),
        reconciliations=Reconciliations(scene.database),
    )


def reconcile(outside: Outside, *, unread: str | None = None, grace_seconds: int = 60) -> BooksOutcome:
    """Do what the workflow does; time goes on between two runs."""
    outside.scene.clock.advance(timedelta(minutes=1))
    steps, run = steps_of(outside), ActivityEnvironment().run
    asked = OpenBooks(reconciliation_id=f"r{next(numbers)}", days=DAYS, grace_seconds=grace_seconds)
    plan = run(steps.open_books, asked)
    card, chain = ScopeReport(scope="card"), ScopeReport(scope=f"chain/{CHAIN_ID}")
    for day in plan.card_days():
        card = card.plus(run(steps.compare_card_day, day))
    chain = chain.plus(run(steps.compare_wallet, ChainPage(plan=plan, chain_id=CHAIN_ID)))
    ledger = ScopeReport(scope="ledger").plus(run(steps.compare_ledger, plan))
    scopes = [it.unread() if it.scope == unread else it for it in (card, chain, ledger)]
    return run(steps.close_books, CloseBooks(plan=plan, scopes=tuple(scopes)))


def found(scene: Scene) -> list[tuple[str, str | None, str | None]]:
    """List the open findings: kind, refund, deposit."""
    with scene.database.read() as session:
        rows = session.scalars(select(Finding).where(Finding.closed_at.is_(None)).order_by(Finding.id)).all()
        return [(it.kind, it.refund_id, it.evidence.get("deposit_id")) for it in rows]


def sql(scene: Scene, statement: str, **values: Any) -> None:
    with scene.database.write() as session:
        session.execute(text(statement), values)


def paid_card(outside: Outside) -> str:
    """Bring a card refund to its end, at the processor too."""
    outside.scene.funded()
    refund = outside.scene.refunded()
    outside.pays("pi_dep", "re_1", refund_id=refund, attempt=1)
    return refund


def paid_coins(outside: Outside) -> str:
    """Bring a crypto refund to its end, on the chain too."""
    scene = outside.scene
    scene.funded(id="coins", rail="crypto")
    refund = scene.paying("coins", PAID_CHAIN, rail="crypto")
    signed = scene.sign(refund)
    assert signed is not None
    outside.sends(0, tx_hash=signed.tx_hash)
    scene.outcome(refund, PayoutStatus.SUCCEEDED)
    return refund


def test_a_paid_refund_on_each_rail_and_all_that_is_under_way_leave_nothing_to_find(outside: Outside) -> None:
    scene = outside.scene
    paid_card(outside)
    scene.deposit("other")
    scene.paying("2", deposit_id="other")
    scene.deposit("third")
    scene.awaiting_approval("3", deposit_id="third")
    outside.pays("pi_other", "re_young", created_at=scene.clock() + HOUR)
    outside.pays("pi_of_other_business", "re_foreign")

    outcome = reconcile(outside)

    assert found(scene) == []
    assert (outcome.outcome, outcome.differences, outcome.under_way) == ("clean", 0, 2)


def test_a_paid_crypto_refund_leaves_nothing_to_find(outside: Outside) -> None:
    paid_coins(outside)

    assert reconcile(outside).outcome == "clean"
    assert found(outside.scene) == []


def booked_without_payment(outside: Outside) -> tuple[str, str]:
    refund = paid_card(outside)
    outside.refunds.clear()
    return refund, "dep"


def failed_later(outside: Outside) -> tuple[str, str]:
    refund = paid_card(outside)
    outside.refunds[0] = replace(outside.refunds[0], is_live=False, is_done=False)
    return refund, "dep"


def edited(statement: str) -> Callable[[Outside], tuple[str, str]]:
    def plant(outside: Outside) -> tuple[str, str]:
        refund = paid_card(outside)
        sql(outside.scene, statement, refund=refund)
        return refund, "dep"

    return plant


def unasked(outside: Outside) -> tuple[None, str]:
    outside.scene.funded()
    outside.pays("pi_dep")
    return None, "dep"


def paid_again(outside: Outside) -> tuple[str, str]:
    refund = paid_card(outside)
    outside.pays("pi_dep", "re_again", amount_minor=500)
    return refund, "dep"


def sent_again(outside: Outside) -> tuple[str, str]:
    refund = paid_coins(outside)
    outside.sends(1)
    return refund, "coins"


def taken_away(outside: Outside) -> tuple[str, str]:
    refund = paid_coins(outside)
    with outside.scene.database.read() as session:
        outside.gone.add(session.get_one(Deposit, "coins").tx_hash or "")
    return refund, "coins"


def stolen(outside: Outside) -> tuple[None, None]:
    paid_coins(outside)
    outside.sends(1, to="0x" + "ee" * 20, amount=1)
    return None, None


def sent_in_a_token(outside: Outside) -> tuple[None, None]:
    """As many units of something else than was paid in are nobody's refund."""
    paid_coins(outside)
    outside.sends(1, asset="0x" + "aa" * 20)
    return None, None


def sent_unrecorded(outside: Outside) -> tuple[str, str]:
    """A transfer of ours that a restored database does not know."""
    scene = outside.scene
    scene.funded(id="coins", rail="crypto")
    refund = scene.awaiting_approval("coins", PAID_CHAIN, rail="crypto")
    reconcile(outside)
    outside.sends(0)
    return refund, "coins"


def redirected(outside: Outside) -> tuple[str, str]:
    refund = paid_coins(outside)
    sql(outside.scene, "UPDATE payouts SET destination = :to", to="0x" + "ee" * 20)
    return refund, "coins"


def forgotten(outside: Outside) -> tuple[str, None]:
    outside.scene.funded()
    refund = outside.scene.request()
    outside.scene.clock.advance(timedelta(hours=6))
    return refund, None


def unbalanced(outside: Outside) -> tuple[None, str]:
    outside.scene.funded()
    sql(
        outside.scene,
        "INSERT INTO postings (entry_id, account_id, deposit_id, currency, book, amount_minor) "
        "SELECT MIN(id), 'acct', 'dep', 'USD', 'spendable', 1 FROM entries",
    )
    return None, "dep"


PLANTS: dict[str, tuple[Callable[[Outside], tuple[str | None, str | None]], list[str]]] = {
    "booked, and nothing at the processor": (booked_without_payment, ["booked_not_paid"]),
    "booked, and failed at the processor": (failed_later, ["booked_not_paid"]),
    "a payout edited to another amount": (
        edited("UPDATE payouts SET amount_minor = 1 WHERE refund_id = :refund"),
        ["amount_differs"],
    ),
    "a payout edited to be dead": (
        edited("UPDATE payouts SET status = 'failed' WHERE refund_id = :refund"),
        ["paid_not_booked", "booked_not_paid"],
    ),
    "a payout deleted": (
        edited("DELETE FROM payouts WHERE refund_id = :refund"),
        ["unowned_payment", "booked_not_paid"],
    ),
    "a hold edited to be active": (
        edited("UPDATE holds SET state = 'active' WHERE refund_id = :refund"),
        ["paid_not_booked", "hold_without_refund"],
    ),
    "refunded outside, nobody asked": (unasked, ["unowned_payment"]),
    "refunded outside after we paid": (paid_again, ["paid_twice"]),
    "coins sent again with the wallet's key": (sent_again, ["paid_twice"]),
    "a deposit that its chain lost after it was paid back": (taken_away, ["deposit_gone"]),
    "coins stolen with the wallet's key": (stolen, ["unowned_payment"]),
    "as much of a token as coins were paid in": (sent_in_a_token, ["unowned_payment"]),
    "coins sent that the books forgot": (sent_unrecorded, ["paid_not_booked"]),
    "a chain payout edited to another receiver": (redirected, ["destination_differs"]),
    "a refund that nobody moves": (forgotten, ["refund_without_progress"]),
    "a posting that nothing balances": (unbalanced, ["books_unbalanced"]),
}


@pytest.mark.parametrize(("plant", "kinds"), PLANTS.values(), ids=PLANTS.keys())
def test_what_was_done_past_the_service_is_found_once_with_refund_and_deposit_named(
    outside: Outside, plant: Callable[[Outside], tuple[str | None, str | None]], kinds: list[str]
) -> None:
    refund, deposit = plant(outside)

    first = reconcile(outside)
    once = found(outside.scene)
    second = reconcile(outside)

    assert sorted(once) == sorted((kind, refund, deposit) for kind in kinds)
    assert found(outside.scene) == once
    assert (first.outcome, second.outcome) == ("differences", "differences")
    assert outside.scene.audit_break() is None


def test_findings_of_a_reconciliation_hold_no_personal_data(outside: Outside) -> None:
    paid_again(outside)
    reconcile(outside)

    written = json.dumps([it["evidence"] for it in outside.scene.views.open_findings()])

    assert "user-acct" not in written
    assert SENDER not in written


def test_a_difference_that_is_gone_is_closed_with_a_note_and_opened_again_when_it_is_back(outside: Outside) -> None:
    scene = outside.scene
    paid_card(outside)
    gone = outside.refunds.copy()
    outside.refunds.clear()
    reconcile(outside)
    outside.refunds = gone

    mended = reconcile(outside)
    with scene.database.read() as session:
        closed = session.scalars(select(Finding)).one()
    outside.refunds = []
    back = reconcile(outside)

    assert (mended.outcome, closed.closed_reason) == (
        "clean",
        f"gone at reconciliation {mended.reconciliation_id}",
    )
    assert closed.closed_at is not None
    assert (back.outcome, len(found(scene))) == ("differences", 1)
    assert "note" not in scene.views.open_findings()[0]["evidence"]


def test_what_a_person_closed_stays_closed_and_is_no_difference(outside: Outside) -> None:
    unasked(outside)
    reconcile(outside)
    with outside.scene.database.write() as session:
        session.execute(update(Finding).values(closed_at=outside.scene.clock(), closed_by="ann"))

    assert reconcile(outside).outcome == "clean"
    assert found(outside.scene) == []


def test_findings_of_others_are_left_alone(outside: Outside) -> None:
    outside.scene.funded()
    outside.scene.failed()

    reconcile(outside)

    assert [kind for kind, _, _ in found(outside.scene)] == ["payout_failed"]


def test_a_place_that_could_not_be_read_closes_nothing_and_the_report_says_so(outside: Outside) -> None:
    unasked(outside)
    reconcile(outside)
    outside.refunds.clear()

    outcome = reconcile(outside, unread="card")

    assert outcome.outcome == "incomplete"
    assert [kind for kind, _, _ in found(outside.scene)] == ["unowned_payment"]


def test_a_matter_older_than_the_window_is_not_closed_for_not_being_looked_at(outside: Outside) -> None:
    unasked(outside)
    reconcile(outside)

    outside.scene.clock.advance(timedelta(days=DAYS + 1))
    reconcile(outside)

    assert [kind for kind, _, _ in found(outside.scene)] == ["unowned_payment"]


def test_what_the_wallet_did_before_it_was_ours_is_not_ours_to_explain(outside: Outside) -> None:
    outside.sends(0, amount=1)
    outside.first_nonce = 1
    assert reconcile(outside).outcome == "clean"

    outside.sends(1, amount=1)

    assert reconcile(outside).outcome == "differences"


def test_of_a_wallet_whose_past_nobody_vouched_for_all_is_to_explain(outside: Outside) -> None:
    outside.sends(0, amount=1)

    assert reconcile(outside).outcome == "differences"


def test_a_reconciliation_is_asked_for_once(scene: Scene) -> None:
    reconciliations = Reconciliations(scene.database)
    asked = OpenBooks(reconciliation_id="r", days=3, grace_seconds=60)

    first = reconciliations.request(asked, requested_by="vera")

    assert reconciliations.request(asked, requested_by="ann") == first
    with pytest.raises(Conflict):
        reconciliations.request(asked.model_copy(update={"days": 4}), requested_by="vera")


def test_a_booking_that_happens_while_the_outside_is_read_is_no_difference(outside: Outside) -> None:
    """The list was read before the refund was made; by the time the books are read it is booked."""
    scene = outside.scene
    scene.funded()
    refund = scene.refunded()
    outside.pays("pi_dep", "re_1", refund_id=refund, attempt=1)
    listed, outside.refunds = outside.refunds, []
    steps, run = steps_of(outside), ActivityEnvironment().run
    plan = run(steps.open_books, OpenBooks(reconciliation_id="race", days=DAYS, grace_seconds=60))
    outside.find_refund = lambda ref: next(it for it in listed if it.ref == ref)  # type: ignore[method-assign]

    reports = [
        run(steps.compare_card_day, CardDay(plan=plan, since=it.since, until=it.until)) for it in plan.card_days()
    ]

    assert [it.keys for it in reports] == [()] * len(reports)


def test_a_difference_that_is_gone_at_the_second_look_is_none(outside: Outside) -> None:
    """A refund made in the dashboard was cancelled there while the list was read."""
    unasked(outside)
    cancelled = replace(outside.refunds[0], is_live=False, is_done=False)
    outside.find_refund = lambda _: cancelled  # type: ignore[method-assign]

    assert reconcile(outside).outcome == "clean"
    assert found(outside.scene) == []


def test_what_another_reconciliation_found_meanwhile_is_not_closed(outside: Outside) -> None:
    outside.scene.funded()
    steps, run = steps_of(outside), ActivityEnvironment().run
    slow = run(steps.open_books, OpenBooks(reconciliation_id="slow", days=DAYS, grace_seconds=60))
    outside.pays("pi_dep")
    reconcile(outside)

    run(steps.close_books, CloseBooks(plan=slow, scopes=(ScopeReport(scope="card"),)))

    assert [kind for kind, _, _ in found(outside.scene)] == ["unowned_payment"]
