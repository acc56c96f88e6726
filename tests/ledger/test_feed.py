"""Billing's feed: the same again changes nothing, a contradiction is refused, money is counted to the cent."""

from typing import Any

import pytest
from sqlalchemy import select

from domain.eligibility import AccountStatus
from domain.errors import Conflict, InvalidRequest, PaymentTaken
from domain.money import NATIVE, Money
from domain.payments import CardPaymentRef, ChainPaymentRef
from ledger.billing import AccountRecord
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
