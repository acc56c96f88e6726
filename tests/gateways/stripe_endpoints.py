"""What the Stripe tests talk to: the real simulator as a process, and a proxy that can step in between."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

Json = dict[str, Any]

TEST_KEY = "sk_test_gateway0123456789"
START_SECONDS_MAX = 20.0
HANG_SECONDS = 3.0  # longer than the gateways of the tests wait, their one repetition included

REFUNDS_SHOWN_MAX = 10  # with an expanded charge


@dataclass(frozen=True)
class Payment:
    """A card payment made in the simulator."""

    intent: str
    charge: str
    amount_minor: int


class Simulator:
    """The simulator's process, its API as an outsider uses it, and its control plane."""

    def __init__(self, database: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "devstack.stripe_simulator", "--port", str(port)]
        self._process = subprocess.Popen([*command, "--database", str(database)])  # noqa: S603 # our module
        self._http = httpx2.Client(base_url=self.url, auth=(TEST_KEY, ""), trust_env=False)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the simulator ended"
            try:
                self._http.get("/_sim/healthz").raise_for_status()
            except httpx2.HTTPError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError("the simulator did not become ready")

    def stop(self) -> None:
        self._http.close()
        os.kill(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=10)

    def control(self, path: str, **command: Any) -> Json:
        response = self._http.post(f"/_sim/{path}", json=command)
        response.raise_for_status()
        return dict(response.json())

    def state(self) -> Json:
        return dict(self._http.get("/_sim/state").raise_for_status().json())

    def fault(self, kind: str, *, method: str = "POST", path: str = "/v1/refunds", times: int = 1) -> None:
        self.control("faults", method=method, path_prefix=path, kind=kind, times=times, hang_seconds=HANG_SECONDS)

    def pay(self, amount_minor: int = 2000, *, card: str = "pm_card_visa", **options: str) -> Payment:
        form = {"amount": str(amount_minor), "currency": "usd", "payment_method": card, "confirm": "true"}
        answer = self._post("payment_intents", {**form, **options})
        return Payment(answer["id"], answer["latest_charge"], amount_minor)

    def pay_with_many_refunds(self) -> Payment:
        """Make a payment whose refunds, all failed, are more than Stripe shows with its charge."""
        payment = self.pay()
        for _ in range(REFUNDS_SHOWN_MAX + 1):
            self.control(f"refunds/{self.refund(payment, 1)}/fail")
        return payment

    def refund(self, payment: Payment, amount_minor: int, *, key: str | None = None, **metadata: str) -> str:
        """Refund as anybody with access to the account could, past our gateway."""
        form = {"payment_intent": payment.intent, "amount": str(amount_minor)}
        named = {f"metadata[{name}]": value for name, value in metadata.items()}
        return str(self._post("refunds", {**form, **named}, key=key)["id"])

    def live_refunds(self, payment: Payment) -> list[Json]:
        refunds = [r for r in self.state()["refunds"] if r["payment_intent"] == payment.intent]
        return [refund for refund in refunds if refund["status"] not in ("failed", "canceled")]

    def requests_to_refund(self) -> list[Json]:
        return list(self.state()["journal"])

    def _post(self, path: str, form: dict[str, str], *, key: str | None = None) -> Json:
        headers = {"Idempotency-Key": key} if key else {}
        return dict(self._http.post(f"/v1/{path}", data=form, headers=headers).raise_for_status().json())


@dataclass(frozen=True)
class Reply:
    """An answer that the proxy gives by itself."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Seen:
    """A request that passed the proxy."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class _Step:
    method: str
    path_prefix: str
    act: Callable[[], object] | None
    reply: Reply | None
    rewrite: Callable[[Json], Json] | None


class Proxy:
    """Passes calls on to the simulator, unless a step waits for one: each step is used once."""

    def __init__(self, upstream: str) -> None:
        self.seen: list[Seen] = []
        self._steps: list[_Step] = []
        self._lock = threading.Lock()
        self._http = httpx2.Client(base_url=upstream, trust_env=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()

    def on(
        self,
        method: str,
        path_prefix: str,
        *,
        act: Callable[[], object] | None = None,
        reply: Reply | None = None,
        rewrite: Callable[[Json], Json] | None = None,
    ) -> None:
        """For the next such call: act before it goes on, reply in the simulator's place, or change its answer."""
        self._steps.append(_Step(method, path_prefix, act, reply, rewrite))

    def count(self, method: str, path_prefix: str) -> int:
        return sum(seen.method == method and seen.path.startswith(path_prefix) for seen in self.seen)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        with self._lock:
            self.seen.append(Seen(method, path, headers))
            step = next((s for s in self._steps if s.method == method and path.startswith(s.path_prefix)), None)
            if step is not None:
                self._steps.remove(step)
        if step is not None and step.act is not None:
            step.act()
        if step is not None and step.reply is not None:
            return step.reply
        passed_on = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection")}
        response = self._http.request(method, path, headers=passed_on, content=body)
        text = response.text
        if step is not None and step.rewrite is not None:
            text = json.dumps(step.rewrite(response.json()))
        kept = [(n, v) for n, v in response.headers.items() if n.lower() not in ("content-length", "connection")]
        return Reply(response.status_code, text, tuple(kept))


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, format: str, *args: Any) -> None:
            pass  # The proxy keeps what it has seen; standard error stays for failures.

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            reply = proxy.answer(self.command, self.path, dict(self.headers), body)
            content = reply.body.encode()
            self.send_response_only(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
