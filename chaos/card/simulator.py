"""The simulator of Stripe as a process of a run's own, asked directly and without faults, and who paid there."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from chaos.card.judge import Payback
from chaos.purses import Purse
from chaos.waiting import until
from chaos.workers import ROOT
from devstack.chain import free_port

KEY = "sk_test_chaos0123456789"
WEBHOOK_SECRET = "whsec_chaos0123456789abcdef"  # noqa: S105 - of a simulator on the loopback address
START_SECONDS_MAX = 30.0
END_SECONDS_MAX = 10.0
CALL_SECONDS_MAX = 20.0
PAID_MINOR = 2000
WAITS_EACH = 3  # one of so many customers has a bank that takes its time with refunds
Json = dict[str, Any]


class Simulator:
    """A context manager."""

    def __init__(self, folder: Path, profile: str) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._command = [
            *(sys.executable, "-P", "-m", "devstack.stripe_simulator"),
            *("--port", str(self._port), "--database", str(folder / "stripe.sqlite"), "--profile", profile),
        ]
        self._http = httpx2.Client(timeout=CALL_SECONDS_MAX, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
        with (self._folder / "stripe.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
        try:
            until(self._is_there, "the simulator to answer", START_SECONDS_MAX)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _is_there(self) -> bool:
        try:
            return bool(self._http.get(f"{self.url}/_sim/healthz").status_code == 200)
        except httpx2.TransportError:
            return False

    def command(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Ask the control plane; return status and answer."""
        answer = self._http.request(method, f"{self.url}/_sim/{path}", json=body)
        return answer.status_code, answer.json()

    def tell(self, path: str, **fields: Any) -> Json:
        """Give a command that must be obeyed."""
        status, told = self.command("POST", path, fields)
        if status >= 400:
            raise OSError(f"the simulator refused {path}: {told}")
        return told

    def state(self) -> Json:
        """Read the whole ledger."""
        return self.command("GET", "state")[1]

    def paybacks(self, state: Json | None = None) -> list[Payback]:
        """List all refunds, oldest first."""
        found = (state or self.state())["refunds"]
        return [
            Payback(
                ref=it["id"],
                payment_intent=it["payment_intent"],
                amount=it["amount"],
                status=it["status"],
                refund_id=it["metadata"].get("refund_id", ""),
                attempt=it["metadata"].get("attempt", ""),
            )
            for it in found
        ]

    def open_purse(self, number: int) -> Purse:
        """Let a customer pay by card, each another amount."""
        amount = PAID_MINOR + number
        waits = number % WAITS_EACH == WAITS_EACH - 1
        answer = self._http.post(
            f"{self.url}/v1/payment_intents",
            headers={"Authorization": f"Bearer {KEY}"},
            data={
                "amount": str(amount),
                "currency": "usd",
                "payment_method": "pm_card_pendingRefund" if waits else "pm_card_visa",
                "confirm": "true",
                "automatic_payment_methods[enabled]": "true",
                "automatic_payment_methods[allow_redirects]": "never",
            },
        )
        if answer.status_code != 200:
            raise OSError(f"a customer could not pay: {answer.text}")
        intent = str(answer.json()["id"])
        payment = {"rail": "card", "payment_intent": intent, "amount_minor": amount, "currency": "USD"}
        return Purse(
            name=f"c{number:03}",
            payment=payment,
            owner=intent,
            amount=amount,
            left=0,
            asset="slow" if waits else "usd",
        )
