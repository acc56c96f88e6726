"""The outermost layer of HTTP: an id for every request, one log line, and 500 without internals."""

import re
import secrets
import time
import traceback
from urllib.parse import unquote_to_bytes

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.metrics import Metrics
from api.problems import ProblemType

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
FRAMES_MAX = 12
QUIET = frozenset(["/livez", "/readyz", "/metrics"])

log = structlog.get_logger()


class Edge:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        begun = time.perf_counter()
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["Cache-Control"] = "no-store"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                refusal = _refusal(scope, request_id)
                await (refusal or self._app)(scope, receive, send_marked)
            except ClientDisconnect:
                log.info("request.abandoned")
                return
            except Exception as error:
                # The words of an exception may hold what was sent; its class and place are enough to find it.
                log.error("request.failed", error=type(error).__name__, frames=_frames(error))
                if status:
                    raise
                failure = problems.answer(request_id, ProblemType.INTERNAL, "Something went wrong here.")
                await failure(scope, receive, send_marked)
            seconds = time.perf_counter() - begun
            self._metrics.count(scope["method"], _route_of(scope), status, seconds)
            _tell(scope, status, seconds)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    """Log what changed something or was refused; plain reading only where someone asks for it."""
    if scope["path"] in QUIET:
        return
    is_read = scope["method"] in ("GET", "HEAD") and status < 400
    write = log.debug if is_read else log.info
    write(
        "request.answered" if status < 400 else "request.refused",
        method=scope["method"],
        route=_route_of(scope),
        status=status,
        milliseconds=round(seconds * 1000, 1),
        caller=scope["state"].get("caller_name"),
    )


def _route_of(scope: Scope) -> str | None:
    """Return the template of the path, None where no route fits: ids in a path may name a person."""
    return getattr(scope.get("route"), "path", None)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"


def _refusal(scope: Scope, request_id: str) -> Response | None:
    """Refuse an address or a length that readers would take differently."""
    kind = ProblemType.MALFORMED_REQUEST
    if not _is_utf8(scope):
        return problems.answer(request_id, kind, "The path or query is not UTF-8.", field="path", rule="utf8")
    if "\n" in scope["path"]:
        # The patterns of routes end before a last line break, so that `a%0A` would be taken for the id `a`.
        return problems.answer(request_id, kind, "The path holds a line break.", field="path", rule="line_break")
    headers = Headers(scope=scope)
    if "transfer-encoding" in headers and "content-length" in headers:
        # RFC 9112, 6.1: a proxy in front that reads the other one sees another request; such a connection is closed.
        detail, closing = "The body has a Content-Length and comes in chunks.", {"Connection": "close"}
        return problems.answer(request_id, kind, detail, field="Content-Length", rule="one_length", headers=closing)
    return None


def _is_utf8(scope: Scope) -> bool:
    """Tell whether path and query mean the same to every reader; servers replace what they cannot decode."""
    try:
        for part in (scope.get("raw_path") or b"", scope.get("query_string") or b""):
            unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
