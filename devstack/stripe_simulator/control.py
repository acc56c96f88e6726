"""The control plane under `/_sim/`: see the whole ledger, move the clock, act as bank and cardholder."""

import json
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devstack.stripe_simulator import faults, journal, refunds
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.disputes import STATUSES, dispute_charge
from devstack.stripe_simulator.errors import ApiError
from devstack.stripe_simulator.faults import HANG_SECONDS_DEFAULT, Fault, FaultKind
from devstack.stripe_simulator.objects import (
    charge_json,
    dispute_json,
    payment_intent_json,
    refund_json,
    refunded_amount,
)
from devstack.stripe_simulator.records import Charge, Dispute, PaymentIntent, Refund
from devstack.stripe_simulator.store import Store, Tables

Handler = Callable[[Request], Awaitable[Json]]


class BadCommandError(Exception):
    """A command that the control plane cannot read."""


class Control:
    """Commands without authentication; the process listens on the loopback address only."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """List the commands."""
        return [
            Route("/_sim/healthz", _answering(self._health), methods=["GET"]),
            Route("/_sim/state", _answering(self._state), methods=["GET"]),
            Route("/_sim/reset", _answering(self._reset), methods=["POST"]),
            Route("/_sim/clock", _answering(self._advance_clock), methods=["POST"]),
            Route("/_sim/faults", _answering(self._arm_fault), methods=["POST"]),
            Route("/_sim/refunds/{id}/settle", _answering(self._settle), methods=["POST"]),
            Route("/_sim/refunds/{id}/fail", _answering(self._fail), methods=["POST"]),
            Route("/_sim/refunds/{id}/cancel", _answering(self._cancel), methods=["POST"]),
            Route("/_sim/charges/{id}/dispute", _answering(self._dispute), methods=["POST"]),
        ]

    async def _health(self, _: Request) -> Json:
        return await self._store.transaction(lambda tables: {"simulated": True, "now": tables.now()})

    async def _state(self, _: Request) -> Json:
        return await self._store.transaction(_show_state)

    async def _reset(self, _: Request) -> Json:
        await self._store.transaction(lambda tables: tables.reset())
        return {"reset": True}

    async def _advance_clock(self, request: Request) -> Json:
        command = await _read_command(request, {"advance_seconds"})
        seconds = _whole_number(command, "advance_seconds", at_least=0)

        def advance(tables: Tables) -> Json:
            tables.advance_clock(seconds)
            return {"now": tables.now(), "offset_seconds": tables.offset_seconds()}

        return await self._store.transaction(advance)

    async def _arm_fault(self, request: Request) -> Json:
        fault = _read_fault(await _read_command(request, {"method", "path_prefix", "kind", "times", "hang_seconds"}))

        def arm(tables: Tables) -> Json:
            faults.arm(tables, fault)
            return {"faults": faults.list_armed(tables)}

        return await self._store.transaction(arm)

    async def _settle(self, request: Request) -> Json:
        return await self._change_refund(lambda tables: refunds.settle(tables, request.path_params["id"]))

    async def _fail(self, request: Request) -> Json:
        command = await _read_command(request, {"failure_reason"})
        reason = _choice(command, "failure_reason", refunds.FAILURE_REASONS, default="unknown")
        return await self._change_refund(lambda tables: refunds.fail(tables, request.path_params["id"], reason))

    async def _cancel(self, request: Request) -> Json:
        return await self._change_refund(lambda tables: refunds.cancel(tables, request.path_params["id"]))

    async def _change_refund(self, change: Callable[[Tables], Refund]) -> Json:
        return await self._store.transaction(lambda tables: refund_json(change(tables)))

    async def _dispute(self, request: Request) -> Json:
        status = _choice(await _read_command(request, {"status"}), "status", STATUSES, default="needs_response")
        charge_id = request.path_params["id"]
        return await self._store.transaction(lambda tables: dispute_json(dispute_charge(tables, charge_id, status)))


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except BadCommandError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except ApiError as error:
            return JSONResponse({"error": error.message}, status_code=error.status)
        except refunds.WrongStatusError as error:
            return JSONResponse({"error": str(error)}, status_code=409)

    return answer


def _show_state(tables: Tables) -> Json:
    """Show the whole ledger, each list oldest first."""
    return {
        "simulated": True,
        "clock": {"now": tables.now(), "offset_seconds": tables.offset_seconds()},
        "payment_intents": [
            {**payment_intent_json(payment), "refunded_minor": refunded_amount(tables, payment.latest_charge)}
            for payment in tables.select(PaymentIntent)
        ],
        "charges": [charge_json(tables, charge) for charge in tables.select(Charge)],
        "refunds": [refund_json(refund) for refund in tables.select(Refund)],
        "disputes": [dispute_json(dispute) for dispute in tables.select(Dispute)],
        "journal": journal.entries(tables),
        "faults": faults.list_armed(tables),
    }


async def _read_command(request: Request, known: Collection[str]) -> dict[str, Any]:
    body = await request.body()
    try:
        command = json.loads(body) if body else {}
    except ValueError as error:
        raise BadCommandError(f"the body is not JSON: {error}") from error
    if not isinstance(command, dict):
        raise BadCommandError("the body is not a JSON object")
    unknown = sorted(set(command) - set(known))
    if unknown:
        raise BadCommandError(f"unknown fields: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return command


def _read_fault(command: dict[str, Any]) -> Fault:
    method = command.get("method")
    if method is not None and not isinstance(method, str):
        raise BadCommandError("method must be a string")
    path_prefix = command.get("path_prefix", "/v1/")
    if not isinstance(path_prefix, str):
        raise BadCommandError("path_prefix must be a string")
    kind = _choice(command, "kind", tuple(FaultKind), default=None)
    times = _whole_number(command, "times", at_least=1, default=1)
    return Fault(
        method=None if method is None else method.upper(),
        path_prefix=path_prefix,
        kind=FaultKind(kind),
        times=times,
        hang_seconds=_seconds(command, "hang_seconds", default=HANG_SECONDS_DEFAULT),
    )


def _choice(command: dict[str, Any], name: str, allowed: Collection[str], *, default: str | None) -> str:
    value = command.get(name, default)
    if not isinstance(value, str) or value not in allowed:
        raise BadCommandError(f"{name} must be one of {', '.join(allowed)}")
    return value


def _whole_number(command: dict[str, Any], name: str, *, at_least: int, default: int | None = None) -> int:
    value = command.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise BadCommandError(f"{name} must be a whole number, {at_least} or more")
    return value


def _seconds(command: dict[str, Any], name: str, *, default: float) -> float:
    value = command.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadCommandError(f"{name} must be a number of seconds, 0 or more")
    return float(value)
