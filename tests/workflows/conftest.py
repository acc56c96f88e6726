"""The time-skipping server, a migrated database each, and the house around a refund."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from domain.policy import Policy
from ledger import migrate
from ledger.database import Database
from tests.workflows.house import House, make_policy
from workflows import attributes


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "empty.sqlite"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Database:
    copy = tmp_path / "refunds.sqlite"
    copy.write_bytes(migrated.read_bytes())
    return Database(f"sqlite:///{copy}")


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=_test_server(), data_converter=pydantic_data_converter
    ) as env:
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=env.client.namespace,
                search_attributes={
                    key.name: getattr(
                        IndexedValueType,
                        f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}",
                    )
                    for key in attributes.ALL
                },
            )
        )
        yield env


def _test_server() -> str:
    return str(Path(sys.executable).parent / "temporal-test-server")


@pytest.fixture
def policy() -> Policy:
    return make_policy()


@pytest.fixture
async def house(env: WorkflowEnvironment, database: Database, policy: Policy) -> AsyncIterator[House]:
    house = House(env, database, policy)
    async with house.worker():
        yield house
    database.close()
