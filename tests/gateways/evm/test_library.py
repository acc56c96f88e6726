"""What the library would do by itself and must not: follow links of contracts, look names up, send again."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from eth_abi.abi import encode
from web3 import HTTPProvider, Web3
from web3.exceptions import MultipleFailedRequests, Web3ValidationError
from web3.types import Wei

from devstack.chain import wallet
from domain.errors import NeedsOperator
from domain.transfers import SendAnswer
from gateways.evm.chain import EvmChain
from tests.gateways.evm.local_chain import DEPOSIT_WEI, LocalChain
from tests.gateways.evm.payouts import outgoing, transfer
from tests.gateways.evm.unreliable import UnreliableEndpoint

OFFCHAIN_LOOKUP = bytes.fromhex("556f1830")  # EIP-3668, OffchainLookup(address,string[],bytes,bytes4,bytes)


@pytest.fixture
def lure() -> Iterator[socket.socket]:
    """An address on which somebody waits for whoever follows a link."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.2)
        yield listener


def was_followed(lure: socket.socket) -> bool:
    try:
        connection, _ = lure.accept()
    except TimeoutError:
        return False
    with closing(connection):
        return True


def reverting_with(data: bytes) -> str:
    """Return code that reverts with these bytes: they stand behind it, copied to memory."""
    size = len(data).to_bytes(2, "big").hex()
    return "0x61" + size + "600e6000" + "3961" + size + "6000fd" + data.hex()


def test_link_that_a_receiver_hands_out_is_not_followed(
    receiver: str, chain: EvmChain, local: LocalChain, lure: socket.socket
) -> None:
    # Written so, a loopback address passes the library's own filter.
    link = f"https://[::ffff:127.0.0.1]:{lure.getsockname()[1]}/{{sender}}/{{data}}"
    fields = encode(["address", "string[]", "bytes", "bytes4", "bytes"], [receiver, [link], b"", b"\x00" * 4, b""])
    local.set_code(receiver, reverting_with(OFFCHAIN_LOOKUP + fields))

    with pytest.raises(NeedsOperator, match="refuses to be paid"):
        chain.terms(outgoing(receiver))

    assert not was_followed(lure)
    assert links_followed_by_the_library(local, receiver), "the lure must be one, or the test proves nothing"


def links_followed_by_the_library(local: LocalChain, to: str) -> list[str]:
    followed: list[str] = []

    def refuse(link: str) -> None:
        followed.append(link)
        raise Web3ValidationError("not in a test")

    provider = HTTPProvider(local.anvil.url)
    provider.ccip_read_url_validator = refuse
    with pytest.raises(MultipleFailedRequests):
        Web3(provider).eth.call({"from": wallet().address, "to": to, "value": Wei(DEPOSIT_WEI)})
    return followed


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_bytes_are_sent_once_to_each_endpoint_whatever_it_answers(
    status: int,
    chain_of_two: EvmChain,
    pair: tuple[UnreliableEndpoint, UnreliableEndpoint],
) -> None:
    signed = chain_of_two.sign(transfer(chain_of_two))
    for endpoint in pair:
        endpoint.fails("eth_sendRawTransaction", status)

    assert chain_of_two.broadcast(signed.raw) == SendAnswer.UNCLEAR
    assert [it.asked.count("eth_sendRawTransaction") for it in pair] == [1, 1]
