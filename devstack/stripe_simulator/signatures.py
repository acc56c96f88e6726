"""The `Stripe-Signature` header, true and forged: https://docs.stripe.com/webhooks#verify-manually."""

import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum

# How far a forged time lies from now; receivers allow five minutes.
FORGED_SECONDS = 3600
_FOREIGN_SECRET = "whsec_somebody_elses"


class Forgery(StrEnum):
    """What is wrong with a delivery that Stripe would not have sent."""

    WRONG_SECRET = "wrong_secret"
    OLD = "old"
    FUTURE = "future"
    CHANGED_BODY = "changed_body"
    UNSIGNED = "unsigned"


def signed(body: bytes, secrets: Sequence[str], now: int, forgery: Forgery | None) -> tuple[bytes, dict[str, str]]:
    """Return the body to send and the header to send it with."""
    match forgery:
        case None:
            return body, _header(body, secrets, now)
        case Forgery.WRONG_SECRET:
            return body, _header(body, [_FOREIGN_SECRET], now)
        case Forgery.OLD:
            return body, _header(body, secrets, now - FORGED_SECONDS)
        case Forgery.FUTURE:
            return body, _header(body, secrets, now + FORGED_SECONDS)
        case Forgery.CHANGED_BODY:
            # One space more is the same JSON, but not the bytes that were signed.
            return body + b" ", _header(body, secrets, now)
        case Forgery.UNSIGNED:
            return body, {}


def _header(body: bytes, secrets: Sequence[str], at: int) -> dict[str, str]:
    payload = str(at).encode() + b"." + body
    signatures = [f"v1={_sign(payload, secret)}" for secret in secrets]
    # Stripe adds a meaningless v0 in test mode, so that nobody accepts just any scheme.
    signatures.append(f"v0={_sign(payload, _FOREIGN_SECRET)}")
    return {"Stripe-Signature": ",".join([f"t={at}", *signatures])}


def _sign(payload: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
