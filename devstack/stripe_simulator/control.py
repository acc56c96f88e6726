"""The control plane under `/_sim/`: see the whole ledger, move the clock, act as bank and cardholder."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from devstack.stripe_simulator import faults, journal, refunds
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.commands import (
    BadCommandError,
    answering,
    choice,
    number_of_seconds,
    read_command,
    whole_number,
)
from devstack.stripe_simulator.faults import HANG_SECONDS_DEFAULT, Fault, FaultKind
from devstack.stripe_simulator.objects import (
    charge_json,
    dispute_json,
    early_fraud_warning_json,
    payment_intent_json,
    refund_json,
    refunded_amount,
)
from devstack.stripe_simulator.records import Charge, Dispute, EarlyFraudWarning, PaymentIntent, Refund
from devstack.stripe_simulator.store import Store, Tables


class Control:
    """Commands without authentication; the process listens on the loopback address only."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """List the commands."""
        return [
            Route("/_sim/healthz", answering(self._health), methods=["GET"]),
            Route("/_sim/state", answering(self._state), methods=["GET"]),
            Route("/_sim/reset", answering(self._reset), methods=["POST"]),
            Route("/_sim/clock", answering(self._advance_clock), methods=["POST"]),
            Route("/_sim/faults", answering(self._arm_fault), methods=["POST"]),
            Route("/_sim/refunds/{id}/settle", answering(self._settle), methods=["POST"]),
            Route("/_sim/refunds/{id}/fail", answering(self._fail), methods=["POST"]),
            Route("/_sim/refunds/{id}/cancel", answering(self._cancel), methods=["POST"]),
        ]

    async def _health(self, _: Request) -> Json:
        return await self._store.transaction(lambda tables: {"simulated": True, "now": tables.now()})

    async def _state(self, _: Request) -> Json:
        return await self._store.transaction(_show_state)

    async def _reset(self, _: Request) -> Json:
        await self._store.transaction(lambda tables: tables.reset())
        return {"reset": True}

    async def _advance_clock(self, request: Request) -> Json:
        command = await read_command(request, {"advance_seconds"})
        seconds = whole_number(command, "advance_seconds", at_least=0)

        def advance(tables: Tables) -> Json:
            tables.advance_clock(seconds)
            return {"now": tables.now(), "offset_seconds": tables.offset_seconds()}

        return await self._store.transaction(advance)

    async def _arm_fault(self, request: Request) -> Json:
        fault = _read_fault(await read_command(request, {"method", "path_prefix", "kind", "times", "hang_seconds"}))

        def arm(tables: Tables) -> Json:
            faults.arm(tables, fault)
            return {"faults": faults.list_armed(tables)}

        return await self._store.transaction(arm)

    async def _settle(self, request: Request) -> Json:
        return await self._change_refund(lambda tables: refunds.settle(tables, request.path_params["id"]))

    async def _fail(self, request: Request) -> Json:
        command = await read_command(request, {"failure_reason"})
        reason = choice(command, "failure_reason", refunds.FAILURE_REASONS, default="unknown")
        return await self._change_refund(lambda tables: refunds.fail(tables, request.path_params["id"], reason))

    async def _cancel(self, request: Request) -> Json:
        return await self._change_refund(lambda tables: refunds.cancel(tables, request.path_params["id"]))

    async def _change_refund(self, change: Callable[[Tables], Refund]) -> Json:
        return await self._store.transaction(lambda tables: refund_json(change(tables)))


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
        "early_fraud_warnings": [early_fraud_warning_json(warning) for warning in tables.select(EarlyFraudWarning)],
        "journal": journal.entries(tables),
        "faults": faults.list_armed(tables),
    }


def _read_fault(command: dict[str, Any]) -> Fault:
    method = command.get("method")
    if method is not None and not isinstance(method, str):
        raise BadCommandError("method must be a string")
    path_prefix = command.get("path_prefix", "/v1/")
    if not isinstance(path_prefix, str):
        raise BadCommandError("path_prefix must be a string")
    kind = choice(command, "kind", tuple(FaultKind), default=None)
    times = whole_number(command, "times", at_least=1, default=1)
    return Fault(
        method=None if method is None else method.upper(),
        path_prefix=path_prefix,
        kind=FaultKind(kind),
        times=times,
        hang_seconds=number_of_seconds(command, "hang_seconds", default=HANG_SECONDS_DEFAULT),
    )
