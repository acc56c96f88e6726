"""HTTP: who may call, faults on the way in and out, and which idempotency keys are in use."""

import asyncio
import signal
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devstack.stripe_simulator import fault_rate, faults, spoiling
from devstack.stripe_simulator.authentication import authenticate
from devstack.stripe_simulator.calls import Answer, Call, new_id
from devstack.stripe_simulator.control import Control
from devstack.stripe_simulator.deliverer import Deliverer
from devstack.stripe_simulator.dispute_control import DisputeControl
from devstack.stripe_simulator.errors import ApiError, key_in_use, server_failure
from devstack.stripe_simulator.execution import execute, write_down
from devstack.stripe_simulator.faults import Fault, FaultKind
from devstack.stripe_simulator.form import parse_form
from devstack.stripe_simulator.idempotency import check_key
from devstack.stripe_simulator.profiles import is_permissive
from devstack.stripe_simulator.refund_life import pass_time
from devstack.stripe_simulator.store import Store, Tables
from devstack.stripe_simulator.targets import set_command_line_target
from devstack.stripe_simulator.webhook_control import WebhookControl

MOVES_EVERY_SECONDS = 1
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def build_app(
    store: Store, *, webhook_url: str | None, webhook_secrets: list[str], webhook_events: list[str]
) -> Starlette:
    """Compose the control plane, Stripe's API and its webhooks on one store, which is closed at the end."""

    @asynccontextmanager
    async def keep_open(_: Starlette) -> AsyncIterator[None]:
        # A file that cannot be opened ends the start, not the first call.
        await store.transaction(
            lambda tables: set_command_line_target(tables, webhook_url, webhook_secrets, webhook_events)
        )
        running = [asyncio.create_task(Deliverer(store).run()), asyncio.create_task(_keep_moving(store))]
        for task in running:
            task.add_done_callback(_end_with_the_task)
        yield
        for task in running:
            task.cancel()
        await asyncio.wait(running)
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


def _end_with_the_task(task: asyncio.Task[None]) -> None:
    """A simulator that lost a task of its own must not look alive: whoever watches the process starts it again."""
    if not task.cancelled() and (failure := task.exception()) is not None:
        traceback.print_exception(failure)
        signal.raise_signal(signal.SIGTERM)


async def _keep_moving(store: Store) -> None:
    """Let refunds move while nobody calls, so that whoever listens for events hears of it."""
    while True:
        await asyncio.sleep(MOVES_EVERY_SECONDS)
        await store.transaction(pass_time)


class Api:
    """Stripe's side of the connection."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # In memory on purpose: after a restart nothing is in flight any more.
        self._keys_in_use: set[str] = set()

    async def serve(self, request: Request) -> Response:
        """Answer one call, or break the answer in the way that a fault says."""
        call = await _read_call(request)
        fault: Fault | None = None
        try:
            authenticate(request.headers.get("authorization"))
            fault, has_key_memory = await self._store.transaction(lambda tables: _meet(tables, call))
            if spoiling.keeps_out(call, fault):
                answer = None
                await self._write_down(call, answer, fault)
            else:
                answer = await self._answer(call, fault, has_key_memory=has_key_memory)
        except ApiError as error:
            answer = error.answer(call.request_id)
            await self._write_down(call, answer, fault)
        return await spoiling.deliver(call, answer, fault)

    async def _answer(self, call: Call, fault: Fault | None, *, has_key_memory: bool) -> Answer:
        if call.key is None or not has_key_memory:
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

    async def _write_down(self, call: Call, answer: Answer | None, fault: Fault | None) -> None:
        await self._store.transaction(lambda tables: write_down(tables, call, answer, fault))


def _meet(tables: Tables, call: Call) -> tuple[Fault | None, bool]:
    """Say which fault the call meets (an armed one comes first) and whether keys are remembered."""
    fault = faults.take(tables, call.method, call.path) or fault_rate.draw(tables, call)
    return fault, not is_permissive(tables)


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


async def _answer_own_mistake(_: Request, __: Exception) -> Response:
    call = Call(method="", path="", request_id=new_id("req_", 14))
    answer = server_failure().answer(call.request_id)
    return JSONResponse(answer.body, status_code=answer.status, headers=answer.headers(call))
