"""Webhooks of the card processor: verified as they came, written down, and the run woken before the answer."""

import time
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from api.documents import problems_of
from api.metrics import Metrics
from api.pictures import Picture
from api.problems import ProblemError, ProblemType
from api.services import Services, ServicesNow
from domain.card_events import CardEvent, EventOutcome
from domain.errors import TryAgain
from gateways.stripe import webhooks
from gateways.stripe.webhooks import EVENT_TYPES, HookFault, NotAnEvent

BODY_BYTES_MAX = 1024 * 1024
DIGITS_MAX = 20  # of a length that is worth reading
PATH = "/v1/hooks/stripe"

log = structlog.get_logger()
routes = APIRouter(tags=["hooks"])


class HookReceipt(Picture):
    """The event is written down, and whoever it concerns was told."""

    received: bool = True


BODY: dict[str, Any] = {
    "description": "An event as Stripe sends it, signed: `Stripe-Signature` is checked against these very bytes.",
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["id", "type", "livemode", "data"],
                "properties": {
                    "id": {"type": "string", "maxLength": 255},
                    "type": {"type": "string", "description": f"Followed are {', '.join(EVENT_TYPES)}."},
                    "livemode": {"type": "boolean"},
                    "data": {
                        "type": "object",
                        "required": ["object"],
                        "properties": {"object": {"type": "object"}},
                    },
                },
            },
            "examples": {
                "example": {
                    "value": {
                        "id": "evt_1",
                        "object": "event",
                        "api_version": webhooks.API_VERSION,
                        "created": 1795176003,
                        "type": "refund.failed",
                        "livemode": False,
                        "data": {
                            "object": {
                                "id": "re_1",
                                "object": "refund",
                                "amount": 2000,
                                "currency": "usd",
                                "payment_intent": "pi_123",
                                "status": "failed",
                                "metadata": {
                                    "refund_id": "rf_3f0c2b7a9d1e4c5f8a6b7c8d",
                                    "attempt": "1",
                                    "workflow_id": "refund/rf_3f0c2b7a9d1e4c5f8a6b7c8d",
                                },
                            }
                        },
                    }
                }
            },
        }
    },
}
SIGNATURE = {
    "name": "Stripe-Signature",
    "in": "header",
    "required": True,
    "description": "`t=…,v1=…`: when it was sent, and an HMAC-SHA256 of `t.body` by each active signing secret.",
    "schema": {"type": "string", "maxLength": webhooks.HEADER_LENGTH_MAX},
    "example": "t=1795176003,v1=" + "5e" * 32,
}


@routes.post(
    PATH,
    openapi_extra={"requestBody": BODY, "parameters": [SIGNATURE], "security": []},
    responses=problems_of(400, 413, 500, 503),
)
async def take_stripe_event(request: Request, services: ServicesNow) -> HookReceipt:
    """Take an event of the card processor. It only wakes the refund's run, which then asks the processor itself.

    200 says that it is written down and the run was told; with 503 it is to be sent again. What is not signed, or
    stamped more than five minutes from now, gets 400 without a reason.
    """
    metrics: Metrics = request.app.state.metrics
    try:
        event = await _event_in(request, services)
    except NotAnEvent as refusal:
        # Not a word of it reaches the database: whoever sends these could fill it.
        metrics.count_hook(refusal.fault)
        log.info("hook.refused", fault=refusal.fault.value)
        raise _refused(refusal.fault) from None
    if event is None:
        metrics.count_hook("other_type")
        return HookReceipt()
    try:
        counted = await _take(request, services, event)
    except TryAgain:
        metrics.count_hook("delayed")
        raise
    metrics.count_hook(counted)
    return HookReceipt()


async def _event_in(request: Request, services: Services) -> CardEvent | None:
    """Read and verify the call; the bytes are parsed last."""
    if not services.hook_secrets or services.hook_is_live is None:
        request.app.state.metrics.count_hook("not_set_up")
        raise ProblemError(ProblemType.NOT_READY, "This hook is not set up.", rule="ready")
    given = request.headers.getlist("stripe-signature")
    raw = await _read(request)
    signature = given[0] if len(given) == 1 else None
    webhooks.verify(raw, signature, services.hook_secrets, now_seconds=time.time())
    return webhooks.read_body(raw)


async def _read(request: Request) -> bytes:
    """Read the body as it comes and stop at the limit, whatever its declared length says."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > DIGITS_MAX or int(declared) > BODY_BYTES_MAX):
        raise NotAnEvent(HookFault.OVERSIZED)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise NotAnEvent(HookFault.OVERSIZED)
    return bytes(body)


async def _take(request: Request, services: Services, event: CardEvent) -> str:
    """Write the event down and tell the run; raise `TryAgain` where either could not be done."""
    if event.api_version not in (None, webhooks.API_VERSION):
        log.warning("hook.other_version", event_id=event.event_id, api_version=event.api_version)
    taken = await run_in_threadpool(services.card_events.take, event, is_live=bool(services.hook_is_live))
    if taken.refund_id is not None and not await request.app.state.telling.tell_now(taken.refund_id):
        raise TryAgain("the run could not be told")
    write = log.error if taken.outcome == EventOutcome.OTHER_ACCOUNT else log.info
    write("hook.taken", event_id=event.event_id, type=event.type, outcome=taken.outcome.value, is_new=taken.is_new)
    return taken.outcome.value if taken.is_new else "repeated"


def _refused(fault: HookFault) -> ProblemError:
    """Answer without a reason: it would tell a forger what to mend."""
    if fault == HookFault.OVERSIZED:
        return ProblemError(ProblemType.BODY_TOO_LARGE, "The body is too large.")
    return ProblemError(ProblemType.MALFORMED_REQUEST, "This is not accepted.")
