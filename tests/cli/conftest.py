"""One installation with a running API for all command-line tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import CALLERS, Shell
from tests.ledger.scene import Scene


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("installation"))
    shell.serve("--migrate")
    scene = shell.scene()
    for name, role in CALLERS.items():
        scene.clients.add(name, role, actor="setup", token=f"rfd_{name}_token")
    scene.database.close()
    yield shell
    shell.stop()


@pytest.fixture
def scene(shell: Shell) -> Iterator[Scene]:
    """The ledger behind the API."""
    scene = shell.scene()
    yield scene
    scene.database.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Shell:
    """An installation on which nothing was done yet."""
    return Shell(tmp_path)
