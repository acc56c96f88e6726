"""What each of Stripe's errors means for a payout: one table, first match wins, sources beside the rows."""

import re
from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum

import stripe

from domain.errors import AccessRefused, FailureStored, TryAgain
from domain.rails import StopCause

IN_USE_SECONDS = 2.0  # the other call with this key is over by then, or nearly
REPLAYED_FAILURE_SECONDS = 900.0  # the key answers 500 for 24 h; only looking can tell what became of it


class Action(StrEnum):
    """What to do about an error. The first five say nothing about the refund, the others are definite."""

    TRY_AGAIN = "try_again"
    KEY_IN_USE = "key_in_use"
    FAILURE_REPLAYED = "failure_replayed"
    MEND_KEY = "mend_key"
    OTHER_MODE = "other_mode"
    MISSING = "missing"
    TAKEN = "taken"  # nothing, or too little, is left to refund: somebody else's refund, or ours
    DISPUTED = "disputed"
    REFUSED = "refused"
    UNCLEAR = "unclear"  # a person must look


@dataclass(frozen=True)
class Row:
    """One kind of error; what is not given matches everything."""

    action: Action
    raised: type[stripe.StripeError] = stripe.StripeError
    status: Container[int] | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None
    words: str = ""
    is_replay: bool = False
    is_foreign: bool = False  # the body is not an error of Stripe's: something on the way answered
    detail: str | None = None  # our name for an error without a code


TABLE = (
    # Timeout, reset, TLS, cut answer; its should_retry differs by HTTP client: stripe-python 16.1.0 _http_client
    Row(Action.TRY_AGAIN, raised=stripe.APIConnectionError),
    # A page by something on the way, not an answer of Stripe's: it proves nothing of the key
    Row(Action.TRY_AGAIN, status=(401, 403), is_foreign=True),
    # Wrong, revoked or too narrow key; never stored for the idempotency key: docs.stripe.com/api/errors
    Row(Action.MEND_KEY, status=(401, 403)),
    # Rate and lock limits, before the idempotency layer, nothing was executed: docs.stripe.com/rate-limits
    Row(Action.TRY_AGAIN, raised=stripe.RateLimitError),
    # idempotency_key_in_use, which the SDK raises as APIError: docs.stripe.com/error-low-level, measured
    Row(Action.KEY_IN_USE, status=(409,)),
    # A stored 500, which may still be rolled forward: docs.stripe.com/error-low-level#server-errors
    Row(Action.FAILURE_REPLAYED, status=range(500, 600), is_replay=True),
    # Indeterminate; 424 is an outside dependency: docs.stripe.com/api/errors
    Row(Action.TRY_AGAIN, status=(424, *range(500, 600))),
    # 2xx that cannot be read, and every page by a proxy or load balancer: stripe-python 16.1.0, measured
    Row(Action.TRY_AGAIN, is_foreign=True),
    # The key was used with other parameters or elsewhere: docs.stripe.com/api/idempotent_requests
    Row(Action.UNCLEAR, type="idempotency_error"),
    # All codes below: docs.stripe.com/error-codes
    # "No such …; a similar object exists in live mode, but a test mode key was used": docs.stripe.com/keys
    Row(Action.OTHER_MODE, status=(404,), code="resource_missing", words="similar object exists in"),
    Row(Action.MISSING, status=(404,), code="resource_missing"),
    Row(Action.TAKEN, code="charge_already_refunded"),
    Row(Action.TAKEN, code="amount_too_large"),
    # "Refund amount is greater than unrefunded amount on charge" comes with a param and no code: measured
    Row(Action.TAKEN, status=(400,), param="amount", detail="amount_too_large"),
    # A chargeback: docs.stripe.com/error-codes, and a published run against test mode
    Row(Action.DISPUTED, code="charge_disputed"),
    Row(Action.DISPUTED, code="refund_disputed_payment"),
    Row(Action.REFUSED, code="balance_insufficient"),
    # The same without a code on some accounts: medusajs/admin#720
    Row(Action.REFUSED, status=(400,), words="insufficient funds", detail="balance_insufficient"),
    # charge_not_refundable and every other definite no: docs.stripe.com/api/errors
    Row(Action.REFUSED, status=(400, 402, 404), type="invalid_request_error"),
    Row(Action.REFUSED, status=(402,), type="card_error"),
    # Whatever is not listed needs a person, never endless repetition.
    Row(Action.UNCLEAR),
)


class Refusal(Exception):
    """A definite error of Stripe's in our words; it never leaves the gateway."""

    def __init__(self, action: Action, detail: str, trace: str) -> None:
        super().__init__(f"Stripe refused ({trace}).")
        self.action = action
        self.detail = detail


def translate(error: stripe.StripeError) -> TryAgain | Refusal:
    """Find an error in the table; say type, code and request id, never a body, a header or a key."""
    row = next(row for row in TABLE if _fits(row, error))
    trace = _trace(error)
    match row.action:
        case Action.TRY_AGAIN:
            return TryAgain(f"Stripe gave no clear answer ({trace}).")
        case Action.KEY_IN_USE:
            return TryAgain(f"The same request is under way at Stripe ({trace}).", after_seconds=IN_USE_SECONDS)
        case Action.FAILURE_REPLAYED:
            return FailureStored(
                f"Stripe repeats a failure that it stored for this request ({trace}).",
                after_seconds=REPLAYED_FAILURE_SECONDS,
            )
        case Action.MEND_KEY:
            told = f"Stripe does not accept the key: a person must mend it or its rights ({trace})."
            return AccessRefused(StopCause.KEY_REFUSED, told)
        case Action.OTHER_MODE:
            return AccessRefused(StopCause.MODE_DIFFERS, f"The key and the payment are of different modes ({trace}).")
    return Refusal(row.action, row.detail or _code(error) or _word(_field(error, "type")) or "unknown", trace)


def _fits(row: Row, error: stripe.StripeError) -> bool:
    return (
        isinstance(error, row.raised)
        and (row.status is None or error.http_status in row.status)
        and (row.type is None or row.type == _field(error, "type"))
        and (row.code is None or row.code == _field(error, "code"))
        and (row.param is None or row.param == _field(error, "param"))
        and row.words in (_field(error, "message") or "").lower()
        and (not row.is_replay or is_replay(error.headers))
        and (not row.is_foreign or error.error is None)
    )


def is_replay(headers: object) -> bool:
    """Whether an answer came from the memory of its idempotency key."""
    get = getattr(headers, "get", None)
    return get is not None and str(get("Idempotent-Replayed")).lower() == "true"


def _field(error: stripe.StripeError, name: str) -> str | None:
    # The attributes of the exception itself are empty for some classes: `code` of a RateLimitError, for one.
    value = getattr(error.error, name, None)
    return value if isinstance(value, str) else None


def _code(error: stripe.StripeError) -> str | None:
    return _word(_field(error, "code"))


def _trace(error: stripe.StripeError) -> str:
    parts = [type(error).__name__]
    if isinstance(error, stripe.APIConnectionError) and error.__cause__ is not None:
        # Distinguishes a network that fails from a client that is set up wrongly.
        parts.append(type(error.__cause__).__name__)
    if error.http_status is not None:
        parts.append(str(error.http_status))
    parts += [part for part in (_code(error), _word(error.request_id)) if part]
    return ", ".join(parts)


def _word(value: str | None) -> str | None:
    """Let through only what looks like an identifier: a message of Stripe's can repeat what was sent."""
    return value if value and re.fullmatch(r"[A-Za-z0-9_]{1,64}", value) else None
