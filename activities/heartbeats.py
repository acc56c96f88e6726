"""Heartbeats for steps that block, so that a dead worker is noticed in seconds."""

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import activity

HEARTBEAT_SECONDS = 1.0


@contextmanager
def beating() -> Iterator[None]:
    """Beat from a second thread while the block runs."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            activity.heartbeat()

    thread = threading.Thread(target=contextvars.copy_context().run, args=(beat,), daemon=True)
    activity.heartbeat()
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
