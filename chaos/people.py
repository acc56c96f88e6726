"""Help desk, billing and operators: patient callers who repeat a call until it is answered."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from chaos.purses import Purse, Record

CREDIT_MINOR = 2000
CALL_SECONDS_MAX = 15.0
PAUSE_SECONDS = 0.5
POLL_SECONDS = 1.0
OK = range(200, 300)
ENDED = ("refunded", "rejected", "withdrawn", "ineligible", "expired", "duplicate", "needs_attention")


class OutOfTime(Exception):
    """The run came to its end before an answer."""


class People:
    """Everybody who calls the service over HTTP, on one connection pool; from any thread."""

    def __init__(self, api: str, tokens: dict[str, str], ending: threading.Event) -> None:
        self._api, self._tokens, self._ending = api, tokens, ending
        self._http = httpx2.Client(timeout=CALL_SECONDS_MAX, trust_env=False)

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def call(
        self, role: str, method: str, path: str, body: dict[str, Any] | None = None, *, record: Record | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Make one call, and the same again as long as silence or 503 come back; return status and body.

        A 5xx of another kind is kept as trouble: a fault of ours that a caller saw.
        """
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._tokens[role]}"}
                answer = self._http.request(method, f"{self._api}{path}", json=body, headers=headers)
                if answer.status_code < 500:
                    return answer.status_code, answer.json() if answer.content else {}
                if answer.status_code != 503 and record is not None:
                    record.trouble.append(f"{method} {path}: {answer.status_code}")
            except (httpx2.TransportError, ValueError):
                pass  # the API is away, or was killed in the middle of its answer
            if self._ending.wait(PAUSE_SECONDS):
                raise OutOfTime(f"{method} {path}")

    def open_account(self, purse: Purse) -> None:
        """Let billing record the account and credit the payment."""
        path = f"/v1/accounts/{purse.account}"
        self._must(self.call("billing", "PUT", path, {"username": f"user_{purse.name}", "status": "active"}))
        deposit = {
            "account_id": purse.account,
            "amount_minor": CREDIT_MINOR,
            "currency": "USD",
            "paid_at": (datetime.now(UTC) - timedelta(seconds=5)).isoformat(),
            "payment": purse.payment,
        }
        self._must(self.call("billing", "PUT", f"/v1/deposits/{purse.deposit}", deposit))

    def request(self, record: Record, ticket: str) -> str | None:
        """Let the help desk ask; return the refund's id, None where the request was refused."""
        body = {
            "ticket": {"system": "chaos", "id": ticket},
            "channel": "ticket",
            "account": {"id": record.purse.account},
            "rail": record.purse.payment["rail"],
            "requested_at": datetime.now(UTC).isoformat(),
        }
        status, answer = self.call("helpdesk", "POST", "/v1/refunds", body, record=record)
        if status in OK:
            record.refunds.add(answer["id"])
            return str(answer["id"])
        record.trouble.append(f"a request was refused with {status}: {answer.get('detail')}")
        return None

    def seen(self, refund: str) -> dict[str, Any]:
        """Read a refund."""
        return self.call("helpdesk", "GET", f"/v1/refunds/{refund}")[1]

    def until_decidable(self, refund: str) -> dict[str, Any]:
        """Wait until the refund waits for approval, or stands where nobody can decide any more."""
        while True:
            seen = self.seen(refund)
            if seen["status"] == "awaiting_approval" or seen["status"] in ENDED:
                return seen
            if self._ending.wait(POLL_SECONDS):
                raise OutOfTime(refund)

    def decide(self, record: Record, refund: str, action: str, operator: str, decision: str) -> bool:
        """Let an operator decide what they see; return whether it was accepted."""
        while True:
            seen = self.until_decidable(refund)
            if seen["status"] != "awaiting_approval":
                return False
            body = {"decision_id": decision, "action": action, "digest": seen["digest"], "reason": "chaos"}
            path = f"/v1/refunds/{refund}/decisions"
            status, answer = self.call(operator, "POST", path, body, record=record)
            if status in OK:
                record.approved |= action == "approve"
                record.rejected |= action == "reject"
                return True
            if not str(answer.get("type")).endswith("stale-digest"):
                return False

    def withdraw(self, record: Record, refund: str) -> None:
        """Let the customer change their mind; refused is an answer too."""
        status, _ = self.call(
            "helpdesk", "POST", f"/v1/refunds/{refund}/withdraw", {"reason": "chaos"}, record=record
        )
        record.withdrawn |= status in OK

    def spend(self, record: Record) -> None:
        """Let billing charge an order against the deposit; refused is an answer too."""
        order = {
            "account_id": record.purse.account,
            "product": "sms",
            "amount_minor": CREDIT_MINOR // 2,
            "currency": "USD",
            "status": "charged",
            "created_at": datetime.now(UTC).isoformat(),
        }
        status, _ = self.call("billing", "PUT", f"/v1/orders/ord_{record.purse.name}", order, record=record)
        record.spent |= status in OK

    def books(self, purse: Purse) -> dict[str, Any]:
        """Read where an account's money is."""
        return dict(self.call("billing", "GET", f"/v1/accounts/{purse.account}/balance")[1]["balances"][0])

    def _must(self, answer: tuple[int, dict[str, Any]]) -> None:
        if answer[0] not in OK:
            raise RuntimeError(f"billing was refused: {answer}")

    def pause(self, seconds: float) -> None:
        """Do nothing for a while, unless the run ends."""
        if self._ending.wait(seconds):
            raise OutOfTime("a pause")
