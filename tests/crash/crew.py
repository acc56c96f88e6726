"""Keeps a crew of crash workers at work: replaces who died or was stopped, and wakes the stopped when due."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.crash.points import Arms, Line, Mode

ROOT = Path(__file__).resolve().parents[2]
TICK_SECONDS = 0.1
# A zombie sleeps until another worker has finished its step, or has been at it for so long (the zombie may hold
# the database, so that nobody can finish); or, so that no test hangs, until this is clearly not to come.
OVERLAP_SECONDS = 3.0
SLEEP_SECONDS_MAX = 40.0


@dataclass
class Shot:
    """A point that fired, and how long its work lay still."""

    line: Line
    taken_over: Line | None = None
    """The same step for the same subject, begun by another worker."""
    redone_at: float | None = None
    """When another worker passed the first point of that step."""
    woken_at: float | None = None
    is_over: bool = False
    """The worker that it hit is past its step, or dead."""

    @property
    def step(self) -> str:
        return self.line.name.partition(".")[0]

    def concerns(self, line: Line) -> bool:
        """Tell whether a line belongs to the work that was hit: on a chain's pump, the chain; else the refund."""
        mine, theirs = set(self.line.subjects), set(line.subjects)
        return line.name.partition(".")[0] == self.step and bool(mine & theirs)


@dataclass
class Crew:
    """Workers of a number, whatever happens to them: `with Crew(…) as crew:`."""

    environment: Mapping[str, str]
    folder: Path
    size: int = 3
    shots: list[Shot] = field(default_factory=list)
    unlisted: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.arms = Arms(self.folder)
        self.running: set[int] = set()
        self._ending = threading.Event()
        self._seen = 0

    def __enter__(self) -> Self:
        environment = {**self.environment, "CRASH_FOLDER": str(self.folder), "PYTHONPATH": str(ROOT)}
        environment.pop("REFUNDS_WORKER_METRICS_ADDRESS", None)  # one address is not for many workers
        with (self.folder / "workers.log").open("ab") as log:
            self._nursery = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.crash.worker", "--nursery"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )
        self._threads = [threading.Thread(target=it, daemon=True) for it in (self._listen, self._watch)]
        for thread in self._threads:
            thread.start()
        for _ in range(self.size):
            self._start_one()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        if self._nursery.stdin is not None:
            self._nursery.stdin.close()
        self._nursery.wait(20)
        for thread in self._threads:
            thread.join()

    @property
    def is_calm(self) -> bool:
        """Tell whether every worker that was hit is dead or past its step."""
        return all(shot.is_over for shot in self.shots)

    def _start_one(self) -> None:
        if self._nursery.stdin is not None and not self._ending.is_set():
            self._nursery.stdin.write("start\n")

    def _listen(self) -> None:
        """Hear of starts and ends; whoever ends is replaced."""
        for line in self._nursery.stdout or ():
            word, pid = line.split()[:2]
            if word == "started":
                self.running.add(int(pid))
            else:
                self.running.discard(int(pid))
                self._start_one()

    def _watch(self) -> None:
        while not self._ending.wait(TICK_SECONDS):
            lines = self.arms.journal()
            fresh, self._seen = lines[self._seen :], len(lines)
            for line in fresh:
                self._follow(line)
            for shot in self.shots:
                self._wake_if_due(shot)

    def _follow(self, line: Line) -> None:
        if line.name.startswith("unlisted"):
            self.unlisted.append(line)
        for shot in self.shots:
            if not shot.concerns(line):
                continue
            if line.pid == shot.line.pid:
                shot.is_over |= line.name.endswith(".over")
            elif line.name.endswith(".begun"):
                shot.taken_over = shot.taken_over or line
            elif not line.name.endswith(".over"):
                shot.redone_at = shot.redone_at or line.at
        if line.shot is not None:
            shot = Shot(line)
            shot.taken_over = self._already_at(shot)
            self.shots.append(shot)
            if line.shot == Mode.STOP:
                self._start_one()

    def _already_at(self, shot: Shot) -> Line | None:
        """Return where another worker had begun the step before it was hit: its beats came late on a busy machine."""
        since: dict[int, Line] = {}
        for line in self.arms.journal():
            if line.at > shot.line.at or not shot.concerns(line):
                continue
            if line.name.endswith(".begun"):
                since[line.pid] = line
            elif line.name.endswith(".over"):
                since.pop(line.pid, None)
        mine = since.pop(shot.line.pid, shot.line)
        return next((line for line in since.values() if line.at > mine.at), None)

    def _wake_if_due(self, shot: Shot) -> None:
        shot.is_over |= shot.line.pid not in self.running
        if shot.line.shot != Mode.STOP or shot.woken_at is not None:
            return
        now = time.time()
        is_finished = shot.taken_over is not None and self._has_finished(shot)
        has_overlapped = shot.taken_over is not None and now - shot.taken_over.at > OVERLAP_SECONDS
        if is_finished or has_overlapped or now - shot.line.at > SLEEP_SECONDS_MAX:
            shot.woken_at = now
            with suppress(ProcessLookupError):
                os.kill(shot.line.pid, signal.SIGCONT)

    def _has_finished(self, shot: Shot) -> bool:
        done = (it for it in self.arms.journal() if it.at > shot.line.at and it.name == f"{shot.step}.done")
        return any(it.pid != shot.line.pid and shot.concerns(it) for it in done)
