"""Bytes that no HTTP client would send: refused, or cut off, and not one row is changed."""

import json
import socket
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from devstack.demo.town import Town
from devstack.stack import Stack

pytestmark = pytest.mark.stack

ANSWER_SECONDS_MAX = 15
MEMORY_BYTES_MAX = 20 * 2**20
REFUSED = (400, 401, 413, 415, 422)
GOOD = {
    "ticket": {"system": "wire", "id": "1"},
    "channel": "ticket",
    "account": {"id": "acct_wire"},
    "rail": "card",
    "requested_at": "2026-11-20T12:00:00Z",
}


class Wire:
    """A caller who writes every byte by hand."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        at = urlsplit(stack.info["api"])
        self._address = (str(at.hostname), int(at.port or 80))
        self.token = stack.info["tokens"]["helpdesk"]

    def post(self, *headers: str, body: bytes = b"", path: str = "/v1/refunds") -> int | None:
        """Send a help desk's POST; return the status, None where the server hung up."""
        return self.send(self.raw(*headers, body=body, path=path))

    def raw(self, *headers: str, body: bytes = b"", path: str = "/v1/refunds") -> bytes:
        """Return the bytes of a help desk's POST."""
        lines = [f"POST {path} HTTP/1.1", "Host: api", f"Authorization: Bearer {self.token}", *headers, "", ""]
        return "\r\n".join(lines).encode("latin-1") + body

    def send(self, raw: bytes) -> int | None:
        with (
            suppress(ConnectionResetError, BrokenPipeError),
            socket.create_connection(self._address, timeout=ANSWER_SECONDS_MAX) as connection,
        ):
            connection.sendall(raw)
            if first := connection.makefile("rb").readline():
                return int(first.split()[1])
        return None

    def break_off(self, raw: bytes) -> None:
        """Send and hang up, and wait until the server has seen it."""
        with socket.create_connection(self._address, timeout=ANSWER_SECONDS_MAX) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            connection.makefile("rb").read()

    def trace(self) -> tuple[int, ...]:
        """Count what calls leave behind."""
        path = self._stack.folder.path / "refunds.sqlite"
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            counts = [connection.execute(f"SELECT count(*) FROM {it}").fetchone()[0] for it in TABLES]  # noqa: S608
        return tuple(counts)

    def memory_bytes(self) -> int:
        """Return what the API's process holds in memory."""
        with open(f"/proc/{self._stack.info['pids']['api']}/statm") as figures:
            return int(figures.read().split()[1]) * 4096


TABLES = ("refunds", "accounts", "deposits", "orders", "audit_entries", "keyed_answers")


@pytest.fixture(scope="module")
def wire(stack: Stack, town: Town) -> Wire:
    """An account whose deposit could be paid back, so that any of these bodies would leave a row if it were taken."""
    town.must("billing", "PUT", "/v1/accounts/acct_wire", {"username": "wire", "status": "active"})
    town.must("billing", "PUT", "/v1/deposits/dep_wire", DEPOSIT | {"paid_at": datetime.now(UTC).isoformat()})
    return Wire(stack)


DEPOSIT = {
    "account_id": "acct_wire",
    "amount_minor": 2000,
    "currency": "USD",
    "payment": {"rail": "card", "payment_intent": "pi_wire"},
}
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


def body(**changes: object) -> bytes:
    return json.dumps(GOOD | {"requested_at": datetime.now(UTC).isoformat()} | changes).encode()


def length(content: bytes) -> str:
    return f"Content-Length: {len(content)}"


def chunked(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)


CALLS: dict[str, tuple[tuple[str, ...], bytes]] = {
    "a length and chunks": ((JSON, CHUNKED, length(body())), chunked(body())),
    "two lengths": ((JSON, length(body()), "Content-Length: 3"), body()),
    "a negative length": ((JSON, "Content-Length: -1"), body()),
    "a length in words": ((JSON, "Content-Length: ten"), body()),
    "a length with a sign": ((JSON, f"Content-Length: +{len(body())}"), body()),
    "a hundred megabytes promised": ((JSON, "Content-Length: 104857600"), body()),
    "a chunk without a size": ((JSON, CHUNKED), b"zz\r\n" + body() + b"\r\n0\r\n\r\n"),
    "a chunk of megabytes": ((JSON, CHUNKED), b"ffffff\r\n" + body().ljust(128 * 1024)),
    "chunks twice over": ((JSON, "Transfer-Encoding: chunked, chunked"), chunked(chunked(body()))),
    "an unknown transfer encoding": ((JSON, "Transfer-Encoding: gzip, chunked"), chunked(body())),
    "gzip": ((JSON, "Content-Encoding: gzip", "Content-Length: 4"), b"\x1f\x8b\x08\x00"),
    "a bad key": ((JSON, "Idempotency-Key: a b", length(body())), body()),
    "a key with a NUL": ((JSON, "Idempotency-Key: a\x00b", length(body())), body()),
    "two keys": ((JSON, "Idempotency-Key: a", "Idempotency-Key: b", length(body())), body()),
    "a key that begins another header": ((JSON, "Idempotency-Key: a\rX-Evil: 1", length(body())), body()),
    "a folded header": ((JSON, "X-Folded: a", " b: c", "Authorization: Bearer x", length(body())), body()),
    "a blank before the colon": (("Content-Type : application/json", length(body())), body()),
    "two tokens": ((JSON, "Authorization: Bearer other", length(body())), body()),
    "two types": ((JSON, "Content-Type: text/plain", length(body())), body()),
    "a header of a quarter of a megabyte": ((JSON, "X-Long: " + "x" * 2**18, length(body())), body()),
    "ten thousand headers": ((JSON, *(f"X-{it}: 1" for it in range(10_000)), "Idempotency-Key:"), b""),
    "a byte too much": ((JSON, f"Content-Length: {64 * 1024 + 1}"), body().ljust(64 * 1024 + 1)),
}


@pytest.mark.parametrize(("headers", "content"), CALLS.values(), ids=CALLS.keys())
def test_call_that_two_readers_could_read_in_two_ways_is_refused(
    wire: Wire, headers: tuple[str, ...], content: bytes
) -> None:
    before, held = wire.trace(), wire.memory_bytes()

    status = wire.post(*headers, body=content)

    assert status is None or status in (*REFUSED, 431), status
    assert wire.trace() == before
    assert wire.memory_bytes() - held < MEMORY_BYTES_MAX


def test_body_that_breaks_off_leaves_nothing(wire: Wire) -> None:
    before = wire.trace()

    wire.break_off(wire.raw(JSON, f"Content-Length: {len(body()) + 1}", body=body()))
    wire.break_off(wire.raw(JSON, CHUNKED, body=b"%x\r\n%s\r\n" % (len(body()), body())))

    assert wire.trace() == before


STARTS: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
    "no version": b"GET /livez\r\n\r\n",
    "a path of a megabyte": b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\nHost: api\r\n\r\n",
    "a NUL in the path": b"GET /v1/\0 HTTP/1.1\r\nHost: api\r\n\r\n",
    "an unknown method": b"REFUND /v1/refunds HTTP/1.1\r\nHost: api\r\n\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\nHost: api\r\n\r\n",
    "an upgrade": b"GET /v1/refunds HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
}


@pytest.mark.parametrize("raw", STARTS.values(), ids=STARTS.keys())
def test_strange_beginning_is_refused_and_the_next_caller_is_served(wire: Wire, raw: bytes) -> None:
    before = wire.trace()

    status = wire.send(raw)

    assert status is None or 400 <= status < 500, status
    assert wire.trace() == before
    assert wire.send(b"GET /livez HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n") == 200


def test_request_id_cannot_bring_a_header_or_a_line_of_its_own(wire: Wire, stack: Stack) -> None:
    for given in ("x\rX-Evil: 1", "x%0d%0aX-Evil: 1", "<b>", "x" * 65, "\xff", "a b"):
        lines = ["GET /livez HTTP/1.1", "Host: api", f"X-Request-ID: {given}", "Connection: close", "", ""]
        at = urlsplit(stack.info["api"])
        with socket.create_connection((str(at.hostname), int(at.port or 80)), timeout=ANSWER_SECONDS_MAX) as line:
            line.sendall("\r\n".join(lines).encode("latin-1"))
            answer = line.makefile("rb").read().decode("latin-1")

        assert "X-Evil" not in answer
        assert given not in answer


def test_good_call_of_the_same_wire_is_taken(wire: Wire) -> None:
    """Otherwise the refusals above would prove nothing."""
    before = wire.trace()

    assert wire.post(JSON, length(body()), body=body()) == 202
    assert wire.trace() != before
