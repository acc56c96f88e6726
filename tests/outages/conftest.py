"""Stacks whose parts are killed, under a policy whose timers are short enough to be waited for."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.ports import Ports
from devstack.stack import Stack
from ledger import audit
from ledger.database import Database
from tests.outages.city import City
from tests.outages.parts import ENVIRONMENT, ROOT, TemporalServer

# Seconds and hours of production, made short: looks every second or two, a watch that looks within the test.
HASTE = """
orders_look_seconds = 1
payout_look_seconds = [1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 60]
wallet_block_seconds = 1
watch_chain_seconds = 2
"""


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("policy") / "policy.toml"
    file.write_text((ROOT / "policy.toml").read_text() + HASTE)
    return file


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    folder = tmp_path_factory.mktemp("temporal")
    ports = Ports(folder / "ports.json")
    server = TemporalServer(folder, (ports.of("temporal"), ports.of("ui"), ports.of("metrics")))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, temporal: TemporalServer, policy: Path) -> Iterator[Stack]:
    """A stack whose Temporal is the test's own, so that nobody starts it again."""
    outside = {"REFUNDS_POLICY": str(policy), "TEMPORAL_ADDRESS": temporal.address}
    with Stack(tmp_path_factory.mktemp("stack"), {**ENVIRONMENT, **outside}) as stack:
        yield stack


@pytest.fixture(scope="session")
def city(stack: Stack) -> Iterator[City]:
    city = City(stack.info)
    yield city
    city.close()


@pytest.fixture(scope="session")
def database(stack: Stack) -> Path:
    return stack.folder.path / "refunds.sqlite"


@pytest.fixture(scope="session")
def broken_trail() -> Callable[[str], str | None]:
    """Return what walks the audit trail of a database and tells where it is broken."""

    def walk(url: str) -> str | None:
        database = Database(url)
        try:
            with database.read() as session:
                return audit.verify(session)
        finally:
            database.close()

    return walk
