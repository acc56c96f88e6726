"""The types of single fields in HTTP bodies: strict, bounded, and written in one form."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from eth_utils.address import to_checksum_address
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from domain.card_numbers import mask
from domain.money import AMOUNT_BASE_UNITS_MAX, AMOUNT_MINOR_MAX, NATIVE
from domain.refunds import NoCardNumber, only_rfc_3339, printable

YEAR_MIN, YEAR_MAX = 2000, 2199  # outside of it a time is a mistake, and some cannot even be turned into UTC
TEXT_LENGTH_MAX = 4000
LOG_INDEX_MAX = 2**31 - 1  # far more than fit into any block


class Body(BaseModel):
    """The base of all bodies: a field that nobody knows is a mistake, and money does not forgive those."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _only_rfc_3339(value: Any) -> Any:
    # A parsed JSON body holds no moment yet, so what passes here is a text.
    if not YEAR_MIN <= int(str(only_rfc_3339(value))[:4]) <= YEAR_MAX:
        raise PydanticCustomError("year", "must lie between the years 2000 and 2199")
    return value


def _only_decimal_string(value: Any) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{0,77}", value, re.ASCII):
        raise PydanticCustomError("decimal_string", "must be a whole number above zero, written as a decimal string")
    number = int(value)
    if number > AMOUNT_BASE_UNITS_MAX:
        raise PydanticCustomError("decimal_string", "must be at most 2**256 - 1")
    return number


def _only_digits(value: Any) -> Any:
    # pydantic would also read ` 7`, `7.0` and `1_0`; a default is a number already.
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,20}", value, re.ASCII):
        raise PydanticCustomError("int_parsing", "must be a whole number")
    return value


def _only_true_or_false(value: Any) -> Any:
    # pydantic would also read `on`, `y` and `0`.
    if isinstance(value, str) and value not in ("true", "false"):
        raise PydanticCustomError("bool_parsing", "must be true or false")
    return value


def _eip_55(asset: str) -> str:
    return asset if asset == NATIVE else to_checksum_address(asset)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _has_words(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must say something")
    return text


Moment = Annotated[AwareDatetime, BeforeValidator(_only_rfc_3339), AfterValidator(_utc)]
AmountMinor = Annotated[int, Field(strict=True, ge=1, le=AMOUNT_MINOR_MAX)]
BaseUnits = Annotated[
    int, BeforeValidator(_only_decimal_string, json_schema_input_type=Annotated[str, Field(pattern=r"^[1-9][0-9]*$")])
]
ChainId = Annotated[int, Field(strict=True, ge=1, le=AMOUNT_MINOR_MAX)]
TxHash = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]
Asset = Annotated[str, Field(pattern=r"^(native|0x[0-9a-fA-F]{40})$"), AfterValidator(_eip_55)]
LogIndex = Annotated[int, Field(strict=True, ge=0, le=LOG_INDEX_MAX)]
# What people write is kept, but for card numbers: a word that is refused for one would be lost.
Text = Annotated[
    str, Field(min_length=1, max_length=TEXT_LENGTH_MAX), AfterValidator(_has_words), AfterValidator(mask)
]
Flag = Annotated[bool, Field(strict=True)]
QueryNumber = Annotated[int, BeforeValidator(_only_digits)]
QueryFlag = Annotated[bool, BeforeValidator(_only_true_or_false)]
Email = Annotated[str, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$"), AfterValidator(printable), NoCardNumber]
