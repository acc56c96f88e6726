"""Billing feeds accounts, deposits and orders, and asks where the money is."""

from typing import Any

import pytest

from tests.api.front import ACCOUNT, CRYPTO, DEPOSIT, ORDER, Front, problem


@pytest.fixture
def fed(front: Front) -> Front:
    """One account with one deposit, fed over HTTP."""
    assert front.call("shop", "PUT", "/v1/accounts/acct", ACCOUNT).status_code == 200
    assert front.call("shop", "PUT", "/v1/deposits/dep", DEPOSIT).status_code == 200
    return front


def balance(front: Front, account: str = "acct") -> dict[str, Any]:
    answer = front.call("shop", "GET", f"/v1/accounts/{account}/balance")
    assert answer.status_code == 200
    (only,) = answer.json()["balances"]
    amounts: dict[str, Any] = only
    return amounts


def test_balance_tells_where_all_money_is_in_minor_units(fed: Front) -> None:
    fed.call("shop", "PUT", "/v1/orders/o1", ORDER)
    fed.call("shop", "PUT", "/v1/orders/o2", ORDER | {"status": "pending", "amount_minor": 30})

    assert balance(fed) == {
        "currency": "USD",
        "deposited_minor": 2000,
        "spendable_minor": 1920,
        "held_minor": 30,
        "used_minor": 50,
        "refunded_minor": 0,
        "charged_back_minor": 0,
    }


def test_feeding_the_same_again_changes_nothing(fed: Front) -> None:
    for _ in range(3):
        assert fed.call("shop", "PUT", "/v1/accounts/acct", ACCOUNT).status_code == 200
        assert fed.call("shop", "PUT", "/v1/deposits/dep", DEPOSIT).status_code == 200
        assert fed.call("shop", "PUT", "/v1/orders/o1", ORDER).status_code == 200

    assert balance(fed)["spendable_minor"] == 1950


def test_order_beyond_the_spendable_balance_must_not_be_sold(fed: Front) -> None:
    order = ORDER | {"amount_minor": 2001}

    problem(fed.call("shop", "PUT", "/v1/orders/o1", order), 409, "insufficient-balance", "amount_minor")

    assert fed.call("shop", "PUT", "/v1/orders/o1", order | {"delivered": True}).status_code == 200
    assert balance(fed)["used_minor"] == 2000


def test_deposit_never_changes(fed: Front) -> None:
    changed = DEPOSIT | {"amount_minor": 2001}

    problem(fed.call("shop", "PUT", "/v1/deposits/dep", changed), 409, "conflict", "amount_minor", "never_changes")


def test_payment_backs_one_deposit(fed: Front) -> None:
    problem(fed.call("shop", "PUT", "/v1/deposits/dep2", DEPOSIT), 409, "payment-taken", "payment")


def test_chain_payment_is_one_however_its_hash_is_written(fed: Front) -> None:
    crypto = DEPOSIT | {"payment": CRYPTO}
    shouted = DEPOSIT | {"payment": CRYPTO | {"tx_hash": "0x" + "AB" * 32}}
    assert fed.call("shop", "PUT", "/v1/deposits/c1", crypto).status_code == 200

    assert fed.call("shop", "PUT", "/v1/deposits/c1", shouted).status_code == 200
    problem(fed.call("shop", "PUT", "/v1/deposits/c2", shouted), 409, "payment-taken", "payment")


def test_card_payment_may_differ_from_what_was_credited(fed: Front) -> None:
    payment = {"rail": "card", "payment_intent": "pi_1", "amount_minor": 1900, "currency": "EUR"}

    fed.call("shop", "PUT", "/v1/deposits/bonus", DEPOSIT | {"payment": payment})

    assert balance(fed)["deposited_minor"] == 4000
    again = fed.call("shop", "PUT", "/v1/deposits/bonus", DEPOSIT | {"payment": payment | {"amount_minor": 1901}})
    problem(again, 409, "conflict", "payment", "never_changes")


def test_id_may_hold_a_slash_or_other_signs(fed: Front) -> None:
    assert (
        fed.call("shop", "PUT", "/v1/accounts/2026%2F11%20%C3%BC%3F", ACCOUNT | {"username": "u2"}).status_code == 200
    )
    deposit = DEPOSIT | {"account_id": "2026/11 ü?", "payment": CRYPTO}
    assert fed.call("shop", "PUT", "/v1/deposits/in%2Fvoice", deposit).status_code == 200

    assert balance(fed, "2026%2F11%20%C3%BC%3F")["spendable_minor"] == 2000


def test_account_must_say_its_status_so_that_no_suspension_is_lifted_by_silence(fed: Front) -> None:
    silent = {"username": "user1"}

    problem(fed.call("shop", "PUT", "/v1/accounts/acct", silent), 422, "invalid-request", "status", "missing")


def test_balance_of_an_unknown_account_is_not_found(fed: Front) -> None:
    answer = fed.call("shop", "GET", "/v1/accounts/secret-name/balance")

    assert "secret-name" not in problem(answer, 404, "not-found", "account", "exists")["detail"]


WRONG: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "amount as text": ("deposits", DEPOSIT | {"amount_minor": "2000"}, "amount_minor", "int_type"),
    "amount as a fraction": ("deposits", DEPOSIT | {"amount_minor": 20.0}, "amount_minor", "int_type"),
    "amount as a truth": ("deposits", DEPOSIT | {"amount_minor": True}, "amount_minor", "int_type"),
    "amount of nothing": ("deposits", DEPOSIT | {"amount_minor": 0}, "amount_minor", "greater_than_equal"),
    "amount below zero": ("orders", ORDER | {"amount_minor": -1}, "amount_minor", "greater_than_equal"),
    "amount beyond exactness": ("deposits", DEPOSIT | {"amount_minor": 2**53}, "amount_minor", "less_than_equal"),
    "amount of forty digits": ("deposits", DEPOSIT | {"amount_minor": 10**40}, "amount_minor", "less_than_equal"),
    "currency in small letters": ("deposits", DEPOSIT | {"currency": "usd"}, "currency", "string_pattern_mismatch"),
    "time as a number": ("deposits", DEPOSIT | {"paid_at": 1763632800}, "paid_at", "rfc3339"),
    "time as a number in text": ("deposits", DEPOSIT | {"paid_at": "1763632800"}, "paid_at", "rfc3339"),
    "time without a zone": ("deposits", DEPOSIT | {"paid_at": "2026-11-20T10:00:00"}, "paid_at", "rfc3339"),
    "time at the edge of years": (
        "orders",
        ORDER | {"created_at": "0001-01-01T00:00:00+14:00"},
        "created_at",
        "year",
    ),
    "thirty-second of a month": (
        "deposits",
        DEPOSIT | {"paid_at": "2026-11-32T10:00:00Z"},
        "paid_at",
        "datetime_from_date_parsing",
    ),
    "rail of no kind": ("deposits", DEPOSIT | {"payment": {"rail": "<b>cash</b>"}}, "payment.rail", "enum"),
    "no rail": ("deposits", DEPOSIT | {"payment": {}}, "payment.rail", "enum"),
    "unknown version of the terms": (
        "deposits",
        DEPOSIT | {"terms_version": "1999-01"},
        "terms_version",
        "known_version",
    ),
    "unknown account": ("deposits", DEPOSIT | {"account_id": "x"}, "account_id", "known_account"),
    "base units as a number": (
        "deposits",
        DEPOSIT | {"payment": CRYPTO | {"amount_base_units": 10**16}},
        "payment.amount_base_units",
        "decimal_string",
    ),
    "base units with a sign": (
        "deposits",
        DEPOSIT | {"payment": CRYPTO | {"amount_base_units": "+1"}},
        "payment.amount_base_units",
        "decimal_string",
    ),
    "base units in other digits": (
        "deposits",
        DEPOSIT | {"payment": CRYPTO | {"amount_base_units": "١٢"}},
        "payment.amount_base_units",
        "decimal_string",
    ),
    "base units beyond a chain": (
        "deposits",
        DEPOSIT | {"payment": CRYPTO | {"amount_base_units": str(2**256)}},
        "payment.amount_base_units",
        "decimal_string",
    ),
    "hash that is too short": (
        "deposits",
        DEPOSIT | {"payment": CRYPTO | {"tx_hash": "0x12"}},
        "payment.tx_hash",
        "string_pattern_mismatch",
    ),
    "asset that is no address": (
        "deposits",
        DEPOSIT | {"payment": CRYPTO | {"asset": "USDC"}},
        "payment.asset",
        "string_pattern_mismatch",
    ),
    "log of the native coin": (
        "deposits",
        DEPOSIT | {"payment": CRYPTO | {"asset": "native", "log_index": 0}},
        "payment.log_index",
        "native_has_no_log",
    ),
    "log below nought": (
        "deposits",
        DEPOSIT | {"payment": CRYPTO | {"asset": "0x" + "1" * 40, "log_index": -1}},
        "payment.log_index",
        "greater_than_equal",
    ),
    "destination for the money": (
        "deposits",
        DEPOSIT | {"payment": CRYPTO | {"refund_to": "0x" + "1" * 40}},
        "payment.refund_to",
        "extra_forbidden",
    ),
    "product of no kind": ("orders", ORDER | {"product": "car"}, "product", "literal_error"),
    "status of no kind": ("orders", ORDER | {"status": "lost"}, "status", "literal_error"),
    "delivered as text": ("orders", ORDER | {"delivered": "true"}, "delivered", "bool_type"),
    "id in the body": ("accounts", ACCOUNT | {"id": "acct"}, "id", "extra_forbidden"),
    "username of control signs": ("accounts", ACCOUNT | {"username": "a\u202eb"}, "username", "value_error"),
    "mail without an at": ("accounts", ACCOUNT | {"email": "nobody"}, "email", "string_pattern_mismatch"),
}


@pytest.mark.parametrize(("kind", "body", "field", "rule"), WRONG.values(), ids=WRONG.keys())
def test_wrong_record_is_refused_by_field_and_rule(
    front: Front, kind: str, body: dict[str, Any], field: str, rule: str
) -> None:
    front.scene.account()

    answer = front.call("shop", "PUT", f"/v1/{kind}/new", body)

    refused = problem(answer, 422, "invalid-request", field, rule)
    assert "<b>" not in str(refused)
    assert front.scene.views.balance("acct") == []
