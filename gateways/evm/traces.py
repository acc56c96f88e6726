"""What code paid inside a chain transaction: told by a node that traces, which many providers' do not.

A trace is evidence for a person and never makes anybody payable by itself: it shows which contract handed the money
over, and the customer behind an exchange, a bridge or a payroll tool is not that contract.
"""

from dataclasses import dataclass
from typing import Any

from gateways.evm.node import Node
from gateways.evm.settings import ChainSettings, checksummed

# Only these move money: what a delegated or a static call shows as its value stays where it is.
_PAYING = frozenset(["CALL", "CREATE", "CREATE2", "SELFDESTRUCT"])
_MAKING = frozenset(["CREATE", "CREATE2"])
_BALANCES_MAX = 20  # two questions each; merchants with an address for each customer have thousands


@dataclass(frozen=True)
class Frame:
    """One call inside a chain transaction that was not undone."""

    kind: str
    sender: str
    to: str
    value: int


def read_frames(node: Node, tx_hash: str) -> list[Frame] | None:
    """Return the calls of a chain transaction that count, or None where this node cannot trace it."""
    reply = node.ask("debug_traceTransaction", tx_hash, {"tracer": "callTracer"})
    if reply.error is None and isinstance(reply.result, dict):
        return _of_tree(node, reply.result)
    reply = node.ask("trace_transaction", tx_hash)
    if reply.error is None and isinstance(reply.result, list) and reply.result:
        return _of_list(node, reply.result)
    return None


def payments_to_us(settings: ChainSettings, frames: list[Frame]) -> list[Frame]:
    """Return the calls that moved the native coin to a deposit address."""
    return [it for it in frames if it.kind in _PAYING and it.value > 0 and it.to in settings.deposit_addresses]


def was_made(frames: list[Frame], address: str) -> bool:
    """Tell whether the chain transaction itself made a contract at an address."""
    return any(it.kind in _MAKING and it.to == address for it in frames)


def gained(node: Node, settings: ChainSettings, block_number: int) -> int | None:
    """Return what code paid to our deposit addresses in a block; None where that cannot be told.

    Balances show that money came, and not who sent it: plain transfers of the block are taken off, and a block in
    which one of our addresses paid somebody tells nothing.
    """
    if len(settings.deposit_addresses) > _BALANCES_MAX:
        return None
    change = 0
    for address in settings.deposit_addresses:
        before, after = node.balance_at(address, block_number - 1), node.balance_at(address, block_number)
        if before is None or after is None:
            return None
        change += after - before
    for sent in node.transactions_between(settings.deposit_addresses, block_number):
        if sent.sender in settings.deposit_addresses:
            return None
        if sent.to in settings.deposit_addresses:
            change -= sent.value
    return change if change >= 0 else None


def _of_tree(node: Node, frame: dict[str, Any]) -> list[Frame]:
    """Read geth's callTracer: a tree, in which a frame with an error undid everything below it."""
    if frame.get("error"):
        return []
    found = [_frame(node, str(frame.get("type")), frame.get("from"), frame.get("to"), frame.get("value"))]
    for inner in frame.get("calls") or ():
        found += _of_tree(node, inner)
    return found


def _of_list(node: Node, entries: list[dict[str, Any]]) -> list[Frame]:
    """Read Parity's flat traces: an entry lies below those whose `traceAddress` begins its own."""
    undone = [tuple(it.get("traceAddress") or ()) for it in entries if it.get("error")]
    found = []
    for entry in entries:
        path, action = tuple(entry.get("traceAddress") or ()), entry.get("action") or {}
        if any(path[: len(above)] == above for above in undone):
            continue
        if entry.get("type") == "call":
            kind = str(action.get("callType")).upper()
            found.append(_frame(node, kind, action.get("from"), action.get("to"), action.get("value")))
        elif entry.get("type") == "create":
            made = (entry.get("result") or {}).get("address")
            found.append(_frame(node, "CREATE", action.get("from"), made, action.get("value")))
        elif entry.get("type") == "suicide":
            told = (action.get("address"), action.get("refundAddress"), action.get("balance"))
            found.append(_frame(node, "SELFDESTRUCT", *told))
    return found


def _frame(node: Node, kind: str, sender: Any, to: Any, value: Any) -> Frame:
    try:
        payer, receiver = (checksummed(str(it).lower()) for it in (sender, to))
    except ValueError:
        raise node.malformed() from None
    return Frame(kind, payer, receiver, 0 if value is None else node.quantity(value))
