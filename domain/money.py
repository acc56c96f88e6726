"""Amounts that cannot be mixed up: fiat in minor units with a currency, coins in base units with an asset."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

NATIVE = "native"

# ISO 4217 codes whose smallest unit is the unit itself, as Stripe counts them (docs.stripe.com/currencies). ISK and
# UGX have no smaller unit either, and are counted in hundredths all the same: the special cases of that page.
ZERO_DECIMAL_CURRENCIES = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "JPY",
        "KMF",
        "KRW",
        "MGA",
        "PYG",
        "RWF",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
THREE_DECIMAL_CURRENCIES = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])

AMOUNT_MINOR_MAX = 2**53 - 1  # what every JSON reader still holds exactly
AMOUNT_BASE_UNITS_MAX = 2**256 - 1  # what a chain can hold


def _whole_number(value: Any) -> Any:
    """Read base units from a decimal string; as JSON numbers they would lose digits above 2**53."""
    if isinstance(value, bool | float):
        raise ValueError("must be a whole number written as a decimal string")
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 78):
            raise ValueError("must be a whole number written as a decimal string of at most 78 digits")
        return int(value)
    return value


Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
AmountMinor = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MINOR_MAX)]
BaseUnits = Annotated[
    int,
    BeforeValidator(_whole_number),
    Field(ge=0, le=AMOUNT_BASE_UNITS_MAX),
    PlainSerializer(str, return_type=str, when_used="json"),
]


class Money(BaseModel):
    """Fiat money: a whole number of the currency's smallest unit."""

    model_config = ConfigDict(frozen=True)

    amount_minor: AmountMinor
    currency: Currency

    def __str__(self) -> str:
        return f"{format_minor(self.amount_minor, self.currency)} {self.currency}"


class TokenAmount(BaseModel):
    """Coins: a whole number of base units (wei) of one asset, `native` or a token's address."""

    model_config = ConfigDict(frozen=True)

    amount_base_units: BaseUnits
    asset: str

    def __str__(self) -> str:
        return f"{self.amount_base_units} base units of {self.asset}"


def decimals(currency: str) -> int:
    """Return how many digits of `currency` stand behind the point."""
    if currency in ZERO_DECIMAL_CURRENCIES:
        return 0
    return 3 if currency in THREE_DECIMAL_CURRENCIES else 2


def format_minor(amount_minor: int, currency: str) -> str:
    """Write an amount in the major unit, without rounding: 1999 USD is `19.99`, 500 JPY is `500`."""
    places = decimals(currency)
    if places == 0:
        return str(amount_minor)
    sign, digits = ("-" if amount_minor < 0 else ""), str(abs(amount_minor)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"
