"""What each kind of fault makes of a call: a refusal on the way in, or a spoilt answer on the way out."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import JSONResponse, Response

from devstack.stripe_simulator.calls import Answer, Call
from devstack.stripe_simulator.connection import DroppedAnswer, TruncatedAnswer
from devstack.stripe_simulator.errors import (
    ApiError,
    key_expired,
    key_in_use,
    lock_timeout,
    not_permitted,
    rate_limited,
    unavailable,
)
from devstack.stripe_simulator.faults import Fault, FaultKind

RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True)
class _Page:
    """An answer that is none of Stripe's: from a proxy, a captive portal or a broken server."""

    status: int
    media_type: str
    body: str


def _html(status: int, title: str) -> _Page:
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return _Page(status, "text/html", page)


_REFUSALS: dict[FaultKind, Callable[[Call], ApiError]] = {
    FaultKind.UNAVAILABLE_BEFORE: lambda _: unavailable(),
    FaultKind.CONFLICT: lambda call: key_in_use(call.key),
    FaultKind.RATE_LIMIT: lambda _: rate_limited(),
    FaultKind.RATE_LIMIT_WITH_DELAY: lambda _: rate_limited(retry_after_seconds=RETRY_AFTER_SECONDS),
    FaultKind.LOCK_TIMEOUT: lambda _: lock_timeout(),
    FaultKind.UNAUTHORIZED: lambda _: key_expired(),
    FaultKind.FORBIDDEN: lambda _: not_permitted(),
}
_PAGES = {
    FaultKind.BAD_GATEWAY_AFTER: _html(502, "502 Bad Gateway"),
    FaultKind.GATEWAY_TIMEOUT_AFTER: _html(504, "504 Gateway Time-out"),
    FaultKind.PAGE_BEFORE: _html(200, "Welcome"),
    FaultKind.PAGE_AFTER: _html(200, "Welcome"),
    FaultKind.EMPTY_AFTER: _Page(200, "application/json", ""),
    FaultKind.WRONG_JSON_AFTER: _Page(200, "application/json", '{"message": "OK"}'),
}


def keeps_out(call: Call, fault: Fault | None) -> bool:
    """Whether the call ends here without effect; raises `ApiError` if it is refused in Stripe's shape."""
    if fault is None:
        return False
    if fault.kind in _REFUSALS:
        raise _REFUSALS[fault.kind](call)
    return fault.kind in (FaultKind.DROP_BEFORE, FaultKind.PAGE_BEFORE)


def sent_status(answer: Answer | None, fault: Fault | None) -> int | None:
    """Say which status leaves for the caller, if any does."""
    if fault is not None and fault.kind in (FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER):
        return None
    if fault is not None and fault.kind in _PAGES:
        return _PAGES[fault.kind].status
    return None if answer is None else answer.status


async def deliver(call: Call, answer: Answer | None, fault: Fault | None) -> Response:
    """Send the answer, or what the fault makes of it."""
    kind = None if fault is None else fault.kind
    if kind in _PAGES:
        page = _PAGES[kind]
        return Response(page.body, status_code=page.status, media_type=page.media_type)
    if answer is None or kind is FaultKind.DROP_AFTER:
        return DroppedAnswer()
    whole = JSONResponse(answer.body, status_code=answer.status, headers=answer.headers(call))
    if kind is FaultKind.TRUNCATE_AFTER:
        return TruncatedAnswer(whole.body, status_code=answer.status, headers=dict(whole.headers))
    if fault is not None and kind is FaultKind.HANG_AFTER:
        await asyncio.sleep(fault.hang_seconds)
    return whole
