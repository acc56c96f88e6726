"""An endpoint in trouble: whatever it does, the answer is to try again, and nothing of it leaks."""

import socket
from collections.abc import Callable

import pytest

from devstack.chain import (
    free_port,
)
from domain.errors import TryAgain
from domain.transfers import SendAnswer
from gateways.evm.chain import EvmChain
from gateways.evm.endpoint import Endpoint
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.local_chain import chain_settings, reference
from tests.gateways.evm.payouts import outgoing
from tests.gateways.evm.unreliable import UnreliableEndpoint

ASKS = {
    "check": lambda chain: chain.check(),
    "read_deposit": lambda chain: chain.read_deposit(reference("0x" + 64 * "a")),
    "terms": lambda chain: chain.terms(outgoing()),
    "view": lambda chain: chain.view(),
    "look": lambda chain: chain.look(outgoing(), "0x" + 64 * "a"),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS.keys())
def test_endpoint_that_is_down_means_try_again(ask: Callable[[EvmChain], object], signer: KeystoreSigner) -> None:
    chain = EvmChain(chain_settings(f"http://127.0.0.1:{free_port()}/secret-project-key"), signer)

    with pytest.raises(TryAgain) as caught:
        ask(chain)

    assert "secret-project-key" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert chain.broadcast(b"\x02") == SendAnswer.UNCLEAR


@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("eth_chainId", "check"),
        ("eth_getCode", "check"),
        ("eth_getTransactionReceipt", "read_deposit"),
        ("eth_getTransactionByHash", "read_deposit"),
        ("eth_feeHistory", "terms"),
        ("eth_estimateGas", "terms"),
        ("eth_getBlockByNumber", "view"),
        ("eth_getTransactionCount", "view"),
        ("eth_getBalance", "view"),
        ("eth_getTransactionReceipt", "look"),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda e, m: e.hangs_up(m), id="connection lost"),
        pytest.param(lambda e, m: e.fails(m, 429), id="too many requests"),
        pytest.param(lambda e, m: e.fails(m, 500), id="server error"),
        pytest.param(lambda e, m: e.garbles(m, b"<html>"), id="no JSON"),
        pytest.param(lambda e, m: e.garbles(m, b"[]"), id="a list"),
        pytest.param(lambda e, m: e.answers(m, {"blockHash": "12"}), id="an answer of another shape"),
        pytest.param(lambda e, m: e.answers(m, 12), id="a bare number"),
        pytest.param(lambda e, m: e.refuses(m, "limit exceeded", code=-32005), id="node error"),
    ],
)
def test_unclear_answer_means_try_again(
    method: str,
    ask: str,
    fault: Callable[[UnreliableEndpoint, str], None],
    chain_behind: EvmChain,
    unreliable: UnreliableEndpoint,
) -> None:
    fault(unreliable, method)

    with pytest.raises(TryAgain) as caught:
        ASKS[ask](chain_behind)

    assert "secret-project-key" not in str(caught.value)
    assert unreliable.asked.count(method) == 1


def test_endpoint_that_never_answers_is_given_up() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(TryAgain, match="ReadTimeout"):
            Endpoint(url, chain_name="anvil", request_seconds_max=0.1).call("eth_chainId")
