"""Gives every API test an application of its own on a migrated SQLite file."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import migrate
from ledger.database import Database
from tests.api.front import Front, enlist_callers
from tests.ledger.scene import Clock, Scene
from tests.statements import keep_statements


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger with its schema and callers, of which each test gets a copy."""
    path = tmp_path_factory.mktemp("api") / "ledger.sqlite"
    database = Database(f"sqlite:///{path}", Clock())
    migrate.upgrade(database)
    enlist_callers(database)
    database.close()
    return path


@pytest.fixture
def scene(prepared: Path, tmp_path: Path) -> Iterator[Scene]:
    shutil.copy(prepared, tmp_path / "ledger.sqlite")
    clock = Clock()
    database = keep_statements(Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}", clock))
    scene = Scene(database, clock)
    yield scene
    scene.database.close()


@pytest.fixture
def front(scene: Scene) -> Iterator[Front]:
    front = Front(scene)
    with front.client:
        yield front
