"""Reads JSON without leniency: one meaning for every reader, or none."""

import json
from typing import Any

from domain.errors import InvalidRequest

DEPTH_MAX = 16  # our deepest body has four levels
DIGITS_MAX = 78  # the longest whole number that a chain can hold; longer ones only cost time


class MalformedJson(Exception):
    """This is not one JSON value that every reader would read alike. `rule` names what is wrong."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


def parse(raw: bytes) -> Any:
    """Return the value; raise `MalformedJson`, or `InvalidRequest` for text that cannot be stored."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_whole_number,
        )
    except UnicodeDecodeError:
        raise MalformedJson("utf8", "The text is not UTF-8.") from None
    except RecursionError:
        raise MalformedJson("depth", f"The JSON is nested deeper than {DEPTH_MAX} levels.") from None
    except ValueError:
        raise MalformedJson("json", "The text is not one JSON value.") from None
    _check(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise MalformedJson("unique_keys", "An object names one key twice.")
    return result


def _no_constant(_: str) -> Any:
    raise MalformedJson("finite_numbers", "NaN and Infinity are not JSON.")


def _whole_number(text: str) -> int:
    if len(text) > DIGITS_MAX + 1:  # one more for a sign
        raise MalformedJson("number_length", f"A number has more than {DIGITS_MAX} digits.")
    return int(text)


def _check(value: Any) -> None:
    """Walk without recursion: refuse depth, and characters that no database keeps."""
    waiting: list[tuple[str, int, Any]] = [("", 1, value)]
    while waiting:
        path, depth, item = waiting.pop()
        if depth > DEPTH_MAX:
            raise MalformedJson("depth", f"The JSON is nested deeper than {DEPTH_MAX} levels.")
        if isinstance(item, str):
            _check_text(path, item)
        elif isinstance(item, dict):
            for key, child in item.items():
                _check_text(path, key)
                waiting.append((f"{path}.{key}" if path else key, depth + 1, child))
        elif isinstance(item, list):
            waiting.extend((f"{path}.{index}", depth + 1, child) for index, child in enumerate(item))


def _check_text(path: str, text: str) -> None:
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequest(path or "body", "unicode", "holds a NUL or half a surrogate pair")
