"""A compiled contract on the local chain: put there, called, and asked."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eth_abi.abi import decode, encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

HERE = Path(__file__).resolve().parent
GAS = 3_000_000  # more than any of them takes; the node's own estimate may fail where the test wants a failure


class Caller(Protocol):
    """A node that signs for its own accounts, as anvil does."""

    def __call__(self, method: str, *params: Any) -> Any: ...


@dataclass(frozen=True)
class Contract:
    """One contract at its address. `sender` is always an account that the node signs for."""

    name: str
    address: str
    node: Caller

    def data(self, function: str, *values: Any) -> str:
        """Return the bytes that call a function."""
        entry = _entry(self.name, function)
        types = [_type(it) for it in entry["inputs"]]
        selector = keccak(text=f"{function}({','.join(types)})")[:4]
        return "0x" + (selector + encode(types, values)).hex()

    def send(self, function: str, *values: Any, sender: str, wei: int = 0) -> str:
        """Send a call as a chain transaction and return its hash once it is mined, whether it succeeded or not."""
        return _mined(self.node, sender, wei, to=self.address, data=self.data(function, *values))

    def ask(self, function: str, *values: Any) -> Any:
        """Return what a function answers now."""
        raw = self.node("eth_call", {"to": self.address, "data": self.data(function, *values)}, "latest")
        answers = decode([_type(it) for it in _entry(self.name, function)["outputs"]], bytes.fromhex(raw[2:]))
        return answers[0] if answers else None


def deploy(node: Caller, name: str, *, sender: str, wei: int = 0) -> Contract:
    """Put a contract on the chain; none of them takes anything but money when it is made."""
    tx_hash = _mined(node, sender, wei, data=compiled(name)["bytecode"])
    made_at = node("eth_getTransactionReceipt", tx_hash)["contractAddress"]
    return Contract(name=name, address=to_checksum_address(made_at), node=node)


def at(node: Caller, name: str, address: str) -> Contract:
    """Return a contract that stands on the chain already."""
    return Contract(name=name, address=address, node=node)


@functools.cache
def compiled(name: str) -> dict[str, Any]:
    """Read what the compiler made of a contract: `abi`, `bytecode` and `source_sha256`."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _mined(node: Caller, sender: str, wei: int, **fields: str) -> str:
    sent: str = node("eth_sendTransaction", {"from": sender, "value": hex(wei), "gas": hex(GAS), **fields})
    while node("eth_getTransactionReceipt", sent) is None:  # anvil answers a send before it has mined it
        continue
    return sent


def _entry(name: str, function: str) -> dict[str, Any]:
    entry: dict[str, Any] = next(it for it in compiled(name)["abi"] if it.get("name") == function)
    return entry


def _type(parameter: dict[str, Any]) -> str:
    found: str = parameter["type"]
    return found
