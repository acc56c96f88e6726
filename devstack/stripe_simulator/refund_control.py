"""Commands about refunds: what the bank, the customer and a colleague in the dashboard do to them."""

import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from devstack.stripe_simulator import outcomes, refund_life
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.charging import end_processing
from devstack.stripe_simulator.commands import (
    BadCommandError,
    answering,
    choice,
    flag,
    optional_text,
    read_command,
    whole_number,
)
from devstack.stripe_simulator.form import Form
from devstack.stripe_simulator.objects import payment_intent_json, refund_json
from devstack.stripe_simulator.outcomes import Outcome
from devstack.stripe_simulator.records import Refund
from devstack.stripe_simulator.refunds import FAILURE_REASONS, create_refund, update_refund
from devstack.stripe_simulator.store import Store, Tables

PENDING_REASONS = ("processing", "insufficient_funds", "charge_pending")
# Any word, so that a status that Stripe invents tomorrow can be sent today.
_WORD = re.compile(r"[a-z][a-z_]{0,39}")
_REASONS = {"failed": "unknown", "canceled": "merchant_request"}


class RefundControl:
    """The commands under `/_sim/refunds`, and those that refund from outside."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """List the commands."""
        commands = {
            "refunds/{id}/settle": self._settle,
            "refunds/{id}/fail": self._fail,
            "refunds/{id}/cancel": self._cancel,
            "refunds/{id}/status": self._set_status,
            "refunds/{id}/arn": self._set_reference,
            "refunds/{id}/reversal": self._reverse,
            "refunds/{id}/metadata": self._edit_metadata,
            "next_refunds": self._plan,
            "payment_intents/{id}/refund": self._refund_outside,
            "payment_intents/{id}/process": self._process,
        }
        return [Route(f"/_sim/{path}", answering(command), methods=["POST"]) for path, command in commands.items()]

    async def _settle(self, request: Request) -> Json:
        return await self._change(lambda tables: refund_life.settle(tables, request.path_params["id"]))

    async def _fail(self, request: Request) -> Json:
        command = await read_command(request, {"failure_reason"})
        reason = choice(command, "failure_reason", FAILURE_REASONS, default="unknown")
        return await self._change(lambda tables: refund_life.fail(tables, request.path_params["id"], reason))

    async def _cancel(self, request: Request) -> Json:
        return await self._change(lambda tables: refund_life.cancel(tables, request.path_params["id"]))

    async def _set_status(self, request: Request) -> Json:
        command = await read_command(request, {"status", "pending_reason"})
        status, reason = _word(command, "status"), _pending_reason(command)
        return await self._change(
            lambda tables: refund_life.set_status(tables, request.path_params["id"], status, reason)
        )

    async def _set_reference(self, request: Request) -> Json:
        command = await read_command(request, {"reference", "reference_status"})
        reference = optional_text(command, "reference")
        status = choice(command, "reference_status", refund_life.REFERENCE_STATUSES, default="available")
        return await self._change(
            lambda tables: refund_life.set_reference(tables, request.path_params["id"], status, reference)
        )

    async def _reverse(self, request: Request) -> Json:
        return await self._change(lambda tables: refund_life.reverse(tables, request.path_params["id"]))

    async def _edit_metadata(self, request: Request) -> Json:
        metadata = _metadata(await read_command(request, {"metadata"}))
        form: Form = {"metadata": dict(metadata)}
        return await self._change(lambda tables: update_refund(tables, request.path_params["id"], form))

    async def _refund_outside(self, request: Request) -> Json:
        command = await read_command(request, {"amount_minor", "metadata", "reason"})
        form: Form = {"payment_intent": request.path_params["id"], "metadata": dict(_metadata(command))}
        if "amount_minor" in command:
            form["amount"] = str(whole_number(command, "amount_minor", at_least=1))
        if (reason := optional_text(command, "reason")) is not None:
            form["reason"] = reason
        return await self._change(lambda tables: create_refund(tables, form))

    async def _plan(self, request: Request) -> Json:
        fields = {"status", "pending_reason", "failure_reason", "is_reversal", "times"}
        command = await read_command(request, fields)
        status = _word(command, "status")
        failure_reason = None
        if status in _REASONS or "failure_reason" in command:
            failure_reason = choice(command, "failure_reason", FAILURE_REASONS, default=_REASONS.get(status))
        outcome = Outcome(
            status=status,
            pending_reason=_pending_reason(command),
            failure_reason=failure_reason,
            is_reversal=flag(command, "is_reversal", default=False),
        )
        times = whole_number(command, "times", at_least=1, default=1)

        def plan(tables: Tables) -> Json:
            outcomes.plan(tables, outcome, times=times)
            return {"next_refunds": outcomes.list_planned(tables)}

        return await self._store.transaction(plan)

    async def _process(self, request: Request) -> Json:
        succeeds = flag(await read_command(request, {"succeeds"}), "succeeds", default=True)
        payment_id = request.path_params["id"]
        return await self._store.transaction(
            lambda tables: payment_intent_json(end_processing(tables, payment_id, succeeds=succeeds))
        )

    async def _change(self, change: Callable[[Tables], Refund]) -> Json:
        return await self._store.transaction(lambda tables: refund_json(change(tables)))


def _word(command: dict[str, Any], name: str) -> str:
    value = command.get(name)
    if not isinstance(value, str) or _WORD.fullmatch(value) is None:
        raise BadCommandError(f"{name} must be a word of small letters and underscores")
    return value


def _pending_reason(command: dict[str, Any]) -> str | None:
    if "pending_reason" not in command and command.get("status") != "pending":
        return None
    return choice(command, "pending_reason", PENDING_REASONS, default="processing")


def _metadata(command: dict[str, Any]) -> dict[str, str]:
    value = command.get("metadata", {})
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise BadCommandError("metadata must be an object of strings; an empty string takes its key away")
    return value
