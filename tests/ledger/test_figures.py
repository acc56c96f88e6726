"""Figures say what is true: counts, ages, money, and books that do not balance."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from domain.decisions import ResolutionAction
from domain.payouts import PayoutStatus
from ledger.figures import Figures
from ledger.tables import Deposit, Posting
from tests.ledger.scene import Scene

HOUR = timedelta(hours=1)


@pytest.fixture
def figures(scene: Scene) -> Figures:
    return Figures(scene.database, scene.policy)


def test_an_empty_database_has_figures_too(figures: Figures) -> None:
    standing, balance = figures.standing(), figures.balance()

    assert (standing.refunds, standing.findings, standing.untold) == ({}, {}, 0)
    assert (standing.approval_age_seconds, standing.payout_age_seconds, standing.untold_age_seconds) == ({}, {}, 0.0)
    assert (balance.held_minor, balance.unbalanced_minor, balance.undeposited_minor) == ({}, {}, {})


def test_a_wait_for_approval_ages_until_the_payout_begins_and_the_payout_until_it_is_known(
    scene: Scene, figures: Figures
) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.clock.advance(HOUR)
    waiting = figures.standing()
    scene.decide(refund)
    scene.begin(refund)
    scene.clock.advance(HOUR)
    paying = figures.standing()
    scene.outcome(refund, PayoutStatus.SUCCEEDED)
    paid = figures.standing()

    assert (waiting.approval_age_seconds, waiting.payout_age_seconds) == ({"card": 3600.0}, {})
    assert waiting.refunds == {("card", "awaiting_approval"): 1}
    assert (paying.approval_age_seconds, paying.payout_age_seconds) == ({}, {"card": 3600.0})
    assert (paid.payout_age_seconds, paid.refunds) == ({}, {("card", "refunded"): 1})


def test_what_waits_for_people_or_for_temporal_is_counted(scene: Scene, figures: Figures) -> None:
    scene.funded()
    refund = scene.failed()
    scene.record_resolution(refund, ResolutionAction.GIVE_UP)
    scene.clock.advance(HOUR)

    standing = figures.standing()

    assert standing.findings == {"payout_failed": 1}
    assert (standing.untold, standing.untold_age_seconds) == (1, 3600.0)


def test_money_is_held_while_a_refund_is_open_and_the_books_balance(scene: Scene, figures: Figures) -> None:
    scene.funded()
    scene.awaiting_approval()

    balance = figures.balance()

    assert balance.held_minor == {"USD": 2000}
    assert (balance.unbalanced_minor, balance.undeposited_minor) == ({"USD": 0}, {"USD": 0})


def test_an_entry_with_one_side_only_and_a_deposit_of_another_size_are_seen(scene: Scene, figures: Figures) -> None:
    scene.funded()
    with scene.database.write() as session:
        entry = session.scalars(select(Posting.entry_id)).first()
        one_side = {"entry_id": entry, "account_id": "acct", "deposit_id": "dep", "currency": "USD"}
        session.execute(insert(Posting).values(**one_side, book="spendable", amount_minor=-10))
        session.execute(update(Deposit).values(amount_minor=2003))

    balance = figures.balance()

    assert (balance.unbalanced_minor, balance.undeposited_minor) == ({"USD": -10}, {"USD": 3})
