"""The tokens of the local chain: one like USDC and one like USDT, at the same two addresses on every chain."""

import asyncio
import json
import urllib.request
from dataclasses import dataclass
from typing import Any

import rlp  # type: ignore[import-untyped]  # it brings no types
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from devstack import chain
from devstack.contracts import contract
from devstack.processes import Condition

DECIMALS = 6
OWNED_AT_FIRST = 10**6 * 10**DECIMALS  # by the wallet and by the depositor, in base units
NO_CODE = "0x"
CALL_SECONDS_MAX = 10.0


@dataclass(frozen=True)
class LocalToken:
    """One token: `nonce` of its maker decides its address."""

    symbol: str
    contract: str
    blacklist: str
    nonce: int

    @property
    def address(self) -> str:
        maker = bytes.fromhex(_maker().removeprefix("0x"))
        return str(to_checksum_address(keccak(rlp.encode([maker, self.nonce]))[12:]))


TOKENS = (
    LocalToken("USDC", "UsdcLike", "isBlacklisted", 0),
    LocalToken("USDT", "UsdtLike", "isBlackListed", 1),
)


def with_tokens(serves: Condition, rpc: str) -> Condition:
    """Return a condition that also puts the tokens on the chain where they are not there yet."""

    async def ready(pid: int) -> bool:
        return await serves(pid) and await asyncio.to_thread(put, rpc)

    return ready


def put(rpc: str) -> bool:
    """Put the missing tokens on the chain and hand out some; a chain that began anew has forgotten them."""

    def node(method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        request = urllib.request.Request(  # noqa: S310 - our own address, on the loopback interface
            rpc, body.encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=CALL_SECONDS_MAX) as answer:  # noqa: S310 - as above
            return json.load(answer)["result"]

    try:
        for token in TOKENS:
            if node("eth_getCode", token.address, "latest") == NO_CODE:
                _put(node, token)
    except (OSError, KeyError):  # the node went away, or began anew meanwhile: it is asked again
        return False
    return True


def _put(node: contract.Caller, token: LocalToken) -> None:
    fields = {"from": _maker(), "gas": hex(contract.GAS)}
    code = contract.compiled(token.contract)["bytecode"]
    node("eth_sendTransaction", {**fields, "data": code, "nonce": hex(token.nonce)})
    node("evm_mine")
    made = contract.at(node, token.contract, token.address)
    for number, owner in enumerate((chain.wallet().address, chain.depositor().address)):
        handed = {"to": token.address, "data": made.data("mint", owner, OWNED_AT_FIRST)}
        node("eth_sendTransaction", {**fields, **handed, "from": chain.account(_HANDS[number]).address})
    node("evm_mine")


_MAKER, _HANDS = 7, (8, 9)  # accounts of the test mnemonic that do nothing else, so that nonces stay as they must


def _maker() -> str:
    return str(chain.account(_MAKER).address)
