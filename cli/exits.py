"""How commands end: four exit statuses, and one way to fail."""

import os
import sys
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn


class Exit(IntEnum):
    """What a script can rely on."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NOT_REACHABLE = 3


class CommandFailed(Exception):
    """Ends a command with a sentence on stderr."""

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def leave(status: int) -> NoReturn:
    """End the process at once. A Temporal client may crash the interpreter while it shuts down in good order."""
    with suppress(BrokenPipeError):  # who reads us has gone, which changes nothing about what was done
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
