"""Tells the runs what was recorded: at once where Temporal answers, else by a sweep that goes on for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from queue import SimpleQueue

import structlog
from anyio import from_thread
from fastapi.concurrency import run_in_threadpool

from api.services import Services
from domain.errors import TryAgain
from domain.refunds import TicketRef
from ledger.news import Untold

# A help desk waits three to five seconds for its answer; the row is written, so the news may wait instead.
ANSWER_SECONDS_MAX = 2.0
SWEEP_SECONDS = 2.0
ROUNDS_PER_ROLL_CALL = 30  # about once a minute
QUIET_SECONDS_MIN = 60.0  # a refund that changed lately has a run that changed it
NEWS_SECONDS_MIN = 3.0  # younger news are still being told by the call that made them

log = structlog.get_logger()


class Telling:
    """Keeps Temporal up to date with the rows. The rows are the truth; what is told twice changes nothing."""

    def __init__(self, services: Services, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._runs = services.runs
        self._news = services.news
        self._answers = services.answers
        self._pause = pause
        self._is_away = False
        self._is_roll_due = True
        self._memory: str | None = None
        self._told: SimpleQueue[Untold] = SimpleQueue()

    def tell(self, refund_id: str) -> None:
        """Tell one refund's news from an endpoint's thread. Never fails: the sweep tells what this could not.

        The sweep also writes down what was told, many at once: the caller need not wait for that. A process that
        dies before has the news told once more.
        """
        try:
            news = self._news.of(refund_id)
        except TryAgain:
            return
        if news is not None and from_thread.run(self._told_at_once, news.refund_id, news.ticket):
            self._told.put(news)

    async def tell_now(self, refund_id: str) -> bool:
        """Tell one refund's news from the event loop; False where nothing was told, or nothing is known for sure."""
        news = await run_in_threadpool(self._news.of, refund_id)
        if news is None or not await self._told_at_once(news.refund_id, news.ticket):
            return False
        self._told.put(news)
        return True

    async def _told_at_once(self, refund_id: str, ticket: TicketRef) -> bool:
        if self._is_away:
            return (
                False  # callers do not queue up behind a Temporal that is away; the sweep finds out when it is back
            )
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await self._runs.tell(refund_id, ticket)
        except (TryAgain, TimeoutError):
            self._notice_absence()
            log.warning("news.kept", refund_id=refund_id, cause="temporal")
            return False
        except Exception as error:  # noqa: BLE001 - the call is recorded already and must be answered as such
            log.error("news.refused", refund_id=refund_id, error=type(error).__name__)
            return False
        return True

    async def sweep_for_ever(self) -> None:
        """Tell the news that nobody told, round after round, and call the roll of all runs now and then."""
        for number in count(1):
            await self._outlive(self.sweep)
            await self._outlive(self.look_for_temporal)
            if number % ROUNDS_PER_ROLL_CALL == 0:
                await self._outlive(self.call_the_roll)
                await self._outlive(self._forget_answers)
            await self._pause(SWEEP_SECONDS)

    async def _forget_answers(self) -> None:
        await run_in_threadpool(self._answers.forget)

    async def _outlive(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except TryAgain:
            log.warning("sweep.interrupted")
        except Exception as error:  # noqa: BLE001 - a process edge: this task must outlive every fault
            log.error("sweep.failed", error=type(error).__name__)

    async def look_for_temporal(self) -> None:
        """Call the roll at once where runs may be lost: at the start, after an absence, in another memory."""
        memory = await self._runs.memory()
        if memory is None:
            self._notice_absence()
            return
        if self._is_roll_due or memory != self._memory:
            await self.call_the_roll(quiet_seconds=0)
            self._is_roll_due, self._memory = False, memory

    async def call_the_roll(self, quiet_seconds: float = QUIET_SECONDS_MIN) -> None:
        """Start a run for every unfinished refund that has none: its history was lost, or somebody ended it."""
        unfinished = await run_in_threadpool(self._news.unfinished, quiet_seconds)
        if not unfinished:
            return
        running = await self._runs.running()
        for refund_id, ticket in unfinished:
            if refund_id not in running and await self._tell_one(refund_id, ticket):
                log.warning("run.started_again", refund_id=refund_id)

    async def sweep(self) -> None:
        """Do one round, bounded by the ledger's list; a Temporal that is away ends it with `TryAgain`."""
        await self._write_told()
        try:
            for news in await run_in_threadpool(self._news.untold, NEWS_SECONDS_MIN):
                if await self._tell_one(news.refund_id, news.ticket):
                    self._told.put(news)
                    log.info("news.told", refund_id=news.refund_id)
        finally:
            await self._write_told()

    async def _write_told(self) -> None:
        told = [self._told.get_nowait() for _ in range(self._told.qsize())]  # this task alone takes from it
        if told:
            await run_in_threadpool(self._news.told, told)

    async def _tell_one(self, refund_id: str, ticket: TicketRef) -> bool:
        """Tell one refund; its own fault keeps no other waiting, a Temporal that is away is `TryAgain`."""
        try:
            await self._runs.tell(refund_id, ticket)
        except TryAgain:
            self._notice_absence()
            raise
        except Exception as error:  # noqa: BLE001 - one refund's fault must not keep the others waiting
            log.error("news.refused", refund_id=refund_id, error=type(error).__name__)
            return False
        self._is_away = False
        return True

    def _notice_absence(self) -> None:
        self._is_away = self._is_roll_due = True
