"""Keeps one child process running: started, awaited until ready, started again when it died, stopped by its pid."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devstack.ports import PortTaken, wait_until_free

# Told the pid, so that an answer of the process before it cannot be mistaken for one of this process.
Condition = Callable[[int], Awaitable[bool]]

POLL_SECONDS = 0.05
CHECK_SECONDS_MAX = 2.0  # for one question to a process; a slow answer is asked for again
QUICK_SECONDS = 5.0  # who ends sooner after being ready did not really work
QUICK_DEATHS_MAX = 5
QUICK_DEATHS_MAX_AT_FIRST = 2  # what never worked seldom gets better by repetition, and a person is waiting
PAUSE_SECONDS_FIRST = 0.1
PAUSE_SECONDS_MAX = 2.0
LOG_LINE_LENGTH_MAX = 300
_LOG_TAIL_BYTES = 8192

_GUARD = Path(__file__).with_name("guard.py")
_SENT_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)


class ProcessFailed(Exception):
    """A process did not come up or keeps ending; the sentence names its log file."""


@dataclass(frozen=True)
class Program:
    """What to run, with exactly this environment, and how to see that it is ready."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: Condition
    ports: tuple[int, ...] = ()
    before_start: Callable[[], None] = lambda: None
    """Mends what an earlier process left broken."""
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None
    """Goes on as long as the process lives."""
    ready_seconds_max: float = 60.0
    """Most of it is loading code, which takes its time where many stacks start at once."""
    stop_seconds_max: float = 10.0


class SupervisedProcess:
    """One program under supervision: `run()` is its whole life, `ready` tells that it came up once."""

    def __init__(self, program: Program, log_file: Path, on_ready: Callable[[], None] = lambda: None) -> None:
        self.program = program
        self.log_file = log_file
        self.pid: int | None = None
        """Of the process that was ready last; it changes when a process that died is replaced."""
        self.ready = asyncio.Event()
        self._on_ready = on_ready
        self._process: Process | None = None

    async def run(self) -> None:
        """Keep the program running until cancelled, then stop it; raise `ProcessFailed` when it is given up.

        Must run on a thread that lives as long as the children shall: they die with the thread that started them.
        """
        faults, shortlived = 0, 0
        try:
            while True:
                life = await self._live_once()
                faults = faults + 1 if life.is_own_fault else 0
                shortlived = shortlived + 1 if life.seconds < QUICK_SECONDS else 1
                if faults >= (QUICK_DEATHS_MAX if self.ready.is_set() else QUICK_DEATHS_MAX_AT_FIRST):
                    raise self._failed(f"ended {faults} times in a row, the last time {life.ending}")
                await asyncio.sleep(min(PAUSE_SECONDS_FIRST * 2 ** (shortlived - 1), PAUSE_SECONDS_MAX))
        finally:
            await self._stop()

    async def _live_once(self) -> "_Life":
        process = self._process = await self._spawn()
        ended = asyncio.ensure_future(process.wait())
        beside = asyncio.ensure_future(self.program.beside()) if self.program.beside else None
        try:
            is_ready = await self._wait_until_ready(process, ended)
            is_late = not is_ready and not ended.done()
            if is_late:
                await self._end_late()
            ready_at = time.monotonic()
            if is_ready:
                self.pid = process.pid
                self.ready.set()
                self._on_ready()
            status = await ended
            self._write_end(status)
        finally:
            ended.cancel()
            if beside is not None:
                beside.cancel()
        return _Life(status, time.monotonic() - ready_at if is_ready else None, is_late)

    async def _spawn(self) -> Process:
        try:
            for port in self.program.ports:
                await wait_until_free(port, self.program.name)
        except PortTaken as error:
            raise ProcessFailed(f"{error} Its log is {self.log_file}.") from None
        self.program.before_start()
        guarded = (sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), *self.program.command)
        with self.log_file.open("ab", buffering=0) as log:
            log.write(f"--- {datetime.now(UTC).isoformat()} {self.program.name} is started\n".encode())
            return await asyncio.create_subprocess_exec(
                *guarded,
                env=dict(self.program.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal goes to a whole process group; who is stopped when is decided here.
                start_new_session=True,
            )

    def _write_end(self, status: int) -> None:
        ending = f"with exit code {status}" if status >= 0 else f"by signal {-status}"
        with self.log_file.open("ab", buffering=0) as log:
            log.write(f"--- {datetime.now(UTC).isoformat()} {self.program.name} ended {ending}\n".encode())

    async def _wait_until_ready(self, process: Process, ended: asyncio.Future[int]) -> bool:
        """Return False when the process ended first, or when time ran out."""
        deadline = time.monotonic() + self.program.ready_seconds_max
        while not ended.done():
            # An answer that does not come in time is no answer; the process may be busy starting.
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS_MAX):
                    if await self.program.is_ready(process.pid):
                        return not ended.done()
            if time.monotonic() > deadline:
                return False
            await asyncio.wait({ended}, timeout=POLL_SECONDS)
        return False

    async def _end_late(self) -> None:
        """End a process that is not ready in time; the first one's lateness is for the person who started it."""
        failure = self._failed(f"was not ready within {self.program.ready_seconds_max:.0f} seconds")
        await self._stop()
        if not self.ready.is_set():
            raise failure

    async def _stop(self) -> None:
        """Ask the process to end, and end it when it does not."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self.program.stop_seconds_max):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _failed(self, what: str) -> ProcessFailed:
        last = _last_line(self.log_file)
        quoted = f', which ends with: "{last}"' if last else "."
        return ProcessFailed(f"{self.program.name} {what}; its log is {self.log_file}{quoted}")


@dataclass(frozen=True)
class _Life:
    """How a process ended, and how long it had been ready; None if it never was."""

    status: int
    ready_seconds: float | None
    is_late: bool = False

    @property
    def seconds(self) -> float:
        return self.ready_seconds or 0.0

    @property
    def is_own_fault(self) -> bool:
        """Who is killed or stopped from outside is started again, however often."""
        if self.is_late:
            return True
        if self.status in _SENT_FROM_OUTSIDE or self.seconds >= QUICK_SECONDS:
            return False
        return self.status != 0 or self.ready_seconds is None

    @property
    def ending(self) -> str:
        return f"with exit code {self.status}" if self.status >= 0 else f"by signal {-self.status}"


def _last_line(log_file: Path) -> str:
    try:
        with log_file.open("rb") as log:
            log.seek(max(0, log_file.stat().st_size - _LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip() and not line.startswith("--- ")]
    return said[-1][:LOG_LINE_LENGTH_MAX] if said else ""
