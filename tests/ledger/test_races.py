"""Many at the same moment: exactly as many succeed as may, on real threads with connections of their own."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from domain.decisions import Action, ResolutionAction
from domain.errors import AlreadyDecided, InsufficientBalance, PaymentTaken, Refused, WrongState
from domain.outbox import QuotedPayout
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from ledger.books import Book
from ledger.database import Database
from tests.ledger.scene import CHAIN_ID, PAID_CARD, PAID_CHAIN, TERMS, WALLET, Clock, Scene, sign, wallet_view

CROWD = 50
DESKS = 10  # databases that the crowd shares: each is a process of its own, with its own connections


@pytest.fixture
def desks(url: str, scene: Scene) -> Iterator[list[Scene]]:
    """The same database, seen by several processes."""
    scenes = [Scene(Database(url, Clock()), Clock()) for _ in range(DESKS)]
    yield scenes
    for desk in scenes:
        desk.database.close()


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start all acts at the same moment; return their results, a refusal as its class."""
    ready = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        ready.wait()
        try:
            return act()
        except Refused as refusal:
            return type(refusal)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def crowd(desks: list[Scene], act: Callable[[Scene, int], Any], size: int = CROWD) -> list[Any]:
    """Let a crowd do the same, each on the next desk."""
    return at_once([lambda number=number: act(desks[number % len(desks)], number) for number in range(size)])


def test_of_fifty_tickets_for_one_deposit_exactly_one_holds_it(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()

    states = crowd(desks, lambda desk, number: desk.check(desk.request(str(number), deposit_id="dep")).status)

    assert Counter(states) == {RefundStatus.AWAITING_APPROVAL: 1, RefundStatus.DUPLICATE: CROWD - 1}
    assert (scene.in_book(Book.HELD), scene.in_book(Book.SPENDABLE)) == (2000, 0)
    assert scene.audit_break() is None


def test_fifty_deliveries_of_one_ticket_are_one_refund(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()

    refunds = crowd(desks, lambda desk, _: desk.request("same"))

    assert len(set(refunds)) == 1
    assert scene.events(refunds[0]) == ["refund.requested"]


def test_fifty_feeds_of_one_deposit_are_one_deposit(scene: Scene, desks: list[Scene]) -> None:
    scene.account()

    crowd(desks, lambda desk, _: desk.deposit())

    assert scene.balance()["deposited_minor"] == 2000


def test_one_payment_never_backs_two_deposits(scene: Scene, desks: list[Scene]) -> None:
    scene.account()
    payment = scene.deposit_record().payment

    results = crowd(desks, lambda desk, number: desk.deposit(f"dep_{number}", payment=payment), size=10)

    assert Counter(result is PaymentTaken for result in results) == {True: 9, False: 1}
    assert scene.balance()["deposited_minor"] == 2000


@pytest.mark.parametrize("round_number", range(3), ids=["first time", "second time", "third time"])
def test_a_hold_and_an_order_never_both_get_the_money(scene: Scene, desks: list[Scene], round_number: int) -> None:
    scene.funded()
    refund = scene.request()

    hold, order = at_once(
        [lambda: desks[0].check(refund).status, lambda: desks[1].order("o", 2000)][:: -1 if round_number % 2 else 1]
    )[:: -1 if round_number % 2 else 1]

    outcomes = {
        (RefundStatus.AWAITING_APPROVAL, InsufficientBalance): (2000, 0),
        (RefundStatus.INELIGIBLE, None): (0, 2000),
    }
    assert (scene.in_book(Book.HELD), scene.in_book(Book.USED)) == outcomes[hold, order]


def test_many_orders_never_spend_more_than_there_is(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()

    results = crowd(desks, lambda desk, number: desk.order(f"o{number}", 300), size=20)

    assert Counter(results) == {None: 6, InsufficientBalance: 14}
    assert scene.in_book(Book.USED) == 1800


def test_beginning_many_times_at_once_makes_one_payout(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.decide(refund)

    states = crowd(desks, lambda desk, _: desk.payouts.begin(refund, PAID_CARD).status, size=10)

    assert set(states) == {RefundStatus.PAYING}
    assert len(scene.views.refund(refund)["payouts"]) == 1
    assert scene.events(refund).count("refund.paying") == 1


def test_of_two_who_approve_at_once_exactly_one_counts(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()
    refund = scene.awaiting_approval()

    results = at_once(
        [
            lambda: desks[0].decide(refund, "ann", decision_id="a"),
            lambda: desks[1].decide(refund, "bob", decision_id="b"),
        ]
    )

    assert results.count(AlreadyDecided) == 1
    assert len(scene.views.refund(refund)["decisions"]) == 1


def test_one_person_who_decides_many_times_at_once_decides_once(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()
    refund = scene.awaiting_approval()

    results = crowd(desks, lambda desk, number: desk.decide(refund, "ann", decision_id=f"d{number}"), size=10)

    assert results.count(AlreadyDecided) == 9


def test_approving_against_rejecting_leaves_exactly_one(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()
    refund = scene.awaiting_approval()

    results = at_once(
        [
            lambda: desks[0].decide(refund, "ann", decision_id="a"),
            lambda: desks[1].decide(refund, "bob", Action.REJECT, decision_id="b"),
        ]
    )

    (recorded,) = scene.views.refund(refund)["decisions"]
    assert results.count(AlreadyDecided) == 1
    assert scene.read(refund).approved is (recorded["action"] == "approve")


def test_withdrawing_against_beginning_pays_or_frees_and_never_both(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.decide(refund)

    withdrawn, began = at_once([lambda: desks[0].withdraw(refund), lambda: desks[1].begin(refund).status])

    if began == RefundStatus.PAYING:
        assert withdrawn is WrongState
        assert scene.in_book(Book.HELD) == 2000
    else:
        assert (withdrawn, began) == (None, RefundStatus.WITHDRAWN)
        assert scene.views.refund(refund)["payouts"] == []


def test_one_outcome_told_many_times_at_once_is_booked_once(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()
    refund = scene.paying()

    crowd(desks, lambda desk, _: desk.outcome(refund, PayoutStatus.SUCCEEDED), size=10)

    assert scene.in_book(Book.REFUNDED) == 2000
    assert scene.events(refund).count("hold.captured") == 1


def test_one_resolution_applied_by_many_at_once_raises_the_attempt_once(scene: Scene, desks: list[Scene]) -> None:
    scene.funded()
    refund = scene.failed()
    scene.record_resolution(refund, ResolutionAction.RETRY)

    crowd(desks, lambda desk, _: desk.read(refund), size=10)

    assert scene.row(refund).attempt == 2


def test_two_workers_who_sign_at_once_never_share_a_nonce_and_sign_each_payout_once(
    scene: Scene, desks: list[Scene]
) -> None:
    scene.account()
    for number in range(4):
        scene.deposit(f"dep_{number}", rail="crypto")
        scene.paying(str(number), PAID_CHAIN, rail="crypto", deposit_id=f"dep_{number}")
    waiting = scene.outbox.queued(CHAIN_ID, WALLET)

    # Every payout is signed by two workers who both read the same queue.
    signed = at_once(
        [lambda desk=desk, it=it: desk.sign_one(it, wallet_view()) for it in waiting for desk in desks[:2]]
    )

    assert sum(it is not None for it in signed) == len(waiting)
    assert [it.nonce for it in scene.outbox.sent(CHAIN_ID, WALLET)] == [0, 1, 2, 3]
    assert all(len(it.transactions) == 1 for it in scene.outbox.sent(CHAIN_ID, WALLET))


def test_two_workers_with_the_same_group_sign_each_payout_once_and_leave_no_gap(
    scene: Scene, desks: list[Scene]
) -> None:
    scene.account()
    for number in range(6):
        scene.deposit(f"dep_{number}", rail="crypto")
        scene.paying(str(number), PAID_CHAIN, rail="crypto", deposit_id=f"dep_{number}")
    group = [QuotedPayout(queued=it, terms=TERMS) for it in scene.outbox.queued(CHAIN_ID, WALLET)]

    first, second = at_once([lambda desk=desk: desk.signing.sign(group, wallet_view(), sign) for desk in desks[:2]])

    assert [sum(it is not None for it in pair) for pair in zip(first, second, strict=True)] == [1] * len(group)
    assert [it.nonce for it in scene.outbox.sent(CHAIN_ID, WALLET)] == list(range(len(group)))
    assert all(len(it.transactions) == 1 for it in scene.outbox.sent(CHAIN_ID, WALLET))
    assert scene.audit_break() is None


def test_the_trail_holds_together_whoever_writes_at_once(scene: Scene, desks: list[Scene]) -> None:
    scene.account()

    crowd(desks, lambda desk, number: desk.deposit(f"dep_{number}"), size=20)

    assert scene.audit_break() is None
    assert scene.balance()["deposited_minor"] == 20 * 2000
