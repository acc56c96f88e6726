"""Answers that break on the way: connections cut before, and in the middle of, an answer."""

from asyncio import Transport

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

TRANSPORT = "transport"


class BreakableConnection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with the connection within reach of the application."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # always TCP here
        """Hand the transport to every request of this connection."""
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class DroppedAnswer(Response):
    """No answer at all: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut the connection and wait until it is gone."""
        _transport(scope).abort()
        await _wait_until_gone(receive)


class TruncatedAnswer(Response):
    """The head and the first half of an answer, then the end of the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Announce the whole length, send half of it and close."""
        body = bytes(self.body)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        _transport(scope).close()
        await _wait_until_gone(receive)


def _transport(scope: Scope) -> Transport:
    transport = scope["state"].get(TRANSPORT)
    if not isinstance(transport, Transport):
        raise TypeError("the simulator must run on BreakableConnection")
    return transport


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
