"""A house without Temporal, and the steps of a refund in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.policy import Policy
from ledger.database import Database
from tests.activities.line import Line
from tests.activities.steps import Steps
from tests.workflows.house import Clock, House, make_policy, write_schema


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "empty.sqlite"
    write_schema(path)
    return path


@pytest.fixture
def policy() -> Policy:
    return make_policy()


@pytest.fixture
def house(schema: Path, tmp_path: Path, policy: Policy) -> Iterator[House]:
    copy, clock = tmp_path / "refunds.sqlite", Clock()
    copy.write_bytes(schema.read_bytes())
    database = Database(f"sqlite:///{copy}", clock)
    yield House(database, clock, policy)
    database.close()


@pytest.fixture
def steps(house: House) -> Steps:
    return Steps(house)


@pytest.fixture
def line(steps: Steps) -> Line:
    return Line(steps)
