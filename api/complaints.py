"""Pydantic's complaints in plain sentences, without anything that was sent."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}|[0-9]{1,3}", re.ASCII)  # a field, or a place in a list
PATH_LENGTH_MAX = 8

WHOLE_NUMBER = "must be a whole number"
TRUE_OR_FALSE = "must be true or false"
TIME = "must be a time such as 2026-11-20T10:00:00Z"
LIST = "must be a list"

SENTENCES: Mapping[str, str] = {
    "missing": "must be given",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "string_type": "must be a text",
    "string_unicode": "must be a text in Unicode",
    "string_too_short": "must be at least {min_length} characters long",
    "string_too_long": "must be at most {max_length} characters long",
    "string_pattern_mismatch": "must be written {form}",
    "int_type": WHOLE_NUMBER,
    "int_parsing": WHOLE_NUMBER,
    "int_from_float": WHOLE_NUMBER,
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "bool_type": TRUE_OR_FALSE,
    "bool_parsing": TRUE_OR_FALSE,
    "datetime_type": TIME,
    "datetime_parsing": TIME,
    "datetime_from_date_parsing": TIME,
    "timezone_aware": "must name its time zone, such as 2026-11-20T10:00:00Z",
    "list_type": LIST,
    "tuple_type": LIST,
    "too_long": "must hold at most {max_length} entries",
    "object": "must be an object",
}
"""The kinds of pydantic (docs.pydantic.dev/latest/errors/validation_errors); our own kinds bring their sentences."""

FORMS: Mapping[str, str] = {
    "system": "in small letters, such as zammad",
    "url": "as an address that begins with https:// or http://",
    "email": "as an e-mail address",
    "locale": "as a language, such as en or zh-CN",
    "currency": "as three capital letters, such as USD",
    "payment_proof": "as a payment id (pi_, ch_ or py_ and more) or a transaction hash (0x and 64 digits)",
    "payment_intent": "as a payment id: pi_ and more",
    "tx_hash": "as 0x and 64 hexadecimal digits",
    "asset": "as native, or as a token's address: 0x and 40 hexadecimal digits",
    "digest": "as sha256: and 64 hexadecimal digits",
}
"""How a field with a pattern is written, by its name."""


def first(complaints: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Return field, rule and sentence of the complaint to mend first: a misspelt name explains a missing field."""
    unknown = [it for it in complaints if it["type"] == "extra_forbidden"]
    field, rule, words, facts = _read((unknown or list(complaints))[0])
    if rule == "extra_forbidden":
        return field, rule, f"`{safe_path(field)}` is not a field here"
    return field, rule, f"{safe_path(field)}: {_sentence(field, rule, words, facts)}"


def safe_path(path: str) -> str:
    """Keep field names that look like ours: a name that a caller made up may be anything."""
    parts = [part if PLAIN_NAME.fullmatch(part) else "?" for part in path.split(".")]
    return ".".join(parts[:PATH_LENGTH_MAX])


def _read(complaint: Mapping[str, Any]) -> tuple[str, str, str, Mapping[str, Any]]:
    """Return field, rule, pydantic's words and the facts of the rule."""
    where, *path = [str(part) for part in complaint["loc"]]
    if path[:1] == ["payment"] and path[1:2] in (["card"], ["crypto"]):
        del path[1]  # pydantic names the branch that it took, which is no field
    kind = complaint["type"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return ".".join([*path, "rail"]), "enum", "", {"expected": "card or crypto"}
    if kind in ("model_attributes_type", "model_type"):
        kind = "object"
    return ".".join(path) or where, kind, complaint["msg"], complaint.get("ctx", {})


def _sentence(field: str, rule: str, words: str, facts: Mapping[str, Any]) -> str:
    if rule not in SENTENCES:
        return words.removeprefix("Value error, ")
    if facts.get("min_length") == 1:
        return "must not be empty"
    form = FORMS.get(field.rpartition(".")[2], "as /openapi.json says")
    expected = str(facts.get("expected", "")).replace("'", "")
    return SENTENCES[rule].format_map({**facts, "form": form, "expected": expected})
