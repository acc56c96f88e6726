"""How commands end: four exit statuses, one way to fail, and no failing for want of a reader."""

import io
import os
import sys
from enum import IntEnum
from typing import Any, NoReturn, TextIO


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
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(status)


def speak_on_without_a_reader() -> None:
    """Let every command do its whole work and keep its exit status though who reads it has gone, as `head` does.

    An import whose complaints nobody reads any more must not end in the middle; whoever prints need not care.
    """
    sys.stdout, sys.stderr = _patient(sys.stdout), _patient(sys.stderr)


class _Patient(io.FileIO):
    """A file whose reader may go: what is written afterwards counts as written."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def _patient(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # closed from the start, or not the process's own
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Patient(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )
