"""Whatever a worker dies of, wherever: each refund is paid exactly once, as the outside shows it.

`make test` plays each point once on each rail, the modes spread over the points; `make test-crash` plays every
point in every mode. What is asserted is read at the card processor and on the chains, not in our payout table.
"""

import os
from collections import Counter
from typing import Any

import pytest

from ledger import audit
from ledger.database import Database
from tests.crash.cases import Case, every_case, representative_cases
from tests.crash.chains import LocalChain
from tests.crash.crew import Crew
from tests.crash.points import Mode
from tests.crash.storm import AMOUNT_MINOR, AMOUNT_WEI, Played, Storm

IS_WHOLE = os.environ.get("CRASH_MATRIX") == "whole"
CASES = every_case() if IS_WHOLE else representative_cases()
RECOVERY_SECONDS_MAX = 60.0  # seven are usual; this many only where the machine itself stands still
ZERO = {"spendable_minor": 0, "held_minor": 0, "used_minor": 0, "refunded_minor": 0, "charged_back_minor": 0}

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600 if IS_WHOLE else 600)]


@pytest.fixture(scope="module")
def stripe_ledger(storm: Storm, played: dict[Case, Played]) -> dict[str, Any]:
    """The card processor's ledger as it stands when the storm is over."""
    return storm.stripe_state()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_refund_ends_as_decided_and_its_money_moves_exactly_once(
    case: Case, played: dict[Case, Played], stripe_ledger: dict[str, Any]
) -> None:
    it = played[case]

    assert it.trouble == ""
    assert [shot.line.shot for shot in it.shots] == [case.mode], "the point must fire, and once"
    assert it.seen["status"] == ("refunded" if case.is_paid else "rejected")
    assert {name: it.books[name] for name in ZERO} == {
        **ZERO,
        ("refunded_minor" if case.is_paid else "spendable_minor"): AMOUNT_MINOR,
    }
    events = Counter(entry["event"] for entry in it.seen["timeline"])
    assert (events["hold.placed"], events["hold.captured"], events["hold.released"]) == (
        1,
        case.is_paid,
        not case.is_paid,
    )
    if case.rail == "card":
        assert_paid_by_card(it, stripe_ledger)
    else:
        assert_paid_on_chain(it)
    assert_taken_over(case, it)


def assert_paid_by_card(it: Played, stripe_ledger: dict[str, Any]) -> None:
    made = [refund for refund in stripe_ledger["refunds"] if refund["payment_intent"] == it.payment_intent]
    assert [(refund["status"], refund["amount"]) for refund in made] == [
        ("succeeded", AMOUNT_MINOR)
    ] * it.case.is_paid
    assert {refund["metadata"]["refund_id"] for refund in made} <= {it.refund}
    posts = [post for post in stripe_ledger["journal"] if post["params"].get("payment_intent") == it.payment_intent]
    assert len({post["idempotency_key"] for post in posts}) == it.case.is_paid, "every try goes under one key"
    if it.case.row in ("F15", "F22", "F24"):
        assert len(posts) == 1, "what is recorded is not asked for again"


def assert_paid_on_chain(it: Played) -> None:
    assert it.chain is not None
    assert it.payment is not None
    risen = it.chain.balance_wei(it.payment.customer) - it.payment.left_wei
    assert risen == (AMOUNT_WEI if it.case.is_paid else 0)


def assert_taken_over(case: Case, it: Played) -> None:
    """A step that lost its worker goes on elsewhere within seconds, and a zombie wakes only after that."""
    (shot,) = it.shots
    if case.mode in (Mode.KILL, Mode.TERM, Mode.STOP):
        assert shot.taken_over is not None
        assert shot.taken_over.at - shot.line.at < RECOVERY_SECONDS_MAX
    if case.mode == Mode.STOP:
        assert shot.woken_at is not None
        assert shot.woken_at > shot.taken_over.at


def test_each_wallet_has_used_every_nonce_once_and_paid_nobody_twice(
    played: dict[Case, Played], chains: list[LocalChain]
) -> None:
    due = {
        it.payment.customer.lower(): it.chain.chain_id
        for it in played.values()
        if it.payment is not None and it.chain is not None and it.case.is_paid
    }

    for chain in chains:
        transfers = chain.wallet_transfers()
        assert [it.nonce for it in transfers] == list(range(len(transfers)))
        customers = [address for address, chain_id in due.items() if chain_id == chain.chain_id]
        assert Counter(it.to for it in transfers) == Counter(customers)
        assert {it.amount_wei for it in transfers} <= {AMOUNT_WEI}


def test_the_audit_trail_is_whole(played: dict[Case, Played], database_url: str) -> None:
    assert played
    database = Database(database_url)
    with database.read() as session:
        assert audit.verify(session) is None
    database.close()


def test_no_effect_of_a_worker_is_without_a_crash_point(played: dict[Case, Played], crew: Crew) -> None:
    assert played
    assert {line.name for line in crew.unlisted} == set()
