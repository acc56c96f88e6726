"""A running Stripe simulator, fresh for each test."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.devstack.simulator import Simulator


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("stripe") / "simulator.sqlite")
    simulator.start()
    yield simulator
    if simulator.process.poll() is None:
        simulator.stop(signal.SIGKILL)


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    # One process for all tests: a test that killed it and failed does not take the others with it.
    if running.process.poll() is not None:
        running.start()
    running.post("reset")
    return running


@pytest.fixture
def client(simulator: Simulator) -> Any:
    return simulator.client()
