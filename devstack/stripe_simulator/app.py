"""HTTP: who may call, faults on the way in and out, and which idempotency keys are in use."""

import asyncio
import signal
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from devstack.stripe_simulator import faults, journal
from devstack.stripe_simulator.authentication import authenticate
from devstack.stripe_simulator.calls import Answer, Call, new_id
from devstack.stripe_simulator.connection import DroppedAnswer, TruncatedAnswer
from devstack.stripe_simulator.control import Control
from devstack.stripe_simulator.deliverer import Deliverer
from devstack.stripe_simulator.dispute_control import DisputeControl
from devstack.stripe_simulator.errors import ApiError, key_in_use, rate_limited, server_failure
from devstack.stripe_simulator.execution import execute
from devstack.stripe_simulator.faults import Fault, FaultKind
from devstack.stripe_simulator.form import parse_form
from devstack.stripe_simulator.idempotency import check_key
from devstack.stripe_simulator.store import Store
from devstack.stripe_simulator.targets import set_command_line_target
from devstack.stripe_simulator.webhook_control import WebhookControl

_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def build_app(store: Store, *, webhook_url: str | None, webhook_secrets: list[str]) -> Starlette:
    """Compose the control plane, Stripe's API and its webhooks on one store, which is closed at the end."""

    @asynccontextmanager
    async def keep_open(_: Starlette) -> AsyncIterator[None]:
        # A file that cannot be opened ends the start, not the first call.
        await store.transaction(lambda tables: set_command_line_target(tables, webhook_url, webhook_secrets))
        sending = asyncio.create_task(Deliverer(store).run())
        sending.add_done_callback(_end_with_the_deliverer)
        yield
        sending.cancel()
        await asyncio.wait([sending])
        store.close()

    controls = (Control(store), DisputeControl(store), WebhookControl(store))
    return Starlette(
        routes=[
            *(route for control in controls for route in control.routes()),
            Route("/{path:path}", Api(store).serve, methods=_METHODS),
        ],
        lifespan=keep_open,
        exception_handlers={Exception: _answer_own_mistake},
    )


def _end_with_the_deliverer(sending: asyncio.Task[None]) -> None:
    """A simulator that lost its deliverer must not look alive: whoever watches the process starts it again."""
    if not sending.cancelled() and (failure := sending.exception()) is not None:
        traceback.print_exception(failure)
        signal.raise_signal(signal.SIGTERM)


class Api:
    """Stripe's side of the connection."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # In memory on purpose: after a restart nothing is in flight any more.
        self._keys_in_use: set[str] = set()

    async def serve(self, request: Request) -> Response:
        """Answer one call, or break the answer in the way that an armed fault says."""
        call = await _read_call(request)
        fault: Fault | None = None
        try:
            authenticate(request.headers.get("authorization"))
            fault = await self._store.transaction(lambda tables: faults.take(tables, call.method, call.path))
            answer = await self._answer(call, fault)
        except ApiError as error:
            answer = error.answer(call.request_id)
            await self._write_journal(call, answer, fault)
        return await _deliver(call, answer, fault)

    async def _answer(self, call: Call, fault: Fault | None) -> Answer | None:
        kind = None if fault is None else fault.kind
        if kind is FaultKind.RATE_LIMIT:
            raise rate_limited()
        if kind is FaultKind.CONFLICT:
            raise key_in_use(call.key)
        if kind is FaultKind.DROP_BEFORE:
            await self._write_journal(call, None, fault)
            return None
        if call.key is None:
            return await self._execute(call, fault)
        check_key(call.key)
        if call.key in self._keys_in_use:
            raise key_in_use(call.key)
        self._keys_in_use.add(call.key)
        try:
            return await self._execute(call, fault)
        finally:
            self._keys_in_use.discard(call.key)

    async def _execute(self, call: Call, fault: Fault | None) -> Answer:
        if fault is not None and fault.kind is FaultKind.HANG_BEFORE:
            await asyncio.sleep(fault.hang_seconds)
        return await self._store.transaction(lambda tables: execute(tables, call, fault))

    async def _write_journal(self, call: Call, answer: Answer | None, fault: Fault | None) -> None:
        await self._store.transaction(lambda tables: journal.record(tables, call, answer, fault))


async def _read_call(request: Request) -> Call:
    is_post = request.method == "POST"
    encoded = (await request.body()).decode(errors="replace") if is_post else request.url.query
    return Call(
        method=request.method,
        path=request.url.path,
        params=parse_form(encoded),
        key=(request.headers.get("idempotency-key") or None) if is_post else None,
        request_id=new_id("req_", 14),
    )


async def _deliver(call: Call, answer: Answer | None, fault: Fault | None) -> Response:
    kind = None if fault is None else fault.kind
    if answer is None or kind is FaultKind.DROP_AFTER:
        return DroppedAnswer()
    if kind is FaultKind.BAD_GATEWAY_AFTER:
        return HTMLResponse(_BAD_GATEWAY, status_code=502)
    whole = JSONResponse(answer.body, status_code=answer.status, headers=answer.headers(call))
    if kind is FaultKind.TRUNCATE_AFTER:
        return TruncatedAnswer(whole.body, status_code=answer.status, headers=dict(whole.headers))
    if fault is not None and kind is FaultKind.HANG_AFTER:
        await asyncio.sleep(fault.hang_seconds)
    return whole


async def _answer_own_mistake(_: Request, __: Exception) -> Response:
    call = Call(method="", path="", request_id=new_id("req_", 14))
    answer = server_failure().answer(call.request_id)
    return JSONResponse(answer.body, status_code=answer.status, headers=answer.headers(call))
