"""Orders take the oldest money of their currency, never more than may be spent, and never move."""

from datetime import timedelta
from typing import Any

import pytest

from domain.errors import Conflict, InsufficientBalance, InvalidRequest
from domain.money import Money
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from ledger import books
from ledger.books import Book
from tests.ledger.scene import NOON, Scene


@pytest.mark.parametrize(
    ("status", "reserved", "used"),
    [("pending", 50, 0), ("charged", 0, 50), ("cancelled", 0, 0)],
    ids=["pending is reserved", "charged is used", "cancelled is nothing"],
)
def test_an_order_takes_its_money_into_the_book_of_its_status(
    scene: Scene, status: str, reserved: int, used: int
) -> None:
    scene.funded()

    scene.order("o", 50, status)

    assert scene.in_book(Book.RESERVED) == reserved
    assert scene.in_book(Book.USED) == used
    assert scene.balance()["spendable_minor"] == 2000 - reserved - used


def test_money_reserved_by_pending_orders_is_shown_as_held(scene: Scene) -> None:
    scene.funded()

    scene.order("o", 50, "pending")

    assert scene.balance()["held_minor"] == 50


def test_a_pending_order_is_charged_from_what_it_reserved(scene: Scene) -> None:
    scene.funded()
    scene.order("o", 50, "pending")

    scene.order("o", 50, "charged")

    assert (scene.in_book(Book.RESERVED), scene.in_book(Book.USED)) == (0, 50)


@pytest.mark.parametrize("status", ["pending", "charged"])
def test_cancelling_gives_the_money_back_to_its_deposit(scene: Scene, status: str) -> None:
    scene.funded()
    scene.order("o", 50, status)

    scene.order("o", 50, "cancelled")

    assert scene.in_book(Book.SPENDABLE) == 2000


def test_charging_a_cancelled_order_is_a_new_spend_from_what_is_oldest_now(scene: Scene) -> None:
    scene.funded()
    scene.deposit("older", paid_at=NOON - timedelta(days=2))
    scene.order("o", 2000, "charged")
    scene.order("o", 2000, "cancelled")
    scene.order("all of older", 2000, "charged")

    scene.order("o", 2000, "charged")

    assert (scene.in_book(Book.USED, "older"), scene.in_book(Book.USED, "dep")) == (2000, 2000)


def test_orders_take_the_oldest_deposit_of_their_currency_and_never_move(scene: Scene) -> None:
    scene.funded()
    scene.deposit("euros", credited=Money(amount_minor=2000, currency="EUR"), paid_at=NOON - timedelta(days=9))
    scene.order("o", 100)

    scene.deposit("older", paid_at=NOON - timedelta(days=5))
    scene.order("p", 100)

    used = {name: scene.in_book(Book.USED, name) for name in ("dep", "older", "euros")}
    assert used == {"dep": 100, "older": 100, "euros": 0}


def test_an_order_is_refused_when_a_cent_is_missing_and_nothing_is_written(scene: Scene) -> None:
    scene.funded()

    with pytest.raises(InsufficientBalance):
        scene.order("o", 2001)

    assert scene.in_book(Book.SPENDABLE) == 2000
    scene.order("o", 2000)
    assert scene.in_book(Book.SPENDABLE) == 0


def test_money_of_another_currency_buys_nothing(scene: Scene) -> None:
    scene.funded()

    with pytest.raises(InsufficientBalance):
        scene.order("o", 1, currency="EUR")


@pytest.mark.parametrize("status", ["pending", "charged"])
def test_an_order_is_refused_when_the_money_is_merely_held(scene: Scene, status: str) -> None:
    scene.funded()
    scene.awaiting_approval()

    with pytest.raises(InsufficientBalance, match=r"and 0 USD"):
        scene.order("o", 1, status)

    assert scene.in_book(Book.HELD) == 2000


def test_a_charged_order_does_not_become_pending_again(scene: Scene) -> None:
    scene.funded()
    scene.order("o", 50)

    with pytest.raises(Conflict) as refused:
        scene.order("o", 50, "pending")

    assert refused.value.field == "status"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"account_id": "other"}, "account_id", id="account"),
        pytest.param({"amount_minor": 51}, "amount_minor", id="amount"),
        pytest.param({"currency": "EUR"}, "currency", id="currency"),
        pytest.param({"product": "esim"}, "product", id="product"),
    ],
)
def test_a_known_order_never_changes_but_its_status(scene: Scene, change: dict[str, Any], field: str) -> None:
    scene.funded()
    scene.account("other")
    scene.order("o", 50, "pending")

    with pytest.raises(Conflict) as refused:
        scene.order("o", status="charged", **({"amount_minor": 50} | change))

    assert refused.value.field == field
    assert scene.in_book(Book.RESERVED) == 50


def test_an_order_of_an_unknown_account_is_refused(scene: Scene) -> None:
    with pytest.raises(InvalidRequest) as refused:
        scene.order("o", 50, account_id="nobody")

    assert refused.value.field == "account_id"


# --- orders that happened already


def test_a_delivered_order_takes_other_money_first(scene: Scene) -> None:
    scene.funded()
    scene.awaiting_approval()
    scene.deposit("newer", paid_at=NOON)

    scene.order("o", 1500, is_delivered=True)

    assert (scene.in_book(Book.USED, "newer"), scene.in_book(Book.HELD)) == (1500, 2000)


def test_a_delivered_order_takes_the_hold_when_nothing_else_is_left(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.deposit("newer", paid_at=NOON)

    scene.order("o", 2500, is_delivered=True)

    assert (scene.in_book(Book.USED, "newer"), scene.in_book(Book.USED)) == (2000, 500)
    scene.decide(refund)
    assert scene.begin(refund).status == RefundStatus.INELIGIBLE
    assert scene.in_book(Book.SPENDABLE) == 1500


def test_what_a_delivered_order_lacks_is_a_finding(scene: Scene) -> None:
    scene.funded()

    scene.order("o", 2300, is_delivered=True)
    scene.order("o", 2300, is_delivered=True)

    (finding,) = scene.views.open_findings()
    assert (finding["kind"], finding["evidence"]["missing_minor"]) == ("order_shortfall", 300)
    assert scene.in_book(Book.USED) == 2000


def test_a_delivered_order_leaves_money_alone_that_is_being_paid_out(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()

    scene.order("o", 500, is_delivered=True)

    assert scene.in_book(Book.HELD) == 2000
    assert scene.findings() == ["order_shortfall"]
    assert scene.outcome(refund, PayoutStatus.SUCCEEDED).status == RefundStatus.REFUNDED


def test_cancelling_gives_money_taken_from_a_hold_back_to_the_hold(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.order("o", 500, is_delivered=True)

    scene.order("o", 500, "cancelled")

    assert scene.in_book(Book.HELD) == 2000
    scene.decide(refund)
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_an_order_accepted_before_the_refund_and_cancelled_during_it_frees_into_the_hold(scene: Scene) -> None:
    scene.funded()
    scene.order("o", 500, "pending")
    refund = scene.request()
    assert scene.check(refund).status == RefundStatus.AWAITING_ORDERS

    scene.order("o", 500, "cancelled")

    assert scene.check(refund).status == RefundStatus.AWAITING_APPROVAL
    assert scene.in_book(Book.HELD) == 2000


def test_a_deposit_s_books_always_sum_to_what_was_credited(scene: Scene) -> None:
    scene.funded()
    scene.order("a", 300, "pending")
    scene.order("b", 200)
    scene.order("a", 300, "cancelled")
    scene.order("c", 5000, is_delivered=True)

    total = sum(scene.in_book(book) for book in Book if book != Book.DEPOSITED)

    assert total == -scene.in_book(Book.DEPOSITED) == 2000


def test_books_refuse_to_take_more_than_they_hold(scene: Scene) -> None:
    scene.funded()

    with pytest.raises(books.UnbalancedError), scene.database.write() as session:
        books.move(
            session,
            key="too much",
            at=NOON,
            account_id="acct",
            currency="USD",
            source=Book.HELD,
            target=Book.SPENDABLE,
            parts={"dep": 1},
        )

    assert scene.in_book(Book.SPENDABLE) == 2000
