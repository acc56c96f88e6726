"""The two sides of every comparison: a customer of the service over HTTP, and a caller of the bare workflow."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx2
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from bench.bare import TASK_QUEUE, BareRefund
from domain.refunds import Rail, RefundState, RefundStatus, workflow_id

POLL_SECONDS = 0.01  # the same for both sides: fine enough to time one refund
POLL_SECONDS_OF_MANY = 0.25  # asking many runs that often would itself be the load
PATIENCE_SECONDS = 120
AMOUNT_MINOR = 2000


class BenchFailedError(Exception):
    """Something did not go as it must; figures of it would say nothing."""


class Service:
    """Plays billing, help desk and operator on a running stack."""

    def __init__(
        self, info: dict[str, Any], http: httpx2.AsyncClient, temporal: Client, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._info, self._http, self._temporal, self._poll_seconds = info, http, temporal, poll_seconds
        self._numbers = count(1)
        self._run = f"{time.time_ns():x}"

    async def deposit(self) -> str:
        """Let a customer pay by card and billing credit it; return the account."""
        answer = await self._http.post(
            f"{self._info['stripe']}/v1/payment_intents",
            data={
                "amount": str(AMOUNT_MINOR),
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "payment_method_types[]": "card",
                "confirm": "true",
            },
            headers={"Authorization": f"Bearer {self._info['stripe_key']}"},
        )
        account = f"acct_{self._run}_{next(self._numbers)}"
        await self.call("billing", "PUT", f"/v1/accounts/{account}", {"username": account, "status": "active"})
        deposit = {
            "account_id": account,
            "amount_minor": AMOUNT_MINOR,
            "currency": "USD",
            "paid_at": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
            "payment": {"rail": "card", "payment_intent": answer.raise_for_status().json()["id"]},
        }
        await self.call("billing", "PUT", f"/v1/deposits/dep_{account}", deposit)
        return account

    async def request(self, account: str) -> str:
        """Let the help desk ask for the account's deposit; return the refund's id."""
        body = {
            "ticket": {"system": "bench", "id": account},
            "channel": "ticket",
            "account": {"id": account},
            "rail": "card",
            "requested_at": datetime.now(UTC).isoformat(),
        }
        return str((await self.call("helpdesk", "POST", "/v1/refunds", body))["id"])

    async def verdict(self, refund: str) -> dict[str, Any]:
        """Wait, over HTTP, until the refund has a verdict and waits for approval; return it."""

        async def judged() -> dict[str, Any] | None:
            seen = await self.call("helpdesk", "GET", f"/v1/refunds/{refund}")
            return seen if seen["status"] == RefundStatus.AWAITING_APPROVAL else None

        found: dict[str, Any] = await until(judged, self._poll_seconds)
        return found

    async def approve(self, refund: str, digest: str) -> None:
        """Let an operator approve what they saw."""
        body = {"decision_id": f"d-{refund}", "action": "approve", "digest": digest}
        await self.call("approver_1", "POST", f"/v1/refunds/{refund}/decisions", body)

    async def stands_in(self, refund: str, status: RefundStatus) -> None:
        """Wait, by Temporal's query, until the refund's run shows `status`."""
        handle = self._temporal.get_workflow_handle(workflow_id(refund))
        await until(lambda: _shows(handle, "refund", status, "status"), self._poll_seconds)

    async def whole(self, account: str | None = None) -> float:
        """Take one refund, of this account or a new one, from the request to the money; return its seconds."""
        account = account or await self.deposit()
        began = time.perf_counter()
        refund = await self.request(account)
        await self.stands_in(refund, RefundStatus.AWAITING_APPROVAL)
        seen = await self.call("approver_1", "GET", f"/v1/refunds/{refund}")
        await self.approve(refund, seen["digest"])
        await self.stands_in(refund, RefundStatus.REFUNDED)
        return time.perf_counter() - began

    async def call(self, role: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the API as one of its clients; insist on success."""
        answer = await self._http.request(
            method,
            f"{self._info['api']}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._info['tokens'][role]}"},
        )
        if answer.status_code >= 400:
            raise BenchFailedError(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        result: dict[str, Any] = answer.json() if answer.content else {}
        return result


class Bare:
    """Starts and approves bare workflows."""

    def __init__(self, temporal: Client, poll_seconds: float = POLL_SECONDS) -> None:
        self._temporal, self._poll_seconds = temporal, poll_seconds
        self._numbers = count(1)
        self._run = f"{time.time_ns():x}"

    async def start(self) -> WorkflowHandle[Any, Any]:
        """Start one."""
        number = f"{self._run}-{next(self._numbers)}"
        refund = RefundState(
            refund_id=f"rf_{number}",
            version=1,
            status=RefundStatus.CHECKING,
            rail=Rail.CARD,
            ticket=f"bench:{number}",
            account_id=f"acct_{number}",
            deposit_id=f"dep_acct_{number}",
            amount_minor=AMOUNT_MINOR,
            currency="USD",
        )
        return await self._temporal.start_workflow(BareRefund.run, refund, id=f"bare/{number}", task_queue=TASK_QUEUE)

    async def stands_in(self, handle: WorkflowHandle[Any, Any], status: str) -> None:
        """Wait until it shows `status`."""
        await until(lambda: _shows(handle, "status", status), self._poll_seconds)

    async def whole(self) -> float:
        """Take one from its start to where a paid refund is watched; return its seconds."""
        began = time.perf_counter()
        handle = await self.start()
        await self.stands_in(handle, "awaiting_approval")
        await handle.signal(BareRefund.approve, {})
        await self.stands_in(handle, "watched")
        return time.perf_counter() - began


async def until(condition: Callable[[], Awaitable[Any]], poll_seconds: float = POLL_SECONDS) -> Any:
    """Ask again and again until there is an answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if (answer := await condition()) is not None:
            return answer
        await asyncio.sleep(poll_seconds)
    raise BenchFailedError(f"waited {PATIENCE_SECONDS} s in vain")


async def _shows(handle: WorkflowHandle[Any, Any], query: str, status: str, field: str | None = None) -> bool | None:
    try:
        answer = await handle.query(query)
    except RPCError as error:
        if error.status in (
            RPCStatusCode.NOT_FOUND,
            RPCStatusCode.FAILED_PRECONDITION,
            RPCStatusCode.INVALID_ARGUMENT,
        ):
            return None  # the run is not there yet, or has not begun to work
        raise
    return True if (answer[field] if field else answer) == status else None
