"""Commands about faults: arm them one by one, let them happen at a base rate, and read how often they did."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from devstack.stripe_simulator import fault_counts, fault_rate, faults
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.commands import (
    BadCommandError,
    answering,
    choice,
    number_of_seconds,
    read_command,
    texts,
    whole_number,
)
from devstack.stripe_simulator.fault_rate import KINDS_DEFAULT, FaultRate
from devstack.stripe_simulator.faults import HANG_SECONDS_DEFAULT, Fault, FaultKind
from devstack.stripe_simulator.store import Store, Tables

_KINDS = tuple(FaultKind)
# Short, so that a soak with many calls is not spent waiting.
RATE_HANG_SECONDS_DEFAULT = 2.0


class FaultControl:
    """The commands `/_sim/faults` and `/_sim/fault_rate`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """List the commands."""
        return [
            Route("/_sim/faults", answering(self._show), methods=["GET"]),
            Route("/_sim/faults", answering(self._arm), methods=["POST"]),
            Route("/_sim/faults", answering(self._clear), methods=["DELETE"]),
            Route("/_sim/fault_rate", answering(self._set_rate), methods=["POST"]),
        ]

    async def _show(self, _: Request) -> Json:
        return await self._store.transaction(show_faults)

    async def _arm(self, request: Request) -> Json:
        fault = _read_fault(await read_command(request, {"method", "path_prefix", "kind", "times", "hang_seconds"}))

        def arm(tables: Tables) -> Json:
            faults.arm(tables, fault)
            return show_faults(tables)

        return await self._store.transaction(arm)

    async def _clear(self, _: Request) -> Json:
        def clear(tables: Tables) -> Json:
            faults.disarm_all(tables)
            fault_rate.end_rate(tables)
            fault_counts.forget(tables)
            return show_faults(tables)

        return await self._store.transaction(clear)

    async def _set_rate(self, request: Request) -> Json:
        rate = _read_rate(
            await read_command(request, {"seed", "per_mille", "kinds", "method", "path_prefix", "hang_seconds"})
        )

        def set_rate(tables: Tables) -> Json:
            fault_rate.set_rate(tables, rate)
            return show_faults(tables)

        return await self._store.transaction(set_rate)


def show_faults(tables: Tables) -> Json:
    """Show what is armed, the base rate, and which kinds fired how often."""
    return {
        "faults": faults.list_armed(tables),
        "fault_rate": fault_rate.show_rate(tables),
        "faults_fired": fault_counts.list_fired(tables),
    }


def _read_fault(command: dict[str, Any]) -> Fault:
    method, path_prefix = _target(command)
    return Fault(
        method=method,
        path_prefix=path_prefix,
        kind=FaultKind(choice(command, "kind", _KINDS, default=None)),
        times=whole_number(command, "times", at_least=1, default=1),
        hang_seconds=number_of_seconds(command, "hang_seconds", default=HANG_SECONDS_DEFAULT),
    )


def _read_rate(command: dict[str, Any]) -> FaultRate:
    method, path_prefix = _target(command)
    per_mille = whole_number(command, "per_mille", at_least=0)
    if per_mille > 1000:
        raise BadCommandError("per_mille must be 1000 or less")
    named = texts(command, "kinds", default=list(KINDS_DEFAULT))
    unknown = sorted(set(named) - set(_KINDS))
    if unknown:
        raise BadCommandError(f"unknown kinds: {', '.join(unknown)}; known are {', '.join(_KINDS)}")
    return FaultRate(
        seed=whole_number(command, "seed", at_least=0),
        per_mille=per_mille,
        kinds=tuple(FaultKind(kind) for kind in named),
        method=method,
        path_prefix=path_prefix,
        hang_seconds=number_of_seconds(command, "hang_seconds", default=RATE_HANG_SECONDS_DEFAULT),
    )


def _target(command: dict[str, Any]) -> tuple[str | None, str]:
    method, path_prefix = command.get("method"), command.get("path_prefix", "/v1/")
    if method is not None and not isinstance(method, str):
        raise BadCommandError("method must be a string")
    if not isinstance(path_prefix, str):
        raise BadCommandError("path_prefix must be a string")
    return None if method is None else method.upper(), path_prefix
