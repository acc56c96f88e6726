"""The folder that holds everything a local stack remembers: one stack at a time, secrets for its owner only."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class FolderUnusable(Exception):
    """The folder cannot be written, or another stack runs on it."""


class DataFolder:
    """The files of one stack."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep the folder for this process; the kernel gives it free when the process ends, however it ends."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            lock = (self.path / "lock").open("w")
        except OSError as error:
            raise FolderUnusable(f"{self.path} cannot be used as a data folder: {error.strerror}.") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderUnusable(
                    f"Another stack is running on {self.path}; stop it first, or name another folder with --data-dir."
                ) from None
            yield

    def write_private(self, name: str, text: str) -> Path:
        """Write a file that only its owner may read, whole or not at all."""
        path = self.path / name
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
        return path

    def remember(self, name: str, proposals: Mapping[str, str]) -> dict[str, str]:
        """Return what the file remembers; a proposal is taken, and kept from then on, where it knows nothing."""
        path = self.path / name
        known: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
        if proposals.keys() - known.keys():
            known = {**proposals, **known}
            self.write_private(name, json.dumps(known, indent=1) + "\n")
        return {key: known[key] for key in proposals}

    def forget(self, name: str) -> None:
        """Remove a file that is no longer true."""
        (self.path / name).unlink(missing_ok=True)
