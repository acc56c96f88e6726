"""Card numbers that people paste where none belongs: found, refused or masked before anything is kept."""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from pydantic_core import PydanticCustomError

DIGITS_MIN, DIGITS_MAX = 13, 19  # ISO/IEC 7812
DIGITS_KEPT = 4  # the last ones, which receipts show as well: PCI DSS 3.4
# How many systems number their own rows, some with a word before it.
LONG_IDS = re.compile(r"(?:[A-Za-z]{1,16}[-_:]?)?[0-9]{17,19}")

# Where card numbers begin: 2 and 5 Mastercard and Maestro, 2 Mir, 3 Amex, Diners and JCB, 4 Visa, 6 Discover,
# UnionPay, RuPay and Maestro. It keeps most timestamps and counters out, of which each tenth passes the check digit.
_ISSUED = re.compile(r"4\d{12,18}|5[0-8]\d{11,17}|6\d{12,18}|3[04-9]\d{12,17}|2[2-7]\d{14,17}", re.ASCII)
_RUN = re.compile(r"\d+(?:[\s\-\u2010-\u2015]{1,3}\d+)*")
_GROUP = re.compile(r"\d+")
# Made by machines, at random: each could hold a number by chance, and none was ever typed.
_OPAQUE = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?:0x)?[0-9a-f]{24,64})(?![0-9a-z])", re.I
)

Span = tuple[int, int]


def holds_card_number(text: str) -> bool:
    """Tell whether a text holds what can be a card number, in digits alone or parted by spaces or dashes."""
    return any(True for _ in _found(text)) or ("%" in text and any(True for _ in _found(unquote(text))))


def mask(text: str) -> str:
    """Return the text with all but the last four digits of each card number starred out."""
    shown = list(text)
    for begin, end in _found(text):
        places = [at for at in range(begin, end) if text[at].isdecimal()]
        for at in places[:-DIGITS_KEPT]:
            shown[at] = "*"
    return "".join(shown)


def without_card_number(text: str) -> str:
    """Return a text that people write as it is; refuse one that holds a card number."""
    if holds_card_number(text):
        raise PydanticCustomError("card_number", "must not hold a card number")
    return text


def own_id(text: str) -> str:
    """Return an id of the caller's own system as it is: `LONG_IDS` number their rows."""
    return text if LONG_IDS.fullmatch(text) else without_card_number(text)


def field_with_card_number(raw: Any, own_ids: frozenset[str], whole: str = "body") -> str | None:
    """Name the first field of untyped JSON that holds a card number, or None; never the number itself.

    `own_ids` are the paths of ids of the caller's own system. How deep the JSON goes does not matter.
    """
    left: deque[tuple[str, Any]] = deque([("", raw)])
    while left:
        path, value = left.popleft()
        if isinstance(value, dict):
            if any(isinstance(name, str) and holds_card_number(name) for name in value):
                return path or whole
            left.extend((f"{path}.{name}" if path else str(name), it) for name, it in value.items())
        elif isinstance(value, list):
            left.extend((path, it) for it in value)
        elif isinstance(value, str | int | float):
            text = str(value)
            if not (path in own_ids and LONG_IDS.fullmatch(text)) and holds_card_number(text):
                return path or whole
    return None


def _found(text: str) -> Iterator[Span]:
    """Find card numbers in every neighbouring groups of digits: `no 12 4242 4242 4242 4242` holds one as well."""
    plain = _OPAQUE.sub(lambda found: "x" * len(found.group()), text)
    for run in _RUN.finditer(plain):
        groups = [it.span() for it in _GROUP.finditer(plain, run.start(), run.end())]
        for first, (begin, _) in enumerate(groups):
            digits = ""
            for group_begin, group_end in groups[first:]:
                digits += "".join(str(int(it)) for it in plain[group_begin:group_end])
                if len(digits) > DIGITS_MAX:
                    break
                if _is_card_number(digits):
                    yield begin, group_end


def _is_card_number(digits: str) -> bool:
    """Check issuer and check digit (ISO/IEC 7812-1, Luhn)."""
    if len(digits) < DIGITS_MIN or not _ISSUED.fullmatch(digits):
        return False
    doubled = (int(it) * (2 if place % 2 else 1) for place, it in enumerate(reversed(digits)))
    return sum(it - 9 if it > 9 else it for it in doubled) % 10 == 0
