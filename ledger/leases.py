"""Who may send a payout now: one process at a time, for as long as it lives and no longer."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from domain.errors import TryAgain
from ledger.database import CONNECT_SECONDS_MAX, Database

TAKEN_AFTER_SECONDS = 2.0

Lease = Callable[[str, int], AbstractContextManager[None]]


def leases(database: Database) -> Lease:
    """Return `lease(refund_id, attempt)`, which keeps everybody else from sending that payout while it is open.

    It is kept by the operating system, or by the server's end of a connection, and not by a time: whoever stands
    still keeps it, so that nobody acts in their place and is surprised when they wake; whoever dies has given it
    back. It raises `TryAgain` where another has it. A lease on PostgreSQL is lost when the server ends while its
    holder stands still: then only the processor's own guards are left.
    """
    if not database.is_sqlite:
        return _by_server(database)
    if not database.url.database or database.url.database == ":memory:":
        raise ValueError("A database in memory has no leases.")
    return _by_file(Path(f"{database.url.database}.leases"))


def _by_server(database: Database) -> Lease:
    """On PostgreSQL, in a transaction of its own: behind a pooler no other lock stays with one who asked for it."""
    # A connection for each: taken from those for writing, leases could leave none to write what they are for.
    engine = create_engine(
        database.url,
        hide_parameters=True,
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS_MAX},
    )

    @contextmanager
    def lease(refund_id: str, attempt: int) -> Iterator[None]:
        try:
            connection = engine.connect()
        except DBAPIError as error:
            raise TryAgain(f"the database did not answer ({type(error.orig).__name__})") from None
        try:
            try:
                # Who stands still must not lose it.
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                ask = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
                is_mine = connection.scalar(ask, {"name": f"send/{refund_id}/{attempt}"})
            except DBAPIError as error:
                raise TryAgain(f"the database did not answer ({type(error.orig).__name__})") from None
            if not is_mine:
                raise _taken(refund_id, attempt)
            yield
        finally:
            connection.invalidate()  # ends it, also where the server is gone
            connection.close()

    return lease


def _by_file(folder: Path) -> Lease:
    """Beside a SQLite file, which only processes of one machine share: the kernel keeps it."""

    @contextmanager
    def lease(refund_id: str, attempt: int) -> Iterator[None]:
        folder.mkdir(exist_ok=True)
        file = folder / f"{refund_id}-{attempt}"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _taken(refund_id, attempt) from None
            if not _is_still(file, descriptor):
                raise _taken(refund_id, attempt)
            try:
                yield
            finally:
                file.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    return lease


def _is_still(file: Path, descriptor: int) -> bool:
    """Tell whether a file has its name yet: who had the lease before takes it away, and then it keeps nobody out."""
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _taken(refund_id: str, attempt: int) -> TryAgain:
    return TryAgain(
        f"Another worker is sending attempt {attempt} of {refund_id}, or stands still with it.",
        after_seconds=TAKEN_AFTER_SECONDS,
    )
