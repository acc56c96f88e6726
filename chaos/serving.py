"""Applications served on loopback by a thread of their own, beside one client that asks on for them."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

HOST = "127.0.0.1"
UPSTREAM_SECONDS_MAX = 20.0
T = TypeVar("T")


class Serving:
    """Each application on a free port of its own; `http` belongs to the same thread."""

    def __init__(self, name: str, *, is_connection_kept: bool = True) -> None:
        """Without kept connections a client that repeats by itself cannot hide it from who counts requests."""
        self.urls: list[str] = []
        self.http: aiohttp.ClientSession
        self._name, self._is_connection_kept = name, is_connection_kept
        self._loop = asyncio.new_event_loop()
        self._ending, self._begun = asyncio.Event(), threading.Event()
        self._thread: threading.Thread

    def begin(self, apps: Sequence[web.Application]) -> None:
        """Serve from here on; raise OSError where a port could not be listened on."""
        self._thread = threading.Thread(target=self._live, args=[apps], name=self._name, daemon=True)
        self._thread.start()
        self._begun.wait()
        if len(self.urls) != len(apps):
            raise OSError(f"the {self._name} could not listen")

    def end(self) -> None:
        """Stop serving, and whatever was still to be done."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def run(self, work: Coroutine[Any, Any, T], seconds_max: float) -> T:
        """Do something on the thread that serves, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds_max)

    def _live(self, apps: Sequence[web.Application]) -> None:
        try:
            self._loop.run_until_complete(self._serve(apps))
        finally:
            self._begun.set()
            self._loop.close()

    async def _serve(self, apps: Sequence[web.Application]) -> None:
        runners = []
        timeout = aiohttp.ClientTimeout(total=UPSTREAM_SECONDS_MAX)
        connector = aiohttp.TCPConnector(force_close=not self._is_connection_kept)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as self.http:
            for app in apps:
                runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
                await runner.setup()
                await web.TCPSite(runner, HOST, 0).start()
                self.urls.append(f"http://{HOST}:{runner.addresses[0][1]}")
                runners.append(runner)
            self._begun.set()
            await self._ending.wait()
            for runner in runners:
                await runner.cleanup()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
