"""Billing's feed: the same again changes nothing, a contradiction is refused, money is counted to the cent."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from domain.eligibility import AccountStatus
from domain.errors import Conflict, InsufficientBalance, InvalidRequest, PaymentTaken
from domain.money import NATIVE, Money
from domain.payments import CardPaymentRef, ChainPaymentRef
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from ledger import books
from ledger.billing import AccountRecord
from ledger.books import Book
from ledger.tables import AuditEntry, Entry
from tests.ledger.scene import CHAIN_ID, COIN, NOON, Scene

TX = "0x" + "ab" * 32
CHAIN = {"chain_id": CHAIN_ID, "tx_hash": TX, "asset": NATIVE, "amount_base_units": COIN}


def trail_length(scene: Scene) -> int:
    with scene.database.read() as session:
        return len(session.scalars(select(Entry)).all()) + len(session.scalars(select(AuditEntry)).all())


def test_a_deposit_is_spendable_at_once(scene: Scene) -> None:
    scene.funded()

    assert scene.balance() == {
        "currency": "USD",
        "deposited_minor": 2000,
        "spendable_minor": 2000,
        "held_minor": 0,
        "used_minor": 0,
        "refunded_minor": 0,
        "charged_back_minor": 0,
    }


def test_the_same_records_again_change_nothing(scene: Scene) -> None:
    scene.funded()
    scene.order("o", 50)
    before = scene.balance(), trail_length(scene)

    scene.account()
    scene.deposit()
    scene.order("o", 50)

    assert (scene.balance(), trail_length(scene)) == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"account_id": "other"}, "account_id", id="account"),
        pytest.param({"credited": Money(amount_minor=2001, currency="USD")}, "amount_minor", id="amount"),
        pytest.param({"credited": Money(amount_minor=2000, currency="EUR")}, "currency", id="currency"),
        pytest.param({"paid_at": NOON}, "paid_at", id="time"),
        pytest.param({"terms_version": "2026-01"}, "terms_version", id="terms"),
        pytest.param({"rail": "crypto"}, "payment", id="rail"),
        pytest.param(
            {"payment": CardPaymentRef(payment_intent="pi_x", amount_minor=2000, currency="USD")},
            "payment",
            id="card payment",
        ),
        pytest.param(
            {"payment": CardPaymentRef(payment_intent="pi_dep", amount_minor=1999, currency="USD")},
            "payment",
            id="paid amount",
        ),
        pytest.param(
            {"payment": CardPaymentRef(payment_intent="pi_dep", amount_minor=2000, currency="EUR")},
            "payment",
            id="paid currency",
        ),
    ],
)
def test_a_known_deposit_never_changes(scene: Scene, change: dict[str, Any], field: str) -> None:
    scene.funded()
    scene.account("other")

    with pytest.raises(Conflict) as refused:
        scene.deposit(**change)

    assert refused.value.field == field
    assert scene.balance()["deposited_minor"] == 2000


@pytest.mark.parametrize(
    "change",
    [{"chain_id": 2}, {"tx_hash": "0x" + "cd" * 32}, {"log_index": 3}, {"asset": "0x1"}, {"amount_base_units": 1}],
    ids=["chain", "hash", "log", "asset", "amount"],
)
def test_a_known_crypto_payment_never_changes(scene: Scene, change: dict[str, Any]) -> None:
    scene.funded(payment=ChainPaymentRef.model_validate(CHAIN))

    with pytest.raises(Conflict) as refused:
        scene.deposit(payment=ChainPaymentRef.model_validate(CHAIN | change))

    assert refused.value.field == "payment"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            CardPaymentRef(payment_intent="pi_1", amount_minor=2000, currency="USD"),
            CardPaymentRef(payment_intent="pi_1", amount_minor=1000, currency="EUR"),
            id="one card payment, told with another amount",
        ),
        pytest.param(
            ChainPaymentRef.model_validate(CHAIN), ChainPaymentRef.model_validate(CHAIN), id="one chain transaction"
        ),
        pytest.param(
            ChainPaymentRef.model_validate(CHAIN),
            ChainPaymentRef.model_validate(CHAIN | {"tx_hash": "0x" + "AB" * 32}),
            id="one chain transaction in capitals",
        ),
        pytest.param(
            ChainPaymentRef.model_validate(CHAIN | {"log_index": 4}),
            ChainPaymentRef.model_validate(CHAIN | {"log_index": 4, "asset": "0x1"}),
            id="one log",
        ),
    ],
)
def test_one_payment_backs_one_deposit(
    scene: Scene, first: CardPaymentRef | ChainPaymentRef, second: CardPaymentRef | ChainPaymentRef
) -> None:
    scene.funded(payment=first)
    scene.account("other")

    with pytest.raises(PaymentTaken, match="'dep'"):
        scene.deposit("dep_2", account_id="other", payment=second)

    assert scene.views.balance("other") == []


@pytest.mark.parametrize(
    "change", [{"log_index": 5}, {"chain_id": 2}], ids=["another log of the transaction", "another chain"]
)
def test_different_payments_may_share_a_hash(scene: Scene, change: dict[str, Any]) -> None:
    scene.funded(payment=ChainPaymentRef.model_validate(CHAIN | {"log_index": 4}))

    scene.deposit("dep_2", payment=ChainPaymentRef.model_validate(CHAIN | {"log_index": 4} | change))

    assert scene.balance()["deposited_minor"] == 4000


def test_amounts_beyond_64_bits_are_kept_to_the_last_digit(scene: Scene) -> None:
    largest = 2**256 - 1
    scene.funded(payment=ChainPaymentRef.model_validate(CHAIN | {"amount_base_units": str(largest)}))

    _, payment = scene.checking.identify(scene.request(rail="crypto"))

    assert isinstance(payment, ChainPaymentRef)
    assert payment.amount_base_units == largest


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"account_id": "nobody"}, "account_id", id="unknown account"),
        pytest.param({"terms_version": "1999"}, "terms_version", id="unknown terms"),
    ],
)
def test_a_deposit_that_cannot_be_booked_names_its_field(scene: Scene, change: dict[str, Any], field: str) -> None:
    scene.account()

    with pytest.raises(InvalidRequest) as refused:
        scene.deposit(**change)

    assert refused.value.field == field


def test_an_account_may_change_its_name_and_status_but_not_take_another_s_name(scene: Scene) -> None:
    scene.account()
    scene.account("other")

    scene.feed.put_account(AccountRecord(id="acct", username="new"), actor="billing")
    with pytest.raises(Conflict) as refused:
        scene.feed.put_account(AccountRecord(id="other", username="new"), actor="billing")

    assert refused.value.field == "username"


def test_the_judge_reads_the_account_s_present_status(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()
    scene.account(status=AccountStatus.SUSPENDED)

    assert scene.check(refund).reason == "clean_failed"


# --- orders


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
