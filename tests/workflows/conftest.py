"""The time-skipping server, a migrated database each, and the house around a refund."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.plugin import SimplePlugin
from temporalio.testing import WorkflowEnvironment

from domain.policy import Policy
from ledger.database import Database
from tests.statements import keep_statements
from tests.workflows.house import Clock, House, make_policy, time_skipping_server, write_ledger


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prepared") / "refunds.sqlite"
    write_ledger(path)
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(prepared: Path, tmp_path: Path, clock: Clock) -> Iterator[Database]:
    copy = tmp_path / "refunds.sqlite"
    copy.write_bytes(prepared.read_bytes())
    database = keep_statements(Database(f"sqlite:///{copy}", clock))
    yield database
    database.close()


@pytest.fixture
def plugins() -> list[SimplePlugin]:
    """Return what changes the worker; a file of tests may have its own."""
    return []


@pytest.fixture
async def env(plugins: list[SimplePlugin]) -> AsyncIterator[WorkflowEnvironment]:
    """Start a server for this test alone: skipped time is global in it."""
    async with time_skipping_server(*plugins) as env:
        yield env


@pytest.fixture
def policy() -> Policy:
    """Return the policy of the house; a test asks for another one by `@pytest.mark.parametrize("policy", …)`."""
    return make_policy()


@pytest.fixture
def stage(env: WorkflowEnvironment, database: Database, clock: Clock, policy: Policy) -> House:
    """Return a house whose worker does not run: the test starts and stops it."""
    return House(database, clock, policy, env)


@pytest.fixture
async def house(stage: House) -> AsyncIterator[House]:
    async with stage.worker():
        yield stage
