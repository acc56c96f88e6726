"""Answers that are not what the node said: refusals, spoiled bodies, and lies about blocks, counts and receipts."""

import json
from typing import Any

from aiohttp import web

from chaos.rpc_faults import BLOCK, CHAIN_ID, COUNT, HEAD, RECEIPT, Call, Fault, Faults

LOOKS_IN_VAIN = 3  # of a receipt that comes late
BLOCKS_BEHIND = 2
BLOCKS_AHEAD = 1000
NONCES_BEHIND = 1
ANOTHER_CHAIN = 1
TAGS = ("latest", "finalized", "safe", "pending")
PAGE = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

# What never reaches the node.
KEPT_FROM_NODE = (
    *(Fault.LOST_BEFORE, Fault.BUSY, Fault.BUSY_EMPTY, Fault.DOWN, Fault.DOWN_EMPTY),
    *(Fault.SWALLOWED, Fault.BOGUS_KNOWN, Fault.BOGUS_NONCE),
)


def told_instead(fault: Fault, tx_hash: str) -> dict[str, Any] | None:
    """Return what is answered to signed bytes that the node never gets; None where there is no such answer."""
    match fault:
        case Fault.SWALLOWED:
            return {"result": tx_hash}
        case Fault.BOGUS_KNOWN:
            return {"error": {"code": -32000, "message": "already known"}}
        case Fault.BOGUS_NONCE:
            return {"error": {"code": -32000, "message": "nonce too low"}}
        case _:
            return None


def spoiled(fault: Fault, question: dict[str, Any], answer: dict[str, Any]) -> web.Response:
    """Return an HTTP answer that holds no JSON-RPC answer, or an error in the place of one."""
    busy = {"jsonrpc": "2.0", "id": question.get("id"), "error": {"code": -32005, "message": "rate limited"}}
    match fault:
        case Fault.BUSY:
            return web.json_response(busy, status=429, headers={"Retry-After": "1"})
        case Fault.BUSY_EMPTY:
            return web.Response(status=429)
        case Fault.DOWN:
            return web.Response(status=503, text=PAGE, content_type="text/html")
        case Fault.DOWN_EMPTY:
            return web.Response(status=503)
        case Fault.HTML:
            return web.Response(text=PAGE, content_type="text/html")
        case Fault.TRUNCATED:
            whole = json.dumps(answer)
            return web.Response(text=whole[: len(whole) // 2], content_type="application/json")
        case _:
            return web.Response(content_type="application/json")


class Lies:
    """Changes results where the faults say so. Only an answer that becomes another one counts as a lie."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._late: dict[tuple[int, str], int] = {}

    def tell(self, call: Call, answer: dict[str, Any]) -> Fault | None:
        """Change the answer in place; return the lie, or None where it stays the truth."""
        result = answer["result"]
        match call.method:
            case _ if call.method == RECEIPT:
                return self._receipt(call, answer)
            case _ if call.method == COUNT and int(result, 16) >= NONCES_BEHIND:
                return self._replace(call, answer, {Fault.STALE_NONCE: hex(int(result, 16) - NONCES_BEHIND)})
            case _ if call.method == CHAIN_ID:
                return self._replace(call, answer, {Fault.OTHER_CHAIN: hex(ANOTHER_CHAIN)})
            case _ if call.method == HEAD:
                return self._replace(call, answer, _heads(int(result, 16)))
            case _ if call.method == BLOCK and result is not None and call.params[0] in TAGS:
                heads = _heads(int(result["number"], 16))
                return self._replace(
                    call, answer, {fault: {**result, "number": number} for fault, number in heads.items()}
                )
        return None

    def _receipt(self, call: Call, answer: dict[str, Any]) -> Fault | None:
        if answer["result"] is None:
            return None
        key = call.endpoint, call.key
        if key not in self._late:
            is_late = self._faults.after(call, (Fault.RECEIPT_LATE,)) is not None
            self._late[key] = LOOKS_IN_VAIN if is_late else 0
        if self._late[key] > 0:
            self._late[key] -= 1
            answer["result"] = None
            return Fault.RECEIPT_LATE
        return self._replace(call, answer, {Fault.RECEIPT_NULL: None})

    def _replace(self, call: Call, answer: dict[str, Any], lies: dict[Fault, Any]) -> Fault | None:
        lie = self._faults.after(call, tuple(lies))
        if lie is not None:
            answer["result"] = lies[lie]
        return lie


def _heads(number: int) -> dict[Fault, str]:
    lies = {Fault.WRONG_HEAD: hex(number + BLOCKS_AHEAD)}
    if number >= BLOCKS_BEHIND:
        lies[Fault.STALE_HEAD] = hex(number - BLOCKS_BEHIND)
    return lies
