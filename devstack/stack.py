"""The local stack: every component a process of its own, started together, watched, stopped together."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devstack.callers import DatabaseNotReady, prepare_database
from devstack.chain import AnvilMissing
from devstack.data_folder import DataFolder, FolderUnusable
from devstack.plan import Plan, WrongSurroundings
from devstack.ports import PortTaken
from devstack.processes import ProcessFailed, Program, SupervisedProcess
from devstack.readiness import new_http_client
from devstack.stack_info import StackInfo
from devstack.temporal import TemporalMissing

DATA_DIR_DEFAULT = Path(".refunds")
INFO_FILE = "stack.json"
EXIT_NOT_REACHABLE = 3

_EXPECTED = (
    AnvilMissing,
    DatabaseNotReady,
    FolderUnusable,
    PortTaken,
    ProcessFailed,
    TemporalMissing,
    WrongSurroundings,
)


class StackError(Exception):
    """The stack did not come up, or one of its processes was given up; nothing is left running."""


def up(data_dir: Path | None, as_json: bool) -> int:
    """Run the stack until SIGINT or SIGTERM, tell once where everything is, and return the exit status."""
    stack = Stack(data_dir or DATA_DIR_DEFAULT)

    def tell(info: StackInfo) -> None:
        note = f"\nLogs are in {stack.folder.logs}. Ctrl-C stops everything."
        print(info.as_json() if as_json else info.as_table() + note, flush=True)

    async def until_signal() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stack.ask_to_stop)
        await stack.run(tell)

    try:
        asyncio.run(until_signal())
    except StackError as error:
        print(error, file=sys.stderr)
        return EXIT_NOT_REACHABLE
    return 0


class Stack:
    """One stack on one data folder: `with Stack(path) as stack: stack.info.api`, or `run()` on a loop."""

    def __init__(
        self, data_dir: Path, environment: Mapping[str, str] | None = None, *, runs_worker: bool = True
    ) -> None:
        """Without `runs_worker` somebody else runs it, by the program that `worker` then names."""
        self.folder = DataFolder(data_dir)
        self.failure: StackError | None = None
        """Why it stopped by itself, if it did."""
        self.worker: Program | None = None
        """How the stack's worker is started; known once the stack is ready."""
        self._environment = environment
        self._runs_worker = runs_worker
        self._info: StackInfo | None = None
        self._running: dict[str, tuple[SupervisedProcess, asyncio.Task[None]]] = {}
        self._stop_asked = asyncio.Event()
        self._given_up: asyncio.Future[Any]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def info(self) -> dict[str, Any]:
        """Return the object that `up --json` prints, with the processes of this moment."""
        if self._info is None:
            raise RuntimeError("The stack is not ready.")
        return self._info.model_dump(mode="json")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything on a thread of its own and return when it is ready; raise `StackError`."""
        ready: Future[StackInfo] = Future()
        self._thread = threading.Thread(target=self._live, args=(ready,), name="stack", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything and return when it is stopped; a second call changes nothing."""
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join()

    def kill(self, name: str) -> None:
        """End one process at once, as a power cut would; it is started again as after any other death."""
        os.kill(self.info["pids"][name], signal.SIGKILL)

    def ask_to_stop(self) -> None:
        """Let `run()` end; from any thread."""
        if self._loop is None:
            self._stop_asked.set()
            return
        with suppress(RuntimeError):  # the loop has ended, and with it the stack
            self._loop.call_soon_threadsafe(self._stop_asked.set)

    async def run(self, on_ready: Callable[[StackInfo], None]) -> None:
        """Start everything, report once, keep it running until asked to stop; raise `StackError`.

        The thread of this loop must live as long as the stack: the processes die with it.
        """
        self._loop = asyncio.get_running_loop()
        self._given_up = self._loop.create_future()
        try:
            with self.folder.claimed():
                async with new_http_client() as http:
                    self.folder.forget(INFO_FILE)
                    outside = self._environment or os.environ
                    plan = Plan(self.folder, outside, http, runs_worker=self._runs_worker)
                    self.worker = plan.worker
                    try:
                        if await self._or_stop(self._start(plan)) and self._info is not None:
                            on_ready(self._info)
                            await self._or_stop(asyncio.Event().wait())
                    finally:
                        await self._stop_all(plan)
                        self.folder.forget(INFO_FILE)
        except _EXPECTED as error:
            raise StackError(str(error)) from error

    def _live(self, ready: "Future[StackInfo]") -> None:
        try:
            asyncio.run(self.run(ready.set_result))
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: it is raised on the one that started it
            if isinstance(error, StackError):
                self.failure = error
            if not ready.done():
                ready.set_exception(error)
        if not ready.done():
            ready.set_exception(StackError("The stack was stopped before it was ready."))

    async def _start(self, plan: Plan) -> None:
        database = asyncio.to_thread(prepare_database, plan.database_url, plan.info.tokens)
        await asyncio.gather(database, *(self._launch(program, plan) for program in plan.components))
        await asyncio.gather(*(self._launch(program, plan) for program in plan.services))
        self._publish(plan)

    async def _launch(self, program: Program, plan: Plan) -> None:
        def tell_others() -> None:
            if self._info is not None:
                self._publish(plan)

        process = SupervisedProcess(program, self.folder.logs / f"{program.name}.log", tell_others)
        life = asyncio.create_task(process.run(), name=program.name)
        life.add_done_callback(self._notice_end)
        self._running[program.name] = process, life
        await process.ready.wait()

    def _notice_end(self, life: asyncio.Task[None]) -> None:
        """Pass on that a process was given up; a life ends in no other way, unless it is stopped."""
        if not life.cancelled() and not self._given_up.done() and (error := life.exception()):
            self._given_up.set_exception(error)

    def _publish(self, plan: Plan) -> None:
        names = [program.name for program in (*plan.services, *plan.components)]
        pids = {name: self._running[name][0].pid for name in names}
        self._info = plan.info.with_pids({name: pid for name, pid in pids.items() if pid is not None})
        self.folder.write_private(INFO_FILE, self._info.as_json() + "\n")

    async def _or_stop(self, step: Coroutine[Any, Any, Any]) -> bool:
        """Wait for a step; return False when asked to stop before, raise when a process is given up."""
        doing: asyncio.Future[Any] = asyncio.ensure_future(step)
        stop: asyncio.Future[Any] = asyncio.ensure_future(self._stop_asked.wait())
        try:
            await asyncio.wait({doing, stop, self._given_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            doing.cancel()
            stop.cancel()
        if self._given_up.done():
            self._given_up.result()
        if doing.done() and not stop.done():
            await doing
            return True
        return False

    async def _stop_all(self, plan: Plan) -> None:
        """Ours first, while what they talk to is still there."""
        for programs in (plan.services, plan.components):
            lives = [self._running[program.name][1] for program in programs if program.name in self._running]
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)
