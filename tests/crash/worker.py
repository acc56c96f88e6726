"""The product's own worker with crash points around its parts: `python -m tests.crash.worker`.

It reads the product's environment, and `CRASH_FOLDER`, where points are armed and passages written down. Started
so it is one worker. With `--nursery` it loads the code once and then forks a worker for every line that it reads,
which takes a tenth of a second instead of three; it prints `started PID` and `ended PID STATUS`, and when its
input ends, it kills them all.
"""

import ctypes
import os
import selectors
import signal
import sys
import traceback
from pathlib import Path

import worker
from config import Settings
from tests.crash.points import Crossing
from tests.crash.wrapping import wrap

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def work(number: int = 0) -> None:
    """Be one worker until a signal comes."""
    environment = {**os.environ, "CRASH_WORKER": str(number)}
    wrap(Crossing(Path(environment["CRASH_FOLDER"]), environment))
    worker.main(Settings.load())


class Nursery:
    """Forks workers on request. It runs no thread and no client itself, so that forking is safe."""

    def __init__(self) -> None:
        self._children: set[int] = set()
        self._number = 0

    def run(self) -> None:
        """Follow the lines of the standard input to their end."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(sys.stdin.fileno(), selectors.EVENT_READ, "order")
            selector.register(reader, selectors.EVENT_READ, "ended")
            while True:
                for key, _ in selector.select():
                    data = os.read(key.fd, 4096)
                    if key.data == "ended":
                        self._reap()
                    elif not data:
                        return
                    else:
                        for _ in data.splitlines():
                            self._start()

    def end(self) -> None:
        """Kill whoever is left."""
        for child in self._children:
            os.kill(child, signal.SIGKILL)

    def _start(self) -> None:
        self._number += 1
        child = os.fork()
        if child == 0:
            _become_worker(self._number)
        self._children.add(child)
        print(f"started {child}", flush=True)  # noqa: T201 - read by the crew

    def _reap(self) -> None:
        for child in list(self._children):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                self._children.discard(child)
                print(f"ended {child} {os.waitstatus_to_exitcode(status)}", flush=True)  # noqa: T201 - read by the crew


def _become_worker(number: int) -> None:
    """Never return: a child that went on would start children of its own."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        work(number)
        status = 0
    except BaseException:  # noqa: BLE001 - the edge of a process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    if "--nursery" in sys.argv:
        nursery = Nursery()
        try:
            nursery.run()
        finally:
            nursery.end()
    else:
        work()
        os._exit(0)
