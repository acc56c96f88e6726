"""Starts what the gateways' tests talk to."""

from collections.abc import Iterator

import pytest

from gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_cases import gateway_at
from tests.gateways.stripe_endpoints import Proxy, Simulator


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("stripe") / "simulator.sqlite")
    try:
        simulator.wait_until_ready()
        yield simulator
    finally:
        simulator.stop()


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    simulator_process.control("reset")
    return simulator_process


@pytest.fixture
def proxy(simulator: Simulator) -> Iterator[Proxy]:
    proxy = Proxy(simulator.url)
    yield proxy
    proxy.stop()


@pytest.fixture
def gateway(simulator: Simulator) -> StripeGateway:
    return gateway_at(simulator.url)


@pytest.fixture
def proxied(proxy: Proxy) -> StripeGateway:
    return gateway_at(proxy.url)
