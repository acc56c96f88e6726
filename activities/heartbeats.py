"""Heartbeats for every step, so that a dead worker is noticed in seconds, whatever it was doing."""

import asyncio
from typing import Any

from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

HEARTBEAT_SECONDS = 1.0


class Heartbeats(Interceptor):
    """Beats beside each step while it runs, also while its thread waits for a provider or the database."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Stand around the step."""
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    _outbound: ActivityOutboundInterceptor

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        # `activity.heartbeat()` waits for the event loop where a step runs on a thread, and this is that loop.
        self._outbound = outbound
        super().init(outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        beating = asyncio.create_task(self._beat())
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)  # the start counts as the first beat, and most steps need no other
            self._outbound.heartbeat()
