"""Amounts are whole numbers that nothing rounds, cuts or mixes up."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.money import (
    AMOUNT_BASE_UNITS_MAX,
    AMOUNT_MINOR_MAX,
    THREE_DECIMAL_CURRENCIES,
    ZERO_DECIMAL_CURRENCIES,
    Money,
    TokenAmount,
    decimals,
    format_minor,
)

CURRENCIES = st.sampled_from(sorted(ZERO_DECIMAL_CURRENCIES | THREE_DECIMAL_CURRENCIES | {"USD", "EUR"}))


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        pytest.param(1999, "USD", "19.99", id="dollars and cents"),
        pytest.param(5, "USD", "0.05", id="cents alone"),
        pytest.param(0, "USD", "0.00", id="nothing"),
        pytest.param(100, "USD", "1.00", id="a whole dollar"),
        pytest.param(-5, "USD", "-0.05", id="less than nothing"),
        pytest.param(500, "JPY", "500", id="no decimals"),
        pytest.param(500, "UGX", "5.00", id="no decimals, and counted in hundredths"),
        pytest.param(500, "ISK", "5.00", id="no decimals, and counted in hundredths too"),
        pytest.param(5, "KWD", "0.005", id="three decimals"),
        pytest.param(AMOUNT_MINOR_MAX, "USD", "90071992547409.91", id="the largest amount"),
    ],
)
def test_an_amount_is_written_in_the_major_unit_without_rounding(amount_minor: int, currency: str, text: str) -> None:
    assert format_minor(amount_minor, currency) == text


@given(st.integers(-AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX), CURRENCIES)
def test_what_is_written_reads_back_as_the_same_amount(amount_minor: int, currency: str) -> None:
    text = format_minor(amount_minor, currency)

    assert Decimal(text) * 10 ** decimals(currency) == amount_minor
    assert len(text.partition(".")[2]) == decimals(currency)


def test_money_is_shown_with_its_currency() -> None:
    assert str(Money(amount_minor=1999, currency="USD")) == "19.99 USD"


@pytest.mark.parametrize("amount_minor", [0, 1, AMOUNT_MINOR_MAX], ids=["nothing", "one", "the largest"])
def test_money_holds_whole_numbers_up_to_what_json_readers_hold(amount_minor: int) -> None:
    assert Money(amount_minor=amount_minor, currency="USD").amount_minor == amount_minor


@pytest.mark.parametrize(
    "amount_minor",
    [
        pytest.param(-1, id="negative"),
        pytest.param(AMOUNT_MINOR_MAX + 1, id="one above the largest"),
        pytest.param(1.0, id="a float"),
        pytest.param("1", id="a text"),
        pytest.param(True, id="a truth value"),
        pytest.param(None, id="nothing given"),
    ],
)
def test_money_refuses_what_is_no_whole_number_within_its_bounds(amount_minor: Any) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount_minor": amount_minor, "currency": "USD"})


@pytest.mark.parametrize(
    "currency", ["usd", "US", "USDT", "U$D", "USD\n", "ÜSD", "", 840], ids=lambda value: f"currency {value!r}"
)
def test_money_refuses_what_is_no_currency_code(currency: Any) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount_minor": 1, "currency": currency})


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        pytest.param("0", 0, id="nothing"),
        pytest.param("10000000000000000001", 10**19 + 1, id="more than 64 bits hold"),
        pytest.param(str(AMOUNT_BASE_UNITS_MAX), AMOUNT_BASE_UNITS_MAX, id="the largest a chain holds"),
        pytest.param(7, 7, id="a whole number"),
    ],
)
def test_base_units_are_read_from_decimal_strings(written: Any, amount: int) -> None:
    token = TokenAmount.model_validate({"amount_base_units": written, "asset": "native"})

    assert token.amount_base_units == amount


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("-1", id="negative text"),
        pytest.param(-1, id="negative number"),
        pytest.param(1.0, id="a float"),
        pytest.param(True, id="a truth value"),
        pytest.param("", id="an empty text"),
        pytest.param("1.0", id="with a point"),
        pytest.param("1e18", id="with an exponent"),
        pytest.param("0x10", id="hexadecimal"),
        pytest.param(" 1", id="with a space"),
        pytest.param("1_000", id="with an underscore"),
        pytest.param("\u0661", id="an Arabic digit"),
        pytest.param("²", id="a superscript"),
        pytest.param(str(AMOUNT_BASE_UNITS_MAX + 1), id="one above the largest"),
        pytest.param("9" * 79, id="79 digits"),
        pytest.param("1" * 5000, id="thousands of digits"),
        pytest.param(None, id="nothing given"),
    ],
)
def test_base_units_refuse_what_is_no_plain_whole_number(written: Any) -> None:
    with pytest.raises(ValidationError):
        TokenAmount.model_validate({"amount_base_units": written, "asset": "native"})


@given(st.integers(0, AMOUNT_BASE_UNITS_MAX))
def test_base_units_survive_json(amount: int) -> None:
    token = TokenAmount(amount_base_units=amount, asset="native")

    assert token.model_dump(mode="json")["amount_base_units"] == str(amount)
    assert TokenAmount.model_validate_json(token.model_dump_json()) == token
