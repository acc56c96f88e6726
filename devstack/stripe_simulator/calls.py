"""One API call and its answer, with the headers that Stripe puts on every answer."""

import re
import secrets
import string
from dataclasses import dataclass, field
from typing import Any

from devstack.stripe_simulator.form import Form

Json = dict[str, Any]

API_VERSION = "2026-10-28.endive"
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, kw_only=True)
class Call:
    """What was asked: `key` is the idempotency key of a POST."""

    method: str
    path: str
    params: Form = field(default_factory=dict)
    key: str | None = None
    request_id: str

    @property
    def endpoint(self) -> str:
        """Name the endpoint without the id in its path."""
        parts = self.path.rstrip("/").split("/")
        return " ".join((self.method, "/".join([*parts[:3], *("{id}" for _ in parts[3:4]), *parts[4:]])))

    @property
    def is_refund_creation(self) -> bool:
        """Whether the journal keeps this call."""
        return self.method == "POST" and re.fullmatch(r"/v1/refunds/?", self.path) is not None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is sent back: status, JSON body and the headers that only this answer carries."""

    status: int
    body: Json
    original_request: str | None = None
    is_replay: bool = False
    should_retry: bool | None = None
    retry_after_seconds: int | None = None

    def headers(self, call: Call) -> dict[str, str]:
        """Name the request, its idempotency key, and whether a retry makes sense."""
        headers = {
            "Request-Id": call.request_id,
            "Stripe-Version": API_VERSION,
            "Cache-Control": "no-cache, no-store",
        }
        if call.key is not None:
            headers["Idempotency-Key"] = call.key
        if self.original_request is not None:
            headers["Original-Request"] = self.original_request
        if self.is_replay:
            headers["Idempotent-Replayed"] = "true"
        if self.should_retry is not None:
            headers["Stripe-Should-Retry"] = "true" if self.should_retry else "false"
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(self.retry_after_seconds)
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="Stripe"'
        return headers


def new_id(prefix: str, length: int = 24) -> str:
    """Make an id as Stripe does: a prefix and letters and digits without meaning."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))
