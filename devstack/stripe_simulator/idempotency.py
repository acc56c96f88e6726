"""What Stripe remembers about idempotency keys: https://docs.stripe.com/api/idempotent_requests."""

import json

from devstack.stripe_simulator.calls import Answer, Call
from devstack.stripe_simulator.errors import ApiError, key_reused
from devstack.stripe_simulator.profiles import is_permissive
from devstack.stripe_simulator.store import Tables

KEY_CHARACTERS_MAX = 255
# Stripe keeps a key for at least 24 hours; a client may not count on a second more.
REMEMBERED_SECONDS = 24 * 3600


def check_key(key: str) -> None:
    """Refuse a key that is too long."""
    if len(key) > KEY_CHARACTERS_MAX:
        raise ApiError(
            f"Idempotency keys can have up to {KEY_CHARACTERS_MAX} characters, but you passed in a key that "
            f"is {len(key)} characters."
        )


def recall(tables: Tables, call: Call) -> Answer | None:
    """Find the first answer given to this key, unless it is forgotten by now.

    Raises `ApiError` if the key was first used for another endpoint or with other parameters.
    """
    if call.key is None or is_permissive(tables):
        return None
    tables.connection.execute("DELETE FROM idempotency WHERE created <= ?", (tables.now() - REMEMBERED_SECONDS,))
    row = tables.connection.execute(
        "SELECT path, params, request_id, status, body, should_retry FROM idempotency WHERE key = ?",
        (call.key,),
    ).fetchone()
    if row is None:
        return None
    path, params, request_id, status, body, should_retry = row
    if path != call.path:
        raise key_reused(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{call.path}' vs '{path}'). Try using a key other than '{call.key}' if you meant to execute a "
            "different request."
        )
    if params != _fingerprint(call):
        raise key_reused(
            "Keys for idempotent requests can only be used with the same parameters they were first used "
            f"with. Try using a key other than '{call.key}' if you meant to execute a different request."
        )
    return Answer(
        status=status,
        body=json.loads(body),
        original_request=request_id,
        is_replay=True,
        should_retry=None if should_retry is None else bool(should_retry),
    )


def remember(tables: Tables, call: Call, answer: Answer) -> None:
    """Keep the first answer given to this key."""
    if call.key is None or is_permissive(tables):
        return
    tables.connection.execute(
        "INSERT INTO idempotency (key, path, params, request_id, status, body, should_retry, created) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            call.key,
            call.path,
            _fingerprint(call),
            call.request_id,
            answer.status,
            json.dumps(answer.body),
            answer.should_retry,
            tables.now(),
        ),
    )


def _fingerprint(call: Call) -> str:
    return json.dumps(call.params, sort_keys=True)
