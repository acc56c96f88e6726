"""Blows against the parts of a run: every kind of them, in an order by the seed, dealt side by side in lanes."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from chaos.chance import draw, shuffled
from chaos.databases import WorkDatabase
from chaos.waiting import InVain
from chaos.workers import Workers
from devstack.stack import Stack

STOP_SECONDS = 7.0  # a worker's steps beat each second and count as dead after five
ARMED_SECONDS_MAX = 25.0
ROUNDS_AGAIN = 3
AWAY_SECONDS = 2.0
POINTS = "crash points"
POINTS_SHARE = 0.5  # what waits for somebody to pass must wait while somebody still comes
AWAKE_SECONDS = 2.0  # for who was stopped to do what it was about to do


@dataclass(frozen=True)
class Blow:
    """One thing that goes wrong. `deal` returns when it is over, and raises `InVain` where it could not be dealt."""

    kind: str
    deal: Callable[[], None]


@dataclass
class Nemesis:
    """Deals the blows of each lane one after the other, the lanes side by side."""

    seed: object
    seconds: float
    ending: threading.Event
    dealt: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)

    def start(self, lanes: Mapping[str, Sequence[Blow]]) -> list[threading.Thread]:
        """Begin; return the threads, which end with their last blow."""
        threads = [
            threading.Thread(target=self._lane, args=(name, blows), name=name, daemon=True)
            for name, blows in lanes.items()
        ]
        for thread in threads:
            thread.start()
        return threads

    def _lane(self, name: str, blows: Sequence[Blow]) -> None:
        began = time.monotonic()
        seconds = self.seconds * (POINTS_SHARE if name == POINTS else 1.0)
        left: list[Blow] = []
        for number, blow in enumerate(shuffled(blows, self.seed, name)):
            due = (number + draw(self.seed, name, number)) / len(blows) * seconds
            self.ending.wait(max(0.0, began + due - time.monotonic()))
            if not self._deal(blow):
                left.append(blow)
        for _ in range(ROUNDS_AGAIN):  # there was nothing that these could hit
            left = [blow for blow in left if not self._deal(blow)]
        self.missed.update(blow.kind for blow in left)

    def _deal(self, blow: Blow) -> bool:
        if self.ending.is_set():
            return False
        try:
            blow.deal()
        except (InVain, OSError):
            return False
        self.dealt[blow.kind] += 1
        return True


def against_processes(
    stack: Stack,
    workers: Workers,
    database: WorkDatabase,
    ending: threading.Event,
    *,
    subject: str,
    stop_point: str,
    stop_seconds: float,
    crash_points: Sequence[tuple[str, str]],
) -> list[Blow]:
    """Return the blows against processes, which every rail has; the rail names points where money is in a hand.

    A point is armed for `subject`. What is armed counts when it fires, not when it is armed.
    """

    def stop_somewhere() -> None:
        pid = workers.signal(signal.SIGSTOP, 1)
        ending.wait(STOP_SECONDS)
        _wake(pid)

    def stop_at_a_send() -> None:
        """Let a worker stand still with money in its hand while another one takes its place."""
        workers.arm(stop_point, "stop", subject)
        deadline = time.monotonic() + ARMED_SECONDS_MAX
        while (pid := workers.stopped_at(stop_point)) is None:
            if time.monotonic() > deadline or ending.wait(0.2):
                raise InVain("a worker to pass the point")
        with workers.holding_fire():
            ending.wait(stop_seconds)
            _wake(pid)
            ending.wait(AWAKE_SECONDS)

    def stop_database() -> None:
        database.stop_at_once()
        ending.wait(AWAY_SECONDS)
        database.start()

    blows = [
        Blow("worker_killed", partial(_kill, workers, 0)),
        Blow("worker_killed", partial(_kill, workers, 1)),
        Blow("worker_stopped", stop_somewhere),
        Blow("worker_stopped", stop_at_a_send),
        *(Blow("armed", partial(workers.arm, point, mode, subject)) for point, mode in crash_points),
        Blow("temporal_killed", partial(stack.kill, "temporal")),
        Blow("api_killed", partial(stack.kill, "api")),
    ]
    if database.can_be_stopped:
        blows.append(Blow("database_stopped", stop_database))
    return blows


def _kill(workers: Workers, which: int) -> None:
    workers.signal(signal.SIGKILL, which)


def _wake(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
