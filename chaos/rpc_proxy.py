"""A JSON-RPC proxy with faults in front of one node; several of its ports are several endpoints of the same chain.

`with RpcProxy(node_url, endpoints=2, seed=7) as proxy: proxy.urls`, or `python -m chaos.rpc_proxy NODE_URL`. Under
`/_chaos/` each endpoint takes commands: `POST arm {"fault": "lost_reply", …}` (see `Arm`), `POST disarm`,
`POST weather {"factor": 2}`, `GET journal`, `GET calls`, `GET fired`.
"""

import argparse
import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from chaos.rpc_faults import BLOCK, RATES, RECEIPT, SEND, SEND_RATES, Arm, Call, Fault, Faults
from chaos.rpc_journal import RpcJournal
from chaos.rpc_lies import KEPT_FROM_NODE, Lies, spoiled, told_instead
from chaos.serving import Serving

HANG_SECONDS = 11.0  # longer than a client waits that wants to go on: ours gives up after ten
BODY_BYTES_MAX = 4 * 2**20
Json = dict[str, Any]


class RpcProxy:
    """Endpoints with faults; a context manager that serves on a thread of its own."""

    def __init__(
        self,
        upstream: str,
        *,
        endpoints: int = 1,
        seed: object = 0,
        rates: Mapping[Fault, float] = RATES,
        send_rates: Mapping[Fault, float] = SEND_RATES,
        journal: Path | None = None,
        hang_seconds: float = HANG_SECONDS,
    ) -> None:
        """Without rates (`rates={}, send_rates={}`) only armed faults happen."""
        self._upstream, self._count, self._hang_seconds = upstream, endpoints, hang_seconds
        self.faults = Faults(seed, rates, send_rates)
        self.journal = RpcJournal(journal)
        self.urls: list[str] = []
        self._lies = Lies(self.faults)
        self._attempts: Counter[tuple[int, str, str]] = Counter()
        self._serving = Serving("rpc proxy")

    def __enter__(self) -> Self:
        self._serving.begin([self._endpoint(number) for number in range(self._count)])
        self.urls = self._serving.urls
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._serving.end()

    def arm(self, fault: Fault, **where: Any) -> None:
        """Let a fault happen to the next call that fits; see `Arm`."""
        self.faults.arm(Arm(fault, **where))

    def _endpoint(self, number: int) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.add_routes([web.post("/", self._answer), web.route("*", "/_chaos/{command}", self._obey)])
        app[_NUMBER] = number
        return app

    # --- calls ---

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        endpoint = request.app[_NUMBER]
        try:
            question = json.loads(await request.read())
        except ValueError:
            return web.json_response({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "no JSON"}})
        except ConnectionError:
            return web.Response()  # whoever asked was killed in the middle of the question
        calls = question if isinstance(question, list) else [question]
        answers: list[Json] = []
        for call in calls:
            answer, fault = await self._ask(endpoint, call)
            if fault is not None:  # the transport is spoiled for all of a batch at once
                return await self._spoil(request, fault, call, answer)
            answers.append(answer)
        return web.json_response(answers if isinstance(question, list) else answers[0])

    async def _ask(self, endpoint: int, question: Json) -> tuple[Json, Fault | None]:
        """Return the answer, and the fault of transport that spoils it, if one does."""
        method, params = str(question.get("method")), list(question.get("params") or [])
        self.journal.count(endpoint, method)
        call = self._call(endpoint, method, params)
        tx_hash = ""
        if method == SEND and re.fullmatch("0x([0-9a-fA-F]{2})+", str(params[0] if params else "")):
            tx_hash, is_with_node = self.journal.see(str(params[0]))
            call.is_first_send = not is_with_node
        fault = self.faults.before(call)
        if fault is not None:
            self._note(fault, call)
        if fault in KEPT_FROM_NODE:
            if tx_hash:
                self.journal.note_fate(tx_hash, str(fault))
            told = told_instead(fault, tx_hash)
            if told is None:
                return {}, fault
            return {"jsonrpc": "2.0", "id": question.get("id"), **told}, None
        if tx_hash:
            self.journal.note_fate(tx_hash, "forwarded")
        answer = await self._forward(question)
        if answer is None:
            return {}, Fault.LOST_BEFORE
        if fault is None and "result" in answer:
            lie = self._lies.tell(call, answer)
            if lie is not None:
                self._note(lie, call)
            if lie == Fault.STALE_HEAD and method == BLOCK:  # an old block, and all of it true but its place
                answer = (
                    await self._forward({**question, "params": [answer["result"]["number"], *params[1:]]}) or answer
                )
        if fault is None and method == RECEIPT and answer.get("result"):
            self.journal.note_shown(str(params[0]).lower())
        return answer, fault

    def _call(self, endpoint: int, method: str, params: list[Any]) -> Call:
        key = json.dumps(params)
        attempt = self._attempts[endpoint, method, key]
        self._attempts[endpoint, method, key] += 1
        return Call(endpoint, method, key, attempt, params)

    def _note(self, fault: Fault, call: Call) -> None:
        short = call.key if len(call.key) < 200 else call.key[:40]  # signed bytes stand in the journal already
        self.journal.note_fault(fault, endpoint=call.endpoint, method=call.method, key=short, attempt=call.attempt)

    async def _forward(self, question: Json) -> Json | None:
        """Ask the node itself; None where it is away."""
        try:
            async with self._serving.http.post(self._upstream, json=question) as answer:
                return dict(await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def _spoil(self, request: web.Request, fault: Fault, question: Json, answer: Json) -> web.StreamResponse:
        if fault == Fault.TIMEOUT:
            await asyncio.sleep(self._hang_seconds)
        if fault in (Fault.LOST_BEFORE, Fault.LOST_REPLY, Fault.TIMEOUT):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return spoiled(fault, question, answer)

    # --- commands ---

    async def _obey(self, request: web.Request) -> web.Response:
        command = request.method, request.match_info["command"]
        told = await request.json() if request.can_read_body else {}
        match command:
            case ("POST", "arm"):
                self.faults.arm(Arm(**(told | {"fault": Fault(told["fault"])})))
            case ("POST", "disarm"):
                self.faults.disarm()
            case ("POST", "weather"):
                self.faults.factor = float(told["factor"])
            case ("GET", "journal"):
                return web.json_response([asdict(it) for it in self.journal.raws])
            case ("GET", "calls"):
                return web.json_response(self.journal.calls())
            case ("GET", "fired"):
                return web.json_response(self.faults.fired)
            case _:
                raise web.HTTPNotFound
        return web.json_response({})


_NUMBER: web.AppKey[int] = web.AppKey("number", int)


def main() -> None:
    """Serve until interrupted; the first line printed names the endpoints."""
    parser = argparse.ArgumentParser(prog="chaos.rpc_proxy", description=__doc__)
    parser.add_argument("upstream", help="the node's own address")
    parser.add_argument("--endpoints", type=int, default=1)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--calm", action="store_true", help="nothing happens but what is armed")
    parser.add_argument("--journal", type=Path, help="a file for every signed chain transaction and every fault")
    told = parser.parse_args()
    rates: Json = {"rates": {}, "send_rates": {}} if told.calm else {}
    with RpcProxy(told.upstream, endpoints=told.endpoints, seed=told.seed, journal=told.journal, **rates) as proxy:
        print(json.dumps({"urls": proxy.urls}), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
