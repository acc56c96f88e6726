"""Keeps copies of a chain's state file, because anvil empties it before each writing and may be killed in between."""

import asyncio
import json
import shutil
import time
from contextlib import suppress
from pathlib import Path

LOOK_SECONDS = 0.2
# Writing takes milliseconds; a file that has not changed for so long is whole.
REST_SECONDS = 0.2


class ChainState:
    """One state file with two copies, written in turn, so that one of them is whole at any moment.

    A copy is at most two seconds old, so what it lacks lies above everything that is final.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._copies = [file.with_name(f"{file.name}.copy{number}") for number in (1, 2)]

    def mend(self) -> None:
        """Replace a broken state by its newest whole copy; a chain that was killed before it has one begins anew."""
        if _is_whole(self.file):
            return
        self.file.unlink(missing_ok=True)
        for copy in sorted(self._copies, key=_written_at, reverse=True):
            if _is_whole(copy):
                shutil.copy2(copy, self.file)
                return

    async def keep_copies(self) -> None:
        """Copy each new state, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            written_at = _written_at(self.file)
            if written_at > max(map(_written_at, self._copies)) and time.time() - written_at > REST_SECONDS:
                # A full disk stops the chain's own writing too, and is in its log.
                with suppress(OSError):
                    shutil.copy2(self.file, min(self._copies, key=_written_at))


def _written_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _is_whole(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (OSError, ValueError):
        return False
