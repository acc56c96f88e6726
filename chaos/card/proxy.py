"""An HTTP proxy with faults between workers and the simulator of Stripe; it keeps every request for a refund.

`with CardProxy(simulator_url, seed=7) as proxy: proxy.url`. It serves on a thread of its own.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from chaos.card.faults import ANSWERED_PLAINLY, KEPT_FROM_STRIPE, Call, Fault, Faults
from chaos.card.journal import Journal, Post
from chaos.serving import UPSTREAM_SECONDS_MAX, Serving

HANG_SECONDS = 6.0  # longer than the hasty workers of a run wait
SLOW_SECONDS = 1.0
LATE_SECONDS = 8.0  # by then whoever sent it has looked, and sent it anew
BODY_BYTES_MAX = 2**20
_OF_THE_CONNECTION = (
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "accept-encoding",
    "content-encoding",
)
_PAGE = "<html><body>Something went wrong.</body></html>"


class CardProxy:
    """The one way from the workers to Stripe."""

    def __init__(
        self, upstream: str, faults: Faults, *, journal: Path | None = None, hang_seconds: float = HANG_SECONDS
    ) -> None:
        self._upstream, self._hang_seconds = upstream, hang_seconds
        self.faults = faults
        self.journal = Journal(journal)
        self.names: dict[str, str] = {}
        """What the objects of Stripe, whose ids are made anew in each run, are called by the seed."""
        self.url = ""
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._serving = Serving("card proxy", is_connection_kept=False)
        self._late: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._serving.begin([app])
        self.url = self._serving.urls[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._serving.end()

    @property
    def is_calm(self) -> bool:
        """Tell whether nothing is on its way to Stripe any more that was given up by who sent it."""
        return not self._late

    def deliver_again(self, post: Post) -> tuple[int, str]:
        """Send a request for a refund once more, as whoever kept it could; return status and refund or error."""
        answer = self._serving.run(
            self._forward("POST", "/v1/refunds", post.headers, post.body.encode()), UPSTREAM_SECONDS_MAX
        )
        if answer is None:
            return 0, "no answer"
        told = _told(answer[2])
        return answer[0], str(told.get("id") or told.get("error", {}).get("code"))

    # --- serving ---

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except ConnectionError:
            return web.Response()  # whoever asked was killed in the middle of the question
        if request.content_length is not None and len(body) < request.content_length:
            return web.Response()
        self.journal.count(request.method, request.path)
        is_refund = (request.method, request.path) == ("POST", "/v1/refunds")
        fields = dict(parse_qsl(body.decode("utf-8", "replace")))
        call = self._call(request, fields, is_refund)
        post = None
        if is_refund:
            key = request.headers.get("Idempotency-Key", "")
            post = self.journal.see(fields, key, body.decode(), _passed_on(request.headers))
        fault = self.faults.decide(call)
        if fault is not None:
            self.journal.note_fault(fault, method=call.method, key=call.key, attempt=call.attempt)
        try:
            return await self._carry(request, body, fault, post)
        finally:
            if post is not None:
                post.fault = fault or ""
                self.journal.note_post(post)

    async def _carry(
        self, request: web.Request, body: bytes, fault: Fault | None, post: Post | None
    ) -> web.StreamResponse:
        if fault in KEPT_FROM_STRIPE:
            if fault == Fault.LATE_REQUEST and post is not None:
                task = asyncio.create_task(self._deliver_late(post))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            if post is not None:
                post.is_lost = fault not in ANSWERED_PLAINLY
            return _refused(request, fault)
        answer = await self._forward(request.method, request.path_qs, request.headers, body, post)
        if answer is None:
            return _cut(request)
        status, headers, content = answer
        if fault in (Fault.HANG, Fault.SLOW):
            await asyncio.sleep(self._hang_seconds if fault == Fault.HANG else SLOW_SECONDS)
        if fault in (None, Fault.SLOW):
            if post is not None:
                post.is_lost = status >= 500 or not _told(content)
            return web.Response(status=status, headers=headers, body=content)
        return _spoiled(request, fault, status, headers, content)

    async def _deliver_late(self, post: Post) -> None:
        await asyncio.sleep(LATE_SECONDS)
        again = Post(**{**post.__dict__, "is_late": True})
        await self._forward("POST", "/v1/refunds", post.headers, post.body.encode(), again)
        post.made, post.status, post.is_late, post.was_delivered = again.made, again.status, True, again.was_delivered
        self.journal.note_post(post)

    async def _forward(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, post: Post | None = None
    ) -> tuple[int, dict[str, str], bytes] | None:
        """Ask Stripe itself; None where it gave no answer, whatever it did."""
        if post is not None:
            post.was_delivered = True
        try:
            async with self._serving.http.request(
                method, self._upstream + path, headers=_passed_on(headers), data=body
            ) as answer:
                content = await answer.read()
                told = _told(content)
                if post is not None:
                    post.status, post.made = answer.status, str(told.get("id") or "")
                    post.code = str((told.get("error") or {}).get("code") or "")
                    post.is_replay = answer.headers.get("Idempotent-Replayed") == "true"
                    if post.made:
                        self.names[post.made] = f"refund of {self.names.get(post.payment_intent, '')}"
                return answer.status, _passed_on(answer.headers), content
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            return None

    def _call(self, request: web.Request, fields: Mapping[str, str], is_refund: bool) -> Call:
        about = [fields.get("payment_intent", ""), *request.path.split("/"), request.query.get("payment_intent", "")]
        names = [self.names[it] for it in about if it in self.names]
        kind = "/".join(request.path.split("/")[:3])
        key = f"{kind} {names[0] if names else ''} {fields.get('metadata[attempt]', '')}"
        attempt = self._attempts[request.method, key]
        self._attempts[request.method, key] += 1
        return Call(request.method, key, attempt, is_refund)


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: it for name, it in headers.items() if name.lower() not in _OF_THE_CONNECTION}


def _told(content: bytes) -> dict[str, Any]:
    """Read an answer of Stripe's; nothing where it is none."""
    try:
        told = json.loads(content)
    except ValueError:
        return {}
    is_stripes = isinstance(told, dict) and ("object" in told or "error" in told)
    return told if is_stripes else {}


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _refused(request: web.Request, fault: Fault) -> web.StreamResponse:
    match fault:
        case Fault.DOWN:
            return web.Response(status=503, text=_PAGE, content_type="text/html")
        case Fault.IN_USE:
            return _error(409, "idempotency_error", "idempotency_key_in_use")
        case Fault.BUSY:
            return _error(429, "invalid_request_error", "rate_limit")
        case Fault.LOCK_TIMEOUT:
            return _error(429, "invalid_request_error", "lock_timeout", {"Stripe-Should-Retry": "true"})
    return _cut(request)


def _error(status: int, kind: str, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
    told = {"error": {"type": kind, "code": code, "message": "Said by the proxy."}}
    return web.json_response(told, status=status, headers=headers)


def _spoiled(
    request: web.Request, fault: Fault, status: int, headers: Mapping[str, str], content: bytes
) -> web.StreamResponse:
    match fault:
        case Fault.BAD_GATEWAY:
            return web.Response(status=502, text=_PAGE, content_type="text/html")
        case Fault.PAGE:
            return web.Response(status=200, text=_PAGE, content_type="text/html")
        case Fault.TRUNCATED:
            return web.Response(status=status, headers=headers, body=content[: len(content) // 2])
    return _cut(request)
