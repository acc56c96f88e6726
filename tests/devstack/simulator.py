"""The Stripe simulator as a test starts it, and the calls that most tests make."""

import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import stripe

KEY = "sk_test_simulated"
DAY_SECONDS = 24 * 3600


class Simulator:
    """The simulator's process on a free port, with its control plane."""

    def __init__(self, database: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        # Made once and without certificates: a client of its own for each call takes longer than the call.
        self._http = httpx2.Client(
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            limits=httpx2.Limits(max_keepalive_connections=0),
        )
        self.database = database
        self.stderr = database.with_suffix(".stderr")

    def start(self, *options: str) -> None:
        command = [sys.executable, "-m", "devstack.stripe_simulator", "--port", str(self.port)]
        with self.stderr.open("ab") as stderr:
            self.process = subprocess.Popen(  # noqa: S603 # our own interpreter, module and paths
                [*command, "--database", str(self.database), *options], stderr=stderr
            )
        self.wait_for(self._is_healthy)

    def _is_healthy(self) -> bool:
        try:
            return self._http.get(f"{self.url}/_sim/healthz").status_code == 200
        except httpx2.TransportError:
            return False

    def wait_for(self, condition: Callable[[], bool]) -> None:
        for _ in range(400):
            if condition():
                return
            try:
                status = self.process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"the simulator ended with {status}: {self.stderr.read_text()}")
        pytest.fail("the condition did not come true")

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=10)

    def post(self, path: str, **command: object) -> Any:
        return self._http.post(f"{self.url}/_sim/{path}", json=command).raise_for_status().json()

    def try_post(self, path: str, **command: object) -> tuple[int, Any]:
        answer = self._http.post(f"{self.url}/_sim/{path}", json=command)
        return answer.status_code, answer.json()

    def get(self, path: str, **query: str) -> Any:
        return self._http.get(f"{self.url}/_sim/{path}", params=query).raise_for_status().json()

    def delete(self, path: str) -> Any:
        return self._http.delete(f"{self.url}/_sim/{path}").raise_for_status().json()

    def state(self) -> Any:
        return self._http.get(f"{self.url}/_sim/state").raise_for_status().json()

    def client(self, key: str = KEY, timeout_seconds: float = 20) -> Any:
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_seconds),
        )


def pay(client: Any, amount: int = 2000, card: str = "pm_card_visa", **params: Any) -> Any:
    given = {"amount": amount, "currency": "usd", "payment_method": card, "confirm": True, **params}
    return client.v1.payment_intents.create(given)


def refund(client: Any, payment: Any, key: str | None = None, **params: Any) -> Any:
    options = {} if key is None else {"idempotency_key": key}
    return client.v1.refunds.create({"payment_intent": payment.id, **params}, options)


def refused(client: Any, payment: Any, key: str | None = None, **params: Any) -> Any:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(client, payment, key, **params)
    return caught.value
