"""A crew of workers on one database: whoever dies is replaced, and each can be killed or stopped by its pid."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

from chaos.waiting import until

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS_MAX = 120.0
END_SECONDS_MAX = 20.0


class Workers:
    """Two workers, unless told otherwise, started by `start` and ended by `stop`; a run does so several times."""

    def __init__(
        self, environment: Mapping[str, str], folder: Path, *, seed: object, bug: str | None, size: int = 2
    ) -> None:
        self._folder, self._size = folder, size
        self._environment = {
            **environment,
            "PYTHONPATH": str(ROOT),
            "CRASH_FOLDER": str(folder),
            "CRASH_MODES": "kill,raise,raise",
            "CRASH_SEED": str(seed),
            **({"CHAOS_BUG": bug} if bug else {}),
        }
        self._environment.pop("REFUNDS_WORKER_METRICS_ADDRESS", None)  # one address is not for two workers
        self._pids: list[int] = []
        self._nursery: subprocess.Popen[str] | None = None
        self._is_ending = False
        self.deaths = 0
        (folder / "armed").mkdir(parents=True, exist_ok=True)

    @property
    def pids(self) -> list[int]:
        """Return who is there now."""
        return list(self._pids)

    def start(self, crash_chance: float) -> None:
        """Start the crew; at each crash point a worker dies or fails with this chance."""
        self._is_ending = False
        environment = {**self._environment, "CRASH_CHANCE": str(crash_chance)}
        with (self._folder / "workers.log").open("ab") as log:
            self._nursery = subprocess.Popen(
                [sys.executable, "-P", "-m", "chaos.worker"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )
        threading.Thread(target=self._listen, args=(self._nursery,), daemon=True).start()
        for _ in range(self._size):
            self._order()
        until(lambda: len(self._pids) == self._size, "the workers to start", READY_SECONDS_MAX)

    def stop(self) -> None:
        """End everybody at once: what they leave behind is for whoever comes next."""
        self._is_ending = True
        nursery, self._nursery = self._nursery, None
        if nursery is None:
            return
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        if nursery.stdin is not None:
            nursery.stdin.close()
        try:
            nursery.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            nursery.kill()  # its children are tied to it
            nursery.wait()
        self._pids.clear()

    def signal(self, number: signal.Signals, which: int = 0) -> int:
        """Send a signal to one of them; return its pid."""
        pids = self.pids
        pid = pids[which % len(pids)]
        os.kill(pid, number)
        return pid

    def arm(self, point: str, mode: str, subject: str) -> None:
        """Let the next worker that passes a crash point on behalf of `subject` die, fail or stop there.

        A `*` in `point` stands for whichever of several steps comes by first.
        """
        (self._folder / "armed" / f"{point}:{mode}:{subject}:1").touch()

    def waiting(self) -> list[str]:
        """List the crash points that are armed and were not passed since."""
        return sorted(it.name.split(":")[0] for it in (self._folder / "armed").iterdir())

    def disarm(self) -> None:
        """Forget every crash point that is armed."""
        for it in (self._folder / "armed").iterdir():
            it.unlink(missing_ok=True)

    @contextmanager
    def holding_fire(self) -> Iterator[None]:
        """Let nobody die at an armed point meanwhile: who was stopped there shall go on when it wakes."""
        held = self._folder / "held"
        held.mkdir(exist_ok=True)
        _move_all(self._folder / "armed", held)
        try:
            yield
        finally:
            _move_all(held, self._folder / "armed")

    def stopped_at(self, point: str) -> int | None:
        """Return the pid of the worker that stopped at a point; None while none has."""
        shots = [it for it in self.shots() if fnmatchcase(it["name"], point) and it["shot"] == "stop"]
        return int(shots[-1]["pid"]) if shots else None

    def shots(self) -> list[dict[str, str]]:
        """List the crash points that fired, oldest first."""
        journal = self._folder / "journal.jsonl"
        if not journal.exists():
            return []
        return [json.loads(it) for it in journal.read_text().splitlines() if it and '"shot": null' not in it]

    def _order(self) -> None:
        if self._nursery is not None and self._nursery.stdin is not None and not self._is_ending:
            with suppress(OSError, ValueError):  # it ends just now
                self._nursery.stdin.write("start\n")

    def _listen(self, nursery: "subprocess.Popen[str]") -> None:
        """Hear of starts and ends; whoever ends is replaced."""
        for line in nursery.stdout or ():
            word, pid = line.split()[:2]
            if word == "started":
                self._pids.append(int(pid))
            else:
                with suppress(ValueError):
                    self._pids.remove(int(pid))
                if not self._is_ending:
                    self.deaths += 1
                    self._order()


def _move_all(source: Path, target: Path) -> None:
    for it in list(source.iterdir()):
        with suppress(FileNotFoundError):  # a worker took it just now
            it.rename(target / it.name)
