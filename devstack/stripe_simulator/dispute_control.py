"""The bank's side of the control plane: early fraud warnings, inquiries, chargebacks and how they end."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from devstack.stripe_simulator import disputes, fraud_warnings
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.commands import answering, choice, read_command, whole_number
from devstack.stripe_simulator.disputes import Act
from devstack.stripe_simulator.objects import dispute_json, early_fraud_warning_json
from devstack.stripe_simulator.store import Store


class DisputeControl:
    """Commands about one charge or one dispute."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """List the commands."""
        return [
            Route("/_sim/charges/{id}/dispute", answering(self._open), methods=["POST"]),
            Route("/_sim/charges/{id}/early_fraud_warning", answering(self._warn), methods=["POST"]),
            *(
                Route(f"/_sim/disputes/{{id}}/{act}", answering(self._act(act)), methods=["POST"])
                for act in disputes.ACTS
            ),
        ]

    async def _open(self, request: Request) -> Json:
        command = await read_command(request, {"status", "amount", "reason"})
        status = choice(command, "status", disputes.STATUSES, default="needs_response")
        reason = choice(command, "reason", disputes.REASONS, default="fraudulent")
        amount = _amount(command)
        charge_id = request.path_params["id"]
        return await self._store.transaction(
            lambda tables: dispute_json(
                disputes.dispute_charge(tables, charge_id, status, amount=amount, reason=reason)
            )
        )

    def _act(self, what: Act) -> Any:
        async def act(request: Request) -> Json:
            await read_command(request, ())
            dispute_id = request.path_params["id"]
            return await self._store.transaction(lambda tables: dispute_json(disputes.act(tables, dispute_id, what)))

        return act

    async def _warn(self, request: Request) -> Json:
        command = await read_command(request, {"fraud_type"})
        fraud_type = choice(command, "fraud_type", fraud_warnings.FRAUD_TYPES, default="unauthorized_use_of_card")
        charge_id = request.path_params["id"]
        return await self._store.transaction(
            lambda tables: early_fraud_warning_json(fraud_warnings.warn(tables, charge_id, fraud_type))
        )


def _amount(command: dict[str, Any]) -> int | None:
    return None if command.get("amount") is None else whole_number(command, "amount", at_least=1)
