"""Things that exist on the stack, and generated calls that speak of them, so that they get past the first check."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import httpx2
from temporalio.client import Client

from devstack.demo.town import Town, wait_for
from devstack.stack import Stack
from domain.people import Role
from ledger.clients import Clients
from ledger.database import Database

PAID_MINOR = 2000
CASES = 5
NEEDS_ATTENTION, AWAITING_OWNERSHIP = 0, CASES - 1
NOTHING_SEEN = "sha256:" + "0" * 64
_numbers = count(1)


@dataclass
class Known:
    """What exists: one list per name of a field or parameter; places that are alike in all of them go together."""

    values: dict[str, list[Any]]

    def fill_in(self, container: Any, luck: Random, number: int, share: float) -> None:
        """Let so large a share of the fields speak of one case."""
        if isinstance(container, list):
            for item in container:
                self.fill_in(item, luck, number, share)
        if not isinstance(container, dict):
            return
        for name, value in container.items():
            if name == "account" and isinstance(value, dict) and luck.random() < share:
                container[name] = {"id": self.values["account_id"][number]}
            elif isinstance(value, dict | list) and name not in self.values:
                self.fill_in(value, luck, number, share)
            elif value is not None and luck.random() < share:
                container[name] = self._good(name, value, luck, number)

    def _good(self, name: str, value: Any, luck: Random, number: int) -> Any:
        if name in self.values:
            return self.values[name][number % len(self.values[name])]
        if isinstance(value, str) and (name == "id" or name.endswith("_id")):
            return fresh()
        if name in ("requested_at", "paid_at", "created_at"):
            return (datetime.now(UTC) - timedelta(minutes=luck.randrange(60))).isoformat()
        return value


def fresh() -> str:
    """Return an id that nothing has yet."""
    return f"fuzz_{next(_numbers)}"


def make(stack: Stack, town: Town) -> Known:
    """Bring refunds into several states, and findings and a reconciliation into being."""
    refunds, payments, accounts = [], [], []
    for number in range(CASES):
        account, _ = town.open_account()
        payment = town.pay_by_card(PAID_MINOR)
        paid_at = datetime.now(UTC) - timedelta(days=2)
        town.deposit(account, PAID_MINOR, {"rail": "card", "payment_intent": payment}, paid_at)
        channel = "email" if number == AWAITING_OWNERSHIP else "ticket"
        refunds.append(town.request(account={"id": account}, rail="card", channel=channel, payment_proof=payment))
        accounts.append(account)
        payments.append(payment)
    _fail(stack, town, refunds[NEEDS_ATTENTION], payments[NEEDS_ATTENTION])
    spent = town.open_account()[0]
    _take_without_asking(town, spent)
    town.must("viewer", "POST", "/v1/reconciliations", {"reconciliation_id": "fuzz"})
    database = Database(f"sqlite:///{stack.folder.path / 'refunds.sqlite'}")
    Clients(database).add("spare", Role.VIEWER, actor="setup")
    database.close()
    settled = ("awaiting_approval", "awaiting_ownership", "needs_attention")
    seen = [town.until(refund, *settled) for refund in refunds]
    assert {it["status"] for it in seen} == set(settled)
    findings = town.must("viewer", "GET", "/v1/findings")["items"]
    values: dict[str, list[Any]] = {
        "account_id": accounts,
        "deposit_id": [it["deposit_id"] for it in seen],
        "order_id": ["ord_1"],
        "refund_id": refunds,
        "finding_id": [it["id"] for it in findings],
        "reconciliation_id": ["fuzz"],
        "name": ["spare"],
        "digest": [it["digest"] or NOTHING_SEEN for it in seen],
        "acknowledge": [[]],
        "url": ["https://desk.example.com/tickets/1"],
        "currency": ["USD"],
        "terms_version": ["2026-01"],
        "payment_proof": payments,
        "session_claim": [None],
    }
    assert all(values.values()), values
    return Known(values)


def _fail(stack: Stack, town: Town, refund: str, payment: str) -> None:
    """Let the bank send a refund back, so that it stands before an operator."""
    town.approve(refund)
    town.until(refund, "refunded")
    (paid,) = town.refunds_at_stripe(payment)
    httpx2.post(f"{stack.info['stripe']}/_sim/refunds/{paid['id']}/fail").raise_for_status()

    async def wake() -> None:
        client = await Client.connect(stack.info["temporal"])
        await client.get_workflow_handle(f"refund/{refund}").signal("wake")

    asyncio.run(wake())
    wait_for(lambda: town.refund(refund)["status"] == "needs_attention" or None, f"{refund} to be noticed")


def _take_without_asking(town: Town, account: str) -> None:
    """Let billing deliver what the balance does not hold: a finding."""
    order = {"account_id": account, "product": "sms", "amount_minor": 50, "currency": "USD", "status": "charged"}
    order |= {"created_at": datetime.now(UTC).isoformat(), "delivered": True}
    town.must("billing", "PUT", "/v1/orders/ord_unpaid", order)
