"""The database behaves the same on both engines: whole or not at all, and a busy one is a matter of time."""

import ctypes
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, StatementError

from domain.errors import TryAgain
from ledger import audit
from ledger.database import Database
from ledger.tables import Account, AuditHead, Deposit
from tests.ledger.scene import Scene


def test_constructing_connects_to_nothing() -> None:
    Database("postgresql+psycopg://nobody@127.0.0.1:1/none").close()


def test_a_database_that_is_away_is_a_matter_of_time() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")

    with pytest.raises(TryAgain), database.read():
        pass


def test_what_fails_halfway_is_not_written_at_all(scene: Scene) -> None:
    def fail_halfway() -> None:
        with scene.database.write() as session:
            session.add(Account(id="a", username="a", status="active"))
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()

    with scene.database.read() as session:
        assert session.get(Account, "a") is None


def test_a_row_is_read_once_in_a_database_transaction_that_writes(scene: Scene) -> None:
    scene.account("a")
    with scene.database.write() as session:
        session.add(Account(id="b", username="b", status="active"))
        session.flush()
        session.get_one(Account, "a")

        asked: list[str] = []
        with listening(scene, asked):
            found = [session.get_one(Account, id).username for id in ("a", "b", "a")]
            session.get_one(AuditHead, 1)

    assert (found, asked) == (["user-a", "b", "user-a"], [])


def test_a_row_that_waits_to_be_written_is_found_by_its_key(scene: Scene) -> None:
    with scene.database.write() as session:
        session.add(Account(id="a", username="a", status="active"))

        assert session.get_one(Account, "a").username == "a"


def test_entries_of_the_trail_wait_for_the_commit_and_are_written_at_once(scene: Scene) -> None:
    scene.account("a")
    asked: list[str] = []

    with listening(scene, asked), scene.database.write() as session:
        for _ in range(3):
            audit.append(session, at=scene.database.now(), actor="billing", event="account.seen", subject="a")
            session.get(Deposit, "none")

    wrote = [it.split()[0] for it in asked if "audit" in it and not it.startswith("SELECT")]
    assert sorted(wrote) == ["INSERT", "UPDATE"]
    assert scene.audit_break() is None


def test_a_wrong_statement_is_a_bug_and_stays_visible(scene: Scene) -> None:
    if scene.database.is_sqlite:
        pytest.skip("SQLite calls a wrong statement an operational error")

    with pytest.raises(DBAPIError), scene.database.write() as session:
        session.execute(text("SELECT * FROM no_such_table"))


def test_a_lock_that_is_not_given_in_time_is_a_matter_of_time(scene: Scene) -> None:
    impatient = _second(scene, 0.05)

    with scene.database.write():
        began = time.monotonic()
        with pytest.raises(TryAgain), impatient.write():
            pass

    assert time.monotonic() - began < 10
    impatient.close()


def test_a_writer_is_not_starved_by_another_process_that_writes_without_a_pause(scene: Scene) -> None:
    busy = Path(__file__).parent / "busy_writer.py"
    url = scene.database.url.render_as_string(hide_password=False)
    patient = _second(scene, 3.0)

    command, environment = [sys.executable, str(busy), url], {"PYTHONPATH": str(busy.parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603 - ours
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            for _ in range(60):
                with patient.write():
                    pass
        finally:
            process.kill()

    patient.close()


def test_a_thread_waits_for_its_turn_no_longer_than_it_may(scene: Scene) -> None:
    impatient = _second(scene, 0.05)

    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        stack.enter_context(impatient.write())
        waiting = pool.submit(lambda: impatient.write().__enter__())
        with pytest.raises(TryAgain, match="busy"):
            waiting.result(timeout=10)

    with impatient.write():
        pass
    impatient.close()


def test_a_writer_that_is_cancelled_while_it_waits_leaves_its_turn_to_others(scene: Scene) -> None:
    class Cancelled(BaseException):
        """What Temporal raises inside a step's thread, wherever that is, when the step is cancelled."""

    begun, ended = threading.Event(), threading.Event()

    def wait_and_be_cancelled() -> None:
        begun.set()
        try:
            with scene.database.write():
                pass
        except Cancelled:
            ended.set()

    with scene.database.write():
        waiting = threading.Thread(target=wait_and_be_cancelled)
        waiting.start()
        begun.wait()
        time.sleep(0.1)  # nothing tells that a thread waits for a lock
        # It is raised when the thread next runs Python: with the turn in its hand, and nothing done yet.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(waiting.ident or 0), ctypes.py_object(Cancelled))
    waiting.join()

    assert ended.is_set()
    began = time.monotonic()
    with scene.database.write():
        assert time.monotonic() - began < 1


def test_a_limit_in_the_address_holds_against_ours(scene: Scene) -> None:
    if scene.database.is_sqlite:
        pytest.skip("an address of SQLite carries no limits")
    url = scene.database.url.update_query_dict({"options": "-c lock_timeout=1234"})
    database = Database(url.render_as_string(hide_password=False))

    with database.read() as session:
        assert session.execute(text("SHOW lock_timeout")).scalar() == "1234ms"
        assert session.execute(text("SHOW idle_in_transaction_session_timeout")).scalar() == "1min"
    database.close()


def test_who_hangs_inside_a_database_transaction_loses_it_to_the_next(scene: Scene) -> None:
    if scene.database.is_sqlite:
        pytest.skip("a process that hangs with SQLite's lock keeps it")
    url = scene.database.url.update_query_dict({"options": "-c idle_in_transaction_session_timeout=50"})
    hanging = Database(url.render_as_string(hide_password=False))

    def hang() -> None:
        with hanging.write() as session:
            with scene.database.write():
                pass  # waits until the one that hangs was cut
            session.execute(text("SELECT 1"))

    with pytest.raises(TryAgain):
        hang()
    hanging.close()


def test_more_callers_than_connections_is_a_matter_of_time(scene: Scene) -> None:
    crowded = _second(scene, 0.05)

    with ExitStack() as callers:
        for _ in range(15):
            callers.enter_context(crowded.read()).execute(text("SELECT 1"))
        with pytest.raises(TryAgain), crowded.read() as session:
            session.execute(text("SELECT 1"))

    crowded.close()


def _second(scene: Scene, wait_seconds_max: float) -> Database:
    url = scene.database.url.render_as_string(hide_password=False)
    return Database(url, wait_seconds_max=wait_seconds_max)


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))], ids=str
)
def test_moments_come_back_in_utc_to_the_microsecond(scene: Scene, zone: timezone) -> None:
    moment = datetime(2026, 11, 20, 23, 59, 59, 123456, tzinfo=zone)
    scene.funded(paid_at=moment)

    with scene.database.read() as session:
        stored = session.get_one(Deposit, "dep").paid_at

    assert (stored, stored.tzinfo) == (moment, UTC)


def test_a_moment_without_a_zone_is_never_stored(scene: Scene) -> None:
    scene.account()

    with pytest.raises(StatementError, match="aware"):
        scene.deposit(paid_at=datetime(2026, 11, 20))  # noqa: DTZ001 - the very thing to refuse


@contextmanager
def listening(scene: Scene, asked: list[str]) -> Iterator[None]:
    """Write down each statement that reaches the database."""

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(scene.database.engine, "before_cursor_execute", hear)
    try:
        yield
    finally:
        event.remove(scene.database.engine, "before_cursor_execute", hear)
