"""Pydantic's complaints in plain sentences, without anything that was sent."""

from collections.abc import Mapping
from typing import Any

WHOLE_NUMBER = "must be a whole number"
TRUE_OR_FALSE = "must be true or false"
TIME = "must be a time such as 2026-11-20T10:00:00Z"
LIST = "must be a list"
NUMBER = "must be a number"
OBJECT = "must be an object"
WEB_ADDRESS = "must be a web address, such as https://example.com"

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
    "object": OBJECT,
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "extra_forbidden": "is not a field here",
    "greater_than": "must be more than {gt}",
    "int_parsing_size": WHOLE_NUMBER,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": NUMBER,
    "path_type": "must be the path of a file",
    "too_short": "must hold at least {min_length} entries",
    "url_type": WEB_ADDRESS,
    "url_parsing": WEB_ADDRESS,
    "url_scheme": "must begin with https:// or http://",
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
    "finality": "as finalized, or as depth: and a number of blocks",
    "worker_metrics_address": "as host:port",
    "digest": "as sha256: and 64 hexadecimal digits",
}
"""How a field with a pattern is written, by its name."""

FORM_ELSE = "in another form"


def sentence(field: str, rule: str, words: str, facts: Mapping[str, Any], *, form_else: str = FORM_ELSE) -> str:
    """Say what is wrong with a field: in our words where we have some, else in those of the rule."""
    if rule not in SENTENCES:
        return words.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if facts.get("min_length") == 1:
        return "must not be empty"
    form = FORMS.get(field.rpartition(".")[2], form_else)
    expected = str(facts.get("expected", "")).replace("'", "")
    plain = {name: f"{it:g}" if isinstance(it, float) else it for name, it in facts.items()}
    return SENTENCES[rule].format_map({**plain, "form": form, "expected": expected})
