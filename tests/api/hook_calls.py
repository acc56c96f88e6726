"""Calls to the card processor's hook as Stripe makes them."""

import hashlib
import hmac
import json
import time
from itertools import count
from typing import Any

import stripe
from httpx2 import Response
from starlette.testclient import TestClient

from domain.refunds import workflow_id

PATH = "/v1/hooks/stripe"
SECRET, NEXT_SECRET = "whsec_front", "whsec_front_next"
_numbers = count(1)


def refund_event(refund: str, type: str = "refund.failed", attempt: int = 1, **changes: Any) -> dict[str, Any]:
    """An event of the refund that this attempt made; `changes` are of the refund it shows."""
    metadata = {"refund_id": refund, "attempt": str(attempt), "workflow_id": workflow_id(refund)}
    shown = {"id": "re_1", "object": "refund", "amount": 2000, "currency": "usd", "status": "failed"}
    return event(type, **(shown | {"payment_intent": "pi_dep", "metadata": metadata} | changes))


def payment_event(object: str, type: str, **changes: Any) -> dict[str, Any]:
    """An event of something else about the payment of the deposit `dep`."""
    return event(type, **({"id": "du_1", "object": object, "payment_intent": "pi_dep"} | changes))


def event(type: str, **shown: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{next(_numbers)}",
        "object": "event",
        "type": type,
        "livemode": False,
        "api_version": stripe.api_version,
        "created": int(time.time()),
        "data": {"object": shown},
    }


def body_of(event: dict[str, Any]) -> bytes:
    """Write it indented, as Stripe does: who verifies anything but the raw bytes finds out."""
    return json.dumps(event, indent=2, ensure_ascii=False).encode()


def signature(body: bytes, *secrets: str, seconds: float = 0) -> str:
    """Sign as if sent that many seconds from now; that Stripe signs alike is tested beside the gateway."""
    stamp = int(time.time() + seconds)
    signed = f"{stamp}.".encode() + body
    made = [hmac.new(it.encode(), signed, hashlib.sha256).hexdigest() for it in secrets or (SECRET,)]
    return ",".join([f"t={stamp}", *(f"v1={it}" for it in made)])


def send(client: TestClient, event: dict[str, Any] | bytes, header: str | None = None) -> Response:
    """Send an event, or any bytes, signed now unless told otherwise."""
    body = event if isinstance(event, bytes) else body_of(event)
    header = signature(body) if header is None else header
    headers = {"Content-Type": "application/json; charset=utf-8"} | ({"Stripe-Signature": header} if header else {})
    return client.post(PATH, content=body, headers=headers)
