"""An endpoint that can be told to misbehave, one method at a time, in front of a real node or of nothing."""

import json
import threading
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class UnreliableEndpoint:
    """Passes requests on to `upstream`, except those for which a fault is set. `asked` lists the methods."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.asked: list[str] = []
        self.refuses_several: int | None = None
        """It takes one question with each request, and answers others with this status."""
        self.changes_several: Callable[[list[Any]], Any] = list
        """What becomes of its answers to several questions."""
        self.faults: dict[str, Callable[[bytes], tuple[int, bytes] | None]] = {}
        self._is_over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/secret-project-key"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()

    def answers(self, method: str, result: Any) -> None:
        self.faults[method] = lambda _: (200, _body({"result": result}))

    def refuses(self, method: str, message: str, *, status: int = 200, code: int = -32000) -> None:
        self.faults[method] = lambda _: (status, _body({"error": {"code": code, "message": message}}))

    def fails(self, method: str, status: int) -> None:
        self.faults[method] = lambda _: (status, b"try later")

    def garbles(self, method: str, body: bytes) -> None:
        self.faults[method] = lambda _: (200, body)

    def redirects(self, method: str) -> None:
        """Point to the real node, which a client that follows would then ask."""
        self.faults[method] = lambda _: (307, self.upstream.encode())

    def hangs_up(self, method: str) -> None:
        """Close the connection without passing the request on."""
        self.faults[method] = lambda _: None

    def hangs(self, method: str, about: str = "") -> None:
        """Keep everybody waiting who asks this, or only who asks `about` something, until the test is over."""

        def fault(body: bytes) -> tuple[int, bytes] | None:
            if about not in body.decode():
                return 200, self.forward(body)
            self._is_over.wait(timeout=60)
            return None

        self.faults[method] = fault

    def loses_the_reply(self, method: str) -> None:
        """Pass the request on and close the connection before its answer."""

        def fault(body: bytes) -> None:
            self.forward(body)

        self.faults[method] = fault

    def forward(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.upstream, body, headers)  # noqa: S310 - the test's own node
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - the same
            answer: bytes = response.read()
        return answer

    def answer(self, body: bytes) -> tuple[int, bytes] | None:
        """Answer a question; of several in one request the first that is spoiled spoils them all."""
        question = json.loads(body)
        if not isinstance(question, list):
            self.asked.append(question["method"])
            fault = self.faults.get(question["method"])
            return fault(body) if fault else (200, self.forward(body))
        if self.refuses_several is not None:
            refused = _body({"error": {"code": -32600, "message": "one at a time"}})
            return self.refuses_several, refused if self.refuses_several == 200 else b"one at a time"
        answers = []
        for it in question:
            answer = self.answer(json.dumps(it).encode())
            try:
                told = json.loads(answer[1]) if answer is not None and answer[0] == 200 else None
            except ValueError:
                told = None
            if not isinstance(told, dict):
                return answer
            answers.append(told | {"id": it["id"]})
        return 200, json.dumps(self.changes_several(answers)).encode()

    def _handler(endpoint) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler has a `self` of its own
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer = endpoint.answer(self.rfile.read(int(self.headers["Content-Length"])))
                if answer is not None:
                    self.send_response(answer[0])
                    if answer[0] == 307:
                        self.send_header("Location", answer[1].decode())
                    self.send_header("Content-Length", str(len(answer[1])))
                    self.end_headers()
                    self.wfile.write(answer[1])

            def log_message(self, *_: Any) -> None:
                return

        return Handler


def _body(fields: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 0, **fields}).encode()
