"""The control plane under `/_sim/`: see the whole ledger, move the clock, act as bank and cardholder."""

from starlette.requests import Request
from starlette.routing import Route

from devstack.stripe_simulator import journal
from devstack.stripe_simulator.account_control import AccountControl, show_account
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.commands import answering, read_command, whole_number
from devstack.stripe_simulator.fault_control import FaultControl, show_faults
from devstack.stripe_simulator.objects import (
    charge_json,
    dispute_json,
    early_fraud_warning_json,
    payment_intent_json,
    refund_json,
    refunded_amount,
)
from devstack.stripe_simulator.records import Charge, Dispute, EarlyFraudWarning, PaymentIntent, Refund
from devstack.stripe_simulator.refund_control import RefundControl
from devstack.stripe_simulator.refund_life import pass_time
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
            *RefundControl(self._store).routes(),
            *FaultControl(self._store).routes(),
            *AccountControl(self._store).routes(),
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
            pass_time(tables)
            return {"now": tables.now(), "offset_seconds": tables.offset_seconds()}

        return await self._store.transaction(advance)


def _show_state(tables: Tables) -> Json:
    """Show the whole ledger, each list oldest first."""
    pass_time(tables)
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
        **show_account(tables),
        **show_faults(tables),
    }
