"""A real receiver of webhooks on the loopback address, which answers as a test tells it to."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG = -1
WAIT_SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Received:
    """One try as it arrived: the raw bytes, the signature's header, and when."""

    body: bytes
    signature: str | None
    headers: dict[str, str]
    at: float

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def stamp(self) -> int:
        assert self.signature is not None
        return int(dict(part.split("=", 1) for part in self.signature.split(","))["t"])


class Receiver:
    """Answers the tries in turn with the statuses of `script`, then with 200; `HANG` never answers."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: deque[int] = deque()
        self._arrived = threading.Condition()
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int) -> list[Received]:
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self.received) >= count, WAIT_SECONDS_MAX)
            assert came, f"only {len(self.received)} of {count} arrived"
            return list(self.received)

    def types(self) -> list[str]:
        return [received.event["type"] for received in self.received]

    def receive(self, received: Received) -> int:
        with self._arrived:
            status = self.script.popleft() if self.script else 200
            self.received.append(received)
            self._arrived.notify_all()
        if status == HANG:
            self._ended.wait()
        return status


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            header = self.headers.get("Stripe-Signature")
            status = receiver.receive(Received(body, header, dict(self.headers), time.time()))
            if status == HANG:
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", receiver.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
