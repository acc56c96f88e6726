"""Card refunds on a whole stack with workers as processes; everything that counts is read from outside."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from os import kill as send_signal
from pathlib import Path
from typing import Any

from temporalio.client import Client

from devstack.stack import Stack
from tests.crash.crew import Crew
from tests.crash.points import Mode
from tests.outages.city import CREDIT_MINOR, City, Purse, until
from tests.outages.parts import TemporalServer

HOUR = 3600
LIVE = ("pending", "requires_action", "succeeded")
TAKEN_OVER_SECONDS_MAX = 120.0


@dataclass
class Ward:
    """People, workers that can be hit, Temporal that can be killed, and Stripe's ledger."""

    stack: Stack
    city: City
    temporal: TemporalServer
    folder: Path
    purses: dict[str, Purse] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start_workers()

    # --- workers ---

    def start_workers(self) -> None:
        assert self.stack.worker is not None
        self.crew = Crew(self.stack.worker.environment, self.folder, size=2)
        self.crew.__enter__()

    def kill_workers(self) -> None:
        """End every worker as a power cut would, and start none in their place."""
        self.crew.arms.journal()
        for pid in list(self.crew.running):
            with suppress(ProcessLookupError):
                send_signal(pid, signal.SIGKILL)
        self.crew.__exit__(None, None, None)

    def close(self) -> None:
        self.crew.__exit__(None, None, None)

    def arm(self, refund: str, point: str, mode: Mode) -> None:
        self.crew.arms.arm(f"send_card_refund.leap.{point}", mode, refund)

    def until_fired(self, refund: str) -> None:
        """Wait until a worker was hit on behalf of this refund."""
        until(lambda: any(refund in it.line.subjects for it in self.crew.shots), "the worker to be hit")

    def until_calm(self) -> None:
        until(lambda: self.crew.is_calm, "every zombie to be past its step", TAKEN_OVER_SECONDS_MAX)

    # --- refunds ---

    def asked(self, card: str = "pm_card_visa") -> str:
        """Let a customer pay and the help desk ask; return once it can be decided."""
        purse = self.city.pay_card(card)
        refund = self.city.ask(purse)
        self.purses[refund] = purse
        self.city.stands(refund, "awaiting_approval")
        return refund

    def refunded(self, card: str = "pm_card_visa") -> str:
        refund = self.asked(card)
        self.city.decide(refund)
        self.city.stands(refund, "refunded")
        return refund

    def wake(self, refund: str) -> None:
        """Tell the run that there may be news, as a webhook does."""

        async def signal_run() -> None:
            client = await Client.connect(self.city.info["temporal"])
            await client.get_workflow_handle(f"refund/{refund}").signal("wake")

        asyncio.run(signal_run())

    def charge_of(self, refund: str) -> str:
        charges = self.city.simulator("state")["charges"]
        return next(str(it["id"]) for it in charges if it["payment_intent"] == self.purses[refund].proof)

    def dispute(self, refund: str, status: str = "needs_response") -> None:
        self.city.simulator(f"charges/{self.charge_of(refund)}/dispute", {"status": status})

    def refund_outside(self, refund: str, minor: int) -> None:
        self.city.simulator(f"payment_intents/{self.purses[refund].proof}/refund", {"amount_minor": minor})

    def pass_hours(self, hours: int) -> None:
        """Move Stripe's clock."""
        self.city.simulator("clock", {"advance_seconds": hours * HOUR})

    def fault(self, kind: str, times: int = 1, seconds: float = 3) -> None:
        command = {"method": "POST", "path_prefix": "/v1/refunds", "kind": kind, "times": times}
        self.city.simulator("faults", command | {"hang_seconds": seconds})

    def posts(self, refund: str) -> list[dict[str, Any]]:
        journal = self.city.simulator("state")["journal"]
        return [it for it in journal if it["params"].get("metadata", {}).get("refund_id") == refund]

    def made(self, refund: str) -> dict[str, Any]:
        """Return the one refund in Stripe's ledger that carries our id."""
        (made,) = self._ours(refund)
        return made

    def is_stopped(self) -> bool:
        """Tell whether the card rail is stopped."""
        rails = self.city.insist("viewer", "GET", "/v1/rails")["items"]
        return any(it["rail"] == "card" and it["is_stopped"] for it in rails)

    def stands(self, refund: str, status: str, reason: str | None = None) -> None:
        self.city.stands(refund, status, reason)

    # --- the invariants ---

    def assert_sound(self, refund: str, *, posts: int | None = None, books: str) -> None:
        """Hold the matrix's invariants against Stripe's ledger and the API; `books` names where the deposit is."""
        purse, ours, seen = self.purses[refund], self._ours(refund), self.city.seen(refund)
        there = [it for it in self.city.stripe_refunds(purse) if it["status"] in LIVE]
        assert sum(it["status"] in LIVE for it in ours) <= 1, ours
        assert sum(it["amount"] for it in there) <= CREDIT_MINOR, there

        asked = self.posts(refund)
        assert posts in (None, len(asked)), [(it["fault"], it["answer_status"], it["at"]) for it in asked]
        keys = {it["idempotency_key"] for it in asked}
        assert len(keys) == len({it["params"]["metadata"]["attempt"] for it in asked}), keys

        for payout in seen["payouts"]:
            mine = [it for it in ours if it["metadata"]["attempt"] == str(payout["attempt"])]
            if payout["status"] in ("pending", "succeeded", "failed", "canceled"):
                assert [(it["id"], it["status"]) for it in mine] == [(payout["provider_ref"], payout["status"])]
            elif payout["status"] != "unknown":
                assert mine == [], payout
        if seen["status"] == "needs_attention":
            found = self.city.insist("viewer", "GET", f"/v1/findings?refund_id={refund}")["items"]
            assert found, "a stuck case is in the operators' list"
        in_books = {name: minor for name, minor in self.city.books(purse).items() if minor}
        assert in_books == {f"{books}_minor": CREDIT_MINOR}

    def assert_paid(self, refund: str, *, posts: int | None = None) -> None:
        self.stands(refund, "refunded")
        self.assert_sound(refund, posts=posts, books="refunded")
        assert self.made(refund)["status"] == "succeeded"

    def until_made(self, refund: str, is_so: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
        """Wait until Stripe's ledger shows our refund."""
        until(lambda: any(is_so(it) for it in self._ours(refund)), "the refund to be made")
        return self.made(refund)

    def _ours(self, refund: str) -> list[dict[str, Any]]:
        return [
            it for it in self.city.stripe_refunds(self.purses[refund]) if it["metadata"].get("refund_id") == refund
        ]
