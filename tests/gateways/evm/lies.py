"""What tests of several endpoints do: pay, and let one of them say something else than the node behind it."""

import json
from collections.abc import Callable
from typing import Any

from gateways.evm.chain import EvmChain
from tests.gateways.evm.local_chain import FINALITY_BLOCKS, LocalChain
from tests.gateways.evm.payouts import transfer
from tests.gateways.evm.unreliable import UnreliableEndpoint

Pair = tuple[UnreliableEndpoint, UnreliableEndpoint]
RECEIPT, BLOCK, COUNT = "eth_getTransactionReceipt", "eth_getBlockByNumber", "eth_getTransactionCount"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def paid(chain: EvmChain, local: LocalChain) -> str:
    """Send a payout and wait until it is in a block; return its hash."""
    signed = chain.sign(transfer(chain))
    chain.broadcast(signed.raw)
    local.mined_in(signed.tx_hash)
    return signed.tx_hash


def changed(endpoint: UnreliableEndpoint, method: str, change: Callable[[list[Any], Any], Any]) -> None:
    """Let an endpoint answer a method with what `change` makes of parameters and true result."""

    def fault(body: bytes) -> tuple[int, bytes]:
        truth = json.loads(endpoint.forward(body))
        return 200, json.dumps({**truth, "result": change(json.loads(body)["params"], truth.get("result"))}).encode()

    endpoint.faults[method] = fault


def falls_behind(endpoint: UnreliableEndpoint, local: LocalChain, head: int) -> None:
    """Let an endpoint know the chain up to a block only, as a node does that imports slowly."""
    tip = local.call(BLOCK, hex(head), False)
    final = local.call(BLOCK, hex(max(head - FINALITY_BLOCKS, 0)), False)
    tags = {"latest": tip, "finalized": final}
    changed(endpoint, BLOCK, lambda params, truth: tags.get(params[0], truth if _height(params[0]) <= head else None))
    changed(endpoint, RECEIPT, lambda _, truth: truth if truth and int(truth["blockNumber"], 16) <= head else None)
    changed(
        endpoint,
        COUNT,
        lambda params, truth: truth if params[1].startswith("0x") else local.call(COUNT, params[0], hex(head)),
    )


def _height(tag: str) -> int:
    return int(tag, 16) if tag.startswith("0x") else 0
