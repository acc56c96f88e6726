"""The connection to our database: SQLite by default, PostgreSQL by URL, the same behaviour on both."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import Session

from domain.changes import Change, Listener
from domain.errors import TryAgain
from ledger import changes
from ledger.tables import AuditHead

WAIT_SECONDS_MAX = 30.0  # for whoever writes before us; shorter than any step of a run may take
CONNECT_SECONDS_MAX = 5
# Who hangs inside a database transaction loses it, and with it the lock that every other writer waits for.
IDLE_SECONDS_MAX = 60
# SQLite's own wait looks ever more rarely, up to every 100 ms, and so loses every turn to a busier process.
TURN_POLL_SECONDS = 0.001

Clock = Callable[[], datetime]

_ROWS = "rows"

logger = logging.getLogger("refunds.ledger")


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


class Database:
    """One database. Construction connects to nothing; `clock` exists so that tests can move time."""

    def __init__(self, url: str, clock: Clock = utc_now, wait_seconds_max: float = WAIT_SECONDS_MAX) -> None:
        self.url = make_url(url)
        self.now = clock
        self.listeners: list[Listener] = []
        """Told of every change once it is committed, and of none that is rolled back."""
        build = _sqlite_engine if self.is_sqlite else _postgresql_engine
        self.engine = build(self.url, wait_seconds_max)
        self._wait_seconds_max = wait_seconds_max
        self._turn = threading.RLock()

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that changes nothing."""
        with _translated(), Session(self.engine, expire_on_commit=False) as session:
            if not self.is_sqlite:
                session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction in which nobody else writes: it commits whole, or not at all.

        Writers take turns: SQLite by BEGIN IMMEDIATE, PostgreSQL by a lock on the audit chain's head,
        which every change extends anyway. What is read inside is the latest there is.
        """
        writer = self.engine.execution_options(writes=True)
        with self._in_turn(), _translated(), _Turn(writer, expire_on_commit=False) as session:
            session.scalars(select(AuditHead).where(AuditHead.id == 1).with_for_update()).one()
            yield session
            session.commit()
            told = changes.kept(session)
        for change in told:
            self._tell(change)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let one thread of this process ask for the lock, so that only processes compete for it.

        A cancelled step is interrupted anywhere, also between getting the turn and the next line. So only the lock
        itself knows whether the turn is ours to give back; a turn that is lost would stop every later writer here.
        """
        try:
            if not self._turn.acquire(timeout=self._wait_seconds_max):
                raise TryAgain("the database is busy with other writers")
            yield
        finally:
            try:  # noqa: SIM105 - the fewer steps, the fewer in which it could be interrupted once more
                self._turn.release()
            except RuntimeError:  # so the lock says that this thread does not have it
                pass

    def _tell(self, change: Change) -> None:
        for listener in self.listeners:
            try:
                listener(change)
            except Exception as error:  # noqa: BLE001 - what is committed must not be reported as failed
                logger.error("listener.failed", extra={"change": change.event, "error": type(error).__name__})

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


class _Turn(Session):
    """A session in which nobody else writes: what it read stays true, so it is read once.

    The library forgets each row that nobody refers to, and would read the head of the trail anew for every entry.
    """

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        """Find a row by its key. Only new rows of its own kind are written first: no other change can hide it."""
        if any(isinstance(row, entity) for row in self.new):
            return super().get(entity, ident, **options)
        with self.no_autoflush:
            return super().get(entity, ident, **options)


@event.listens_for(_Turn, "loaded_as_persistent")
@event.listens_for(_Turn, "pending_to_persistent")
def _keep(session: Session, row: object) -> None:
    session.info.setdefault(_ROWS, []).append(row)


@contextmanager
def _translated() -> Iterator[None]:
    """A database that is away or busy is a matter of time; everything else is a bug and stays visible."""
    try:
        yield
    except NoConnectionLeft:
        raise TryAgain("the database has no connection left") from None
    except DBAPIError as error:
        # Deadlocks, lock time-outs and shutdowns are subclasses of the driver's operational error.
        if not (error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)):
            raise
        raise TryAgain(f"the database did not answer ({type(error.orig).__name__})") from None


def _postgresql_engine(url: URL, wait_seconds_max: float) -> Engine:
    limits = {"lock_timeout": wait_seconds_max, "idle_in_transaction_session_timeout": IDLE_SECONDS_MAX}
    options = "".join(f" -c {name}={round(seconds * 1000)}" for name, seconds in limits.items())
    given = url.query.get("options", "")  # what the address says itself comes last, so that it holds
    return create_engine(
        url,
        hide_parameters=True,  # errors travel into Temporal's history, and must not carry a statement's values
        pool_pre_ping=True,
        pool_timeout=wait_seconds_max,
        connect_args={"connect_timeout": CONNECT_SECONDS_MAX, "options": f"{options} {given}"},
    )


def _sqlite_engine(url: URL, wait_seconds_max: float) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # The driver's own BEGIN is deferred: two readers that both turn writers would deadlock. We begin ourselves.
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_timeout=wait_seconds_max,
        connect_args={"timeout": wait_seconds_max, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writes", False):
            _begin_in_turn(connection, wait_seconds_max)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin_in_turn(connection: Connection, wait_seconds_max: float) -> None:
    """Begin to write as soon as no other process does; raise SQLite's own error when the wait is over."""
    sqlite = connection.connection.driver_connection
    if sqlite is None:
        raise AssertionError("a connection that begins is open")
    deadline = time.monotonic() + wait_seconds_max
    sqlite.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < deadline:
            with _unless_busy():
                sqlite.execute("BEGIN IMMEDIATE")
                return
            time.sleep(TURN_POLL_SECONDS)
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        sqlite.execute(f"PRAGMA busy_timeout={round(wait_seconds_max * 1000)}")


@contextmanager
def _unless_busy() -> Iterator[None]:
    """Pass over SQLite's word that somebody else is writing."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
