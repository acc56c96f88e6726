"""Waits that have an end."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.1


class InVain(Exception):
    """What was waited for did not come."""


def until(condition: Callable[[], bool], what: str, seconds_max: float, poll_seconds: float = POLL_SECONDS) -> None:
    """Return as soon as it is so; raise `InVain` when it is not in time."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() > deadline:
            raise InVain(f"waited {seconds_max:.0f} s in vain for {what}")
        time.sleep(poll_seconds)
