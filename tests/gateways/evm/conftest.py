"""One anvil per test module, mining at once, and the gateway in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.chain import Anvil, anvil_command, free_port, wallet
from devstack.keystore import write_keystore
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.local_chain import LocalChain, chain_settings
from tests.gateways.evm.shop import Shop
from tests.gateways.evm.unreliable import UnreliableEndpoint


@pytest.fixture(scope="module")
def local() -> Iterator[LocalChain]:
    port = free_port()
    with Anvil(anvil_command(port, None, block_time_seconds=None, slots_in_an_epoch=1), port) as anvil:
        yield LocalChain(anvil)


@pytest.fixture
def signer(tmp_path: Path) -> KeystoreSigner:
    keystore, password = tmp_path / "wallet.json", tmp_path / "wallet.password"
    write_keystore(keystore, password, bytes(wallet().key), "correct horse")
    return KeystoreSigner(keystore, password, wallet().address)


@pytest.fixture
def chain(local: LocalChain, signer: KeystoreSigner) -> EvmChain:
    return EvmChain(chain_settings(local.anvil.url), signer)


@pytest.fixture
def unreliable(local: LocalChain) -> Iterator[UnreliableEndpoint]:
    with UnreliableEndpoint(local.anvil.url) as endpoint:
        yield endpoint


@pytest.fixture
def chain_behind(unreliable: UnreliableEndpoint, signer: KeystoreSigner) -> EvmChain:
    """The gateway behind the endpoint that can be told to misbehave."""
    return EvmChain(chain_settings(unreliable.url), signer)


@pytest.fixture
def pair(local: LocalChain) -> Iterator[tuple[UnreliableEndpoint, UnreliableEndpoint]]:
    """Two endpoints of one chain, each of which can be told to lie."""
    with UnreliableEndpoint(local.anvil.url) as first, UnreliableEndpoint(local.anvil.url) as second:
        yield first, second


@pytest.fixture
def chain_of_two(pair: tuple[UnreliableEndpoint, UnreliableEndpoint], signer: KeystoreSigner) -> EvmChain:
    return EvmChain(chain_settings(*(it.url for it in pair)), signer)


@pytest.fixture(params=[0, 1], ids=["the first lies", "the second lies"])
def liar(pair: tuple[UnreliableEndpoint, UnreliableEndpoint], request: pytest.FixtureRequest) -> UnreliableEndpoint:
    """Each of the two endpoints in turn; the other one tells the truth."""
    return pair[request.param]


@pytest.fixture
def receiver(local: LocalChain) -> Iterator[str]:
    """An account that may get code for one test and loses it again."""
    address = local.fresh_account(6)
    yield address
    local.set_code(address, "0x")


@pytest.fixture
def usdc(local: LocalChain, signer: KeystoreSigner) -> Shop:
    return Shop(local, signer, "UsdcLike")


@pytest.fixture
def usdt(local: LocalChain, signer: KeystoreSigner) -> Shop:
    return Shop(local, signer, "UsdtLike")
