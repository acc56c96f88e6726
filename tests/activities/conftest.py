"""A house without Temporal, and the steps of a refund in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.rpc_proxy import RpcProxy
from devstack.chain import Anvil, anvil_command, free_port, wallet
from devstack.keystore import write_keystore
from domain.policy import Policy
from gateways.evm.signer import KeystoreSigner
from ledger.database import Database
from tests.activities.line import Line
from tests.activities.steps import Steps
from tests.activities.terminal import Terminal
from tests.activities.till import Town
from tests.gateways.stripe_endpoints import Simulator
from tests.statements import keep_statements
from tests.workflows.house import Clock, House, make_policy, write_ledger


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prepared") / "refunds.sqlite"
    write_ledger(path)
    return path


@pytest.fixture
def policy() -> Policy:
    return make_policy()


@pytest.fixture
def house(prepared: Path, tmp_path: Path, policy: Policy) -> Iterator[House]:
    copy, clock = tmp_path / "refunds.sqlite", Clock()
    copy.write_bytes(prepared.read_bytes())
    database = keep_statements(Database(f"sqlite:///{copy}", clock))
    yield House(database, clock, policy)
    database.close()


@pytest.fixture
def steps(house: House) -> Steps:
    return Steps(house)


@pytest.fixture
def line(steps: Steps) -> Line:
    return Line(steps)


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    """One node for all tests of a module."""
    port = free_port()
    with Anvil(anvil_command(port, None, block_time_seconds=None, slots_in_an_epoch=1), port) as anvil:
        yield anvil


@pytest.fixture
def town(node: Anvil) -> Iterator[Town]:
    """The node with nothing in it but the accounts of its beginning, and two endpoints in front of it."""
    with RpcProxy(node.url, endpoints=2, rates={}, send_rates={}, hang_seconds=0.1) as proxy:
        town = Town(node, proxy)
        town.begin_anew()
        yield town


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> KeystoreSigner:
    folder = tmp_path_factory.mktemp("keystore")
    keystore, password = folder / "wallet.json", folder / "wallet.password"
    write_keystore(keystore, password, bytes(wallet().key), "correct horse")
    return KeystoreSigner(keystore, password, wallet().address)


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("stripe") / "simulator.sqlite")
    try:
        simulator.wait_until_ready()
        yield simulator
    finally:
        simulator.stop()


@pytest.fixture
def terminal(house: House, simulator_process: Simulator) -> Iterator[Terminal]:
    """Steps against the real Stripe simulator, which has forgotten everything."""
    simulator_process.control("reset")
    terminal = Terminal(house, simulator_process)
    yield terminal
    terminal.close()
