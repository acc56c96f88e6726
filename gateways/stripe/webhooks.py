"""Webhooks as Stripe sends them: is this really from Stripe, sent just now, and what is it about?"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import from_json

from domain.card_events import CardEvent, EventSubject

# Events of another version may have another shape; the endpoint is made with the version of our SDK.
API_VERSION = "2026-10-28.endive"
EVENT_TYPES = (
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "radar.early_fraud_warning.created",
)
# Stripe stamps each try anew, so one that is older is somebody's copy; a clock that is ahead is no better.
TOLERANCE_SECONDS = 300
HEADER_LENGTH_MAX = 2048
SIGNATURES_MAX = 8  # Stripe sends one for each active secret of an endpoint, and has two at most
_STAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_ATTEMPT = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_NAME = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


class HookFault(StrEnum):
    """Why a call to the hook is not an event of Stripe's; a closed list, explained in the glossary."""

    OVERSIZED = "oversized"
    UNSIGNED = "unsigned"
    FORGED = "forged"
    OLD = "old"
    FUTURE = "future"
    NOT_UTF8 = "not_utf8"
    UNPARSABLE = "unparsable"


class NotAnEvent(Exception):
    """This call is refused. Only `fault` says why: the content belongs into no message."""

    def __init__(self, fault: HookFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def verify(raw: bytes, signature: str | None, secrets: Sequence[str], *, now_seconds: float) -> None:
    """Check the `Stripe-Signature` of the raw bytes; raise `NotAnEvent`.

    One of several secrets is enough, so that one can replace another. Stripe's own library takes stamps of the
    future, which would let a copied call be used for ever: https://docs.stripe.com/webhooks/signature
    """
    stamp, signatures = _parts(signature)
    signed = stamp.encode() + b"." + raw
    # Every secret is compared with every signature, whatever the ones before came to.
    matches = [
        hmac.compare_digest(hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode(), given.encode())
        for secret in secrets
        for given in signatures
    ]
    if not any(matches):
        raise NotAnEvent(HookFault.FORGED)
    age_seconds = now_seconds - int(stamp)
    if age_seconds > TOLERANCE_SECONDS:
        raise NotAnEvent(HookFault.OLD)
    if age_seconds < -TOLERANCE_SECONDS:
        raise NotAnEvent(HookFault.FUTURE)


def _parts(signature: str | None) -> tuple[str, list[str]]:
    """Read `t=…,v1=…,v1=…`; other schemes beside v1 are none of ours."""
    if signature is None or len(signature) > HEADER_LENGTH_MAX:
        raise NotAnEvent(HookFault.UNSIGNED)
    pairs = [part.strip().partition("=")[::2] for part in signature.split(",")]
    stamps = [value for name, value in pairs if name == "t"]
    signatures = [value for name, value in pairs if name == "v1"]
    if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]) or not 0 < len(signatures) <= SIGNATURES_MAX:
        raise NotAnEvent(HookFault.UNSIGNED)
    return stamps[0], signatures


Name = Annotated[str, StringConstraints(pattern=f"^{_NAME.pattern}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class _Data(_Part):
    object: dict[str, Any]


class _Event(_Part):
    id: Name
    type: str
    livemode: bool
    account: Name | None = None
    api_version: str | None = None
    data: _Data


class _Subject(_Part):
    object: str
    id: Name
    payment_intent: Name | None = None
    metadata: dict[str, str] | None = None
    amount: int | None = None
    currency: str | None = None
    status: str | None = None
    amount_refunded: int | None = None


def read_body(raw: bytes) -> CardEvent | None:
    """Read a verified body; None for a type that we do not follow. Raise `NotAnEvent` for what is no event."""
    try:
        # Python's own reader takes UTF-16 too, and is as deep as whoever set the interpreter's limit lets it be.
        return read_event(from_json(raw.decode("utf-8"), allow_inf_nan=False))
    except UnicodeDecodeError:
        raise NotAnEvent(HookFault.NOT_UTF8) from None
    except ValueError:
        raise NotAnEvent(HookFault.UNPARSABLE) from None


def read_event(value: Any) -> CardEvent | None:
    """Read one event as Stripe shows it; None for a type that we do not follow."""
    try:
        event = _Event.model_validate(value)
        if event.type not in EVENT_TYPES:
            return None
        subject = _Subject.model_validate(event.data.object)
        kind = EventSubject(subject.object)
    except (ValidationError, ValueError):
        raise NotAnEvent(HookFault.UNPARSABLE) from None
    metadata = subject.metadata or {}
    return CardEvent(
        event_id=event.id,
        type=event.type,
        is_live=event.livemode,
        account=event.account,
        api_version=event.api_version,
        subject=kind,
        subject_id=subject.id,
        payment_intent=subject.payment_intent,
        refund_id=_named(metadata.get("refund_id")),
        attempt=_attempt(metadata.get("attempt")),
        workflow_id=_named(metadata.get("workflow_id")),
        amount_minor=subject.amount,
        currency=subject.currency.upper() if subject.currency else None,
        status=subject.status,
        refunded_minor=subject.amount_refunded,
    )


def _named(value: str | None) -> str | None:
    """Return a name that could be one of ours; metadata may hold anything, and databases do not take all of it."""
    return value if value is not None and _NAME.fullmatch(value) else None


def _attempt(value: str | None) -> int | None:
    return int(value) if value is not None and _ATTEMPT.fullmatch(value) else None
