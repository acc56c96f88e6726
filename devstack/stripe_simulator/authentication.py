"""Who may call: any test key, and nothing that could be a live one."""

import base64
import binascii
import re

from devstack.stripe_simulator.errors import ApiError

_TEST_KEY = re.compile(r"(sk|rk)_test_[A-Za-z0-9_]+")
_VISIBLE_CHARACTERS = 4


def authenticate(authorization: str | None) -> None:
    """Accept `Bearer sk_test_…` and `Basic base64(sk_test_…:)`, refuse everything else with 401."""
    key = _read_key(authorization or "")
    if not key:
        raise ApiError(
            "You did not provide an API key. You need to provide your API key in the Authorization header, "
            "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details, or we can help at "
            "https://support.stripe.com/.",
            status=401,
        )
    if _TEST_KEY.fullmatch(key) is None:
        raise ApiError(f"Invalid API Key provided: {_mask(key)}", status=401)


def _read_key(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, _ = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return user


def _mask(key: str) -> str:
    hidden = max(len(key) - 2 * _VISIBLE_CHARACTERS, 0)
    if hidden == 0:
        return "*" * len(key)
    return key[:_VISIBLE_CHARACTERS] + "*" * hidden + key[-_VISIBLE_CHARACTERS:]
