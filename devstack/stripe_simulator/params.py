"""Validation of parameters with Stripe's own errors; nothing refused here is kept for an idempotency key."""

import re
from collections.abc import Collection

from devstack.stripe_simulator.errors import ApiError
from devstack.stripe_simulator.form import Form, FormValue

# https://docs.stripe.com/api/metadata
METADATA_KEYS_MAX = 50
METADATA_KEY_CHARACTERS_MAX = 40
METADATA_VALUE_CHARACTERS_MAX = 500


def refuse_unknown(params: Form, known: Collection[str]) -> None:
    """Refuse every parameter that Stripe does not have."""
    unknown = [name for name in params if name not in known]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise ApiError(
            f"Received unknown parameter{plural}: {', '.join(unknown)}",
            code="parameter_unknown",
            param=unknown[0],
        )


def text(params: Form, name: str) -> str | None:
    """Read a string; an empty one is refused, as it would unset a value that is not there."""
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ApiError(f"Invalid string: {value}", param=name)
    if value == "":
        raise ApiError(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
            f"parameter; however '{name}' cannot be unset. You should remove '{name}' from your request or "
            "supply a non-empty value.",
            code="parameter_invalid_empty",
            param=name,
        )
    return value


def required_text(params: Form, name: str) -> str:
    """Read a string that must be there."""
    value = text(params, name)
    if value is None:
        raise ApiError(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return value


def integer(params: Form, name: str, *, at_least: int | None = None) -> int | None:
    """Read a whole number within its bounds."""
    value = text(params, name)
    if value is None:
        return None
    if re.fullmatch(r"-?[0-9]{1,18}", value) is None:
        raise ApiError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    number = int(value)
    if at_least is not None and number < at_least:
        raise ApiError(
            f"This value must be greater than or equal to {at_least}.",
            code="parameter_invalid_integer",
            param=name,
        )
    return number


def boolean(params: Form, name: str) -> bool:
    """Read `true` or `false`; absent is false."""
    value = text(params, name)
    if value not in (None, "true", "false"):
        raise ApiError(f"Invalid boolean: {value}", param=name)
    return value == "true"


def choice(params: Form, name: str, allowed: tuple[str, ...]) -> str | None:
    """Read one of a closed list of words."""
    value = text(params, name)
    if value is not None and value not in allowed:
        words = f"{', '.join(allowed[:-1])}, or {allowed[-1]}"
        raise ApiError(f"Invalid {name}: must be one of {words}", param=name)
    return value


def words(params: Form, name: str) -> list[str]:
    """Read a list of strings, sent as `name[]` or `name[0]`."""
    value = params.get(name, {})
    if isinstance(value, str) or not all(isinstance(item, str) for item in value.values()):
        raise ApiError("Invalid array", param=name)
    return [item for item in value.values() if isinstance(item, str)]


def metadata(params: Form, before: dict[str, str]) -> dict[str, str]:
    """Merge the given metadata into what is there: an empty value unsets its key, empty metadata all keys."""
    given: FormValue = params.get("metadata", {})
    if isinstance(given, str):
        if given:
            raise ApiError("Invalid object", param="metadata")
        return {}
    after = dict(before)
    for key, value in given.items():
        _check_metadata_entry(key, value)
        after[key] = str(value)
    after = {key: value for key, value in after.items() if value != ""}
    if len(after) > METADATA_KEYS_MAX:
        raise ApiError(
            f"Metadata can have up to {METADATA_KEYS_MAX} keys, but there would be {len(after)}.",
            param="metadata",
        )
    return after


def _check_metadata_entry(key: str, value: FormValue) -> None:
    if not isinstance(value, str):
        raise ApiError(f"Metadata values must be strings. Invalid value: {value}", param=f"metadata[{key}]")
    if len(key) > METADATA_KEY_CHARACTERS_MAX:
        raise ApiError(
            f"Metadata keys can have up to {METADATA_KEY_CHARACTERS_MAX} characters, but you passed in a key "
            f"that is {len(key)} characters. Invalid key: {key}",
            param="metadata",
        )
    if len(value) > METADATA_VALUE_CHARACTERS_MAX:
        raise ApiError(
            f"Metadata values can have up to {METADATA_VALUE_CHARACTERS_MAX} characters, but you passed in a "
            f"value that is {len(value)} characters. Invalid value: {value}",
            param=f"metadata[{key}]",
        )
