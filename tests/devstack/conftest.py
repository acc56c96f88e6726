"""A running Stripe simulator, fresh for each test."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.devstack.simulator import Simulator


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("stripe") / "simulator.sqlite")
    simulator.start()
    yield simulator
    if simulator.process.poll() is None:
        simulator.stop(signal.SIGKILL)


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.post("reset")
    return running


@pytest.fixture
def client(simulator: Simulator) -> Any:
    return simulator.client()
