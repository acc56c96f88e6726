"""Gives every API test an application of its own on a migrated SQLite file."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import migrate
from ledger.database import Database
from tests.api.front import Front
from tests.ledger.scene import Clock, Scene


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "ledger.sqlite"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    database.close()
    return path


@pytest.fixture
def scene(migrated: Path, tmp_path: Path) -> Iterator[Scene]:
    shutil.copy(migrated, tmp_path / "ledger.sqlite")
    clock = Clock()
    scene = Scene(Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}", clock), clock)
    yield scene
    scene.database.close()


@pytest.fixture
def front(scene: Scene) -> Iterator[Front]:
    front = Front(scene)
    with front.client:
        yield front
