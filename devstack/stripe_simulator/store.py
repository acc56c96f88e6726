"""The simulator's own SQLite file: one thread, one connection, one transaction per call."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from devstack.stripe_simulator.calls import Call
from devstack.stripe_simulator.records import Record

Result = TypeVar("Result")
AnyRecord = TypeVar("AnyRecord", bound=Record)

# The id of the webhook target that the process was started with.
COMMAND_LINE_TARGET = "we_command_line"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    charge TEXT,
    payment_intent TEXT,
    created INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_charge ON objects (kind, charge);
CREATE INDEX IF NOT EXISTS objects_by_payment_intent ON objects (kind, payment_intent);
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    params TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    should_retry INTEGER,
    created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS journal (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    entry TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS faults (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    method TEXT,
    path_prefix TEXT NOT NULL,
    kind TEXT NOT NULL,
    hang_seconds REAL NOT NULL,
    times INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS faults_fired (
    kind TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    times INTEGER NOT NULL,
    PRIMARY KEY (kind, endpoint)
);
CREATE TABLE IF NOT EXISTS attempts (
    endpoint TEXT NOT NULL,
    key TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (endpoint, key)
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS clock (advance_seconds INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    created INTEGER NOT NULL,
    api_version TEXT NOT NULL,
    request_id TEXT,
    idempotency_key TEXT,
    data TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS webhook_targets (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL UNIQUE,
    secrets TEXT NOT NULL,
    enabled_events TEXT NOT NULL,
    timeout_seconds REAL NOT NULL,
    tries_max INTEGER NOT NULL,
    retry_seconds REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS webhook_settings (
    held INTEGER NOT NULL,
    ordering TEXT NOT NULL,
    seed INTEGER NOT NULL,
    copies INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    target TEXT NOT NULL,
    forgery TEXT,
    status TEXT NOT NULL,
    due_at REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    tried_at REAL,
    answer_status INTEGER,
    error TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event, target);
CREATE INDEX IF NOT EXISTS deliveries_by_target ON deliveries (target, status);
CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (status, due_at);
"""


class Store:
    """The file; opened by the first call, so that making a `Store` touches nothing."""

    def __init__(
        self,
        path: Path,
        *,
        observe: "Observer",
        clock_offset_seconds: int = 0,
        settings: dict[str, object] | None = None,
    ) -> None:
        self._path = path
        self._observe = observe
        self._clock_offset_seconds = clock_offset_seconds
        # Set by each commit that changed something.
        self.changed = asyncio.Event()
        self._settings = settings or {}
        # One thread owns the connection: calls wait for each other there, while the event loop stays free
        # to see that an idempotency key is in use.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stripe-simulator-store")
        self._connection: sqlite3.Connection | None = None

    async def transaction(self, work: Callable[["Tables"], Result]) -> Result:
        """Run `work` in one database transaction; an exception undoes all of it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._run, work, loop)

    def close(self) -> None:
        """Wait for the running transaction, then close the file."""
        if self._connection is not None:
            self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    def _run(self, work: Callable[["Tables"], Result], loop: asyncio.AbstractEventLoop) -> Result:
        if self._connection is None:
            self._connection = self._open()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        changes_before = connection.total_changes
        tables = Tables(
            connection,
            observe=self._observe,
            clock_offset_seconds=self._clock_offset_seconds,
            settings=self._settings,
        )
        try:
            result = work(tables)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if connection.total_changes != changes_before:
            # From this thread, because the caller may have stopped waiting by now.
            loop.call_soon_threadsafe(self.changed.set)
        return result

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        # A commit survives the death of the process, which is what is simulated; not the loss of power.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(_SCHEMA)
        return connection


class Tables:
    """The tables inside one database transaction; `cause` is the call of the API that it carries out."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        observe: "Observer",
        clock_offset_seconds: int,
        settings: dict[str, object],
    ) -> None:
        self.connection = connection
        self.cause: Call | None = None
        self._observe = observe
        self._clock_offset_seconds = clock_offset_seconds
        self._settings = settings

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block wrote if it raises, and keep what was written before it."""
        self.connection.execute("SAVEPOINT effect")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO effect")
            raise
        finally:
            self.connection.execute("RELEASE effect")

    def offset_seconds(self) -> int:
        """Say how far the simulator's clock runs ahead of the real one."""
        (advanced,) = self.connection.execute("SELECT coalesce(sum(advance_seconds), 0) FROM clock").fetchone()
        return self._clock_offset_seconds + int(advanced)

    def now(self) -> int:
        """Read the simulator's clock, a Unix time."""
        return int(time.time()) + self.offset_seconds()

    def advance_clock(self, seconds: int) -> None:
        """Move the simulator's clock; the move outlives a restart."""
        self.connection.execute("INSERT INTO clock VALUES (?)", (seconds,))

    def setting(self, name: str, default: Any) -> Any:
        """Read a setting: as the control plane set it, else as the process was started, else the default."""
        row = self.connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return self._settings.get(name, default) if row is None else json.loads(row[0])

    def set_setting(self, name: str, value: object) -> None:
        """Keep a setting until the next reset; it outlives a restart."""
        self.connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    def add(self, record: Record) -> None:
        """Keep a new object."""
        body = asdict(record)
        self.connection.execute(
            "INSERT INTO objects (id, kind, charge, payment_intent, created, body) VALUES (?, ?, ?, ?, ?, ?)",
            (
                record.id,
                record.kind,
                body.get("charge"),
                body.get("payment_intent"),
                record.created,
                json.dumps(body),
            ),
        )
        self._observe(self, None, record)

    def replace(self, record: Record) -> None:
        """Keep the changed state of an object, which is known already."""
        before = self.find(type(record), record.id)
        if before is None:
            raise LookupError(f"{record.id} was never added")
        self.connection.execute("UPDATE objects SET body = ? WHERE id = ?", (json.dumps(asdict(record)), record.id))
        self._observe(self, before, record)

    def find(self, kind: type[AnyRecord], object_id: str) -> AnyRecord | None:
        """Read one object."""
        row = self.connection.execute(
            "SELECT body FROM objects WHERE id = ? AND kind = ?", (object_id, kind.kind)
        ).fetchone()
        return None if row is None else kind(**json.loads(row[0]))

    def select(self, kind: type[AnyRecord], *, charge: str | None = None) -> list[AnyRecord]:
        """Read all objects of a kind, or those of one charge, oldest first."""
        rows = self.connection.execute(
            "SELECT body FROM objects WHERE kind = :kind AND (:charge IS NULL OR charge = :charge) ORDER BY sequence",
            {"kind": kind.kind, "charge": charge},
        )
        return [kind(**json.loads(body)) for (body,) in rows]

    def reset(self) -> None:
        """Forget everything, the moved clock included, but not the target given on the command line."""
        for statement in (
            "DELETE FROM objects",
            "DELETE FROM idempotency",
            "DELETE FROM journal",
            "DELETE FROM faults",
            "DELETE FROM faults_fired",
            "DELETE FROM attempts",
            "DELETE FROM settings",
            "DELETE FROM clock",
            "DELETE FROM events",
            "DELETE FROM deliveries",
            "DELETE FROM webhook_settings",
            f"DELETE FROM webhook_targets WHERE id <> '{COMMAND_LINE_TARGET}'",  # noqa: S608 # our constant
            # Shuffles depend on the numbers of the rows: the same seed gives the same order after each reset.
            "DELETE FROM sqlite_sequence",
        ):
            self.connection.execute(statement)


# Told of every change inside its database transaction: the object before, or None when it is new, and after.
Observer = Callable[[Tables, Record | None, Record], None]
