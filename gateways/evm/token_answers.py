"""What a token says of itself, asked before anybody is paid in it: whom it froze, whether it pauses, what it keeps.

Simulating a transfer does not show all of this: a token like USDT pays a frozen receiver without an error, and the
money can never be moved again.
"""

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from domain.errors import NeedsOperator
from domain.refunds import StatusReason
from gateways.evm.node import Node
from gateways.evm.reasons import SENDER_IS_FROZEN, TOKEN_IS_PAUSED, TOKEN_TAKES_A_FEE, WALLET_IS_FROZEN
from gateways.evm.settings import ChainSettings, Token

WORD = 2 * 32  # hexadecimal digits of 32 bytes
_SYMBOL_LENGTH_MAX = 16


def obstacles(node: Node, settings: ChainSettings, token: Token, sender: str) -> list[str]:
    """Name what the token itself has against paying `sender` from the wallet now."""
    found = []
    if token.blacklist is not None:
        if _is_listed(node, token, sender):
            found.append(SENDER_IS_FROZEN)
        if _is_listed(node, token, settings.wallet):
            found.append(WALLET_IS_FROZEN)
    if _number(node, token, "paused()"):  # USDT and USDC alike, OpenZeppelin's Pausable
        found.append(TOKEN_IS_PAUSED)
    if _number(node, token, "basisPointsRate()"):  # USDT: the part of each transfer that its owner keeps
        found.append(TOKEN_TAKES_A_FEE)
    return found


def imitated(node: Node, settings: ChainSettings, contract: str) -> str | None:
    """Return the listed symbol that a contract calls itself by; its own text is never shown to anybody."""
    answer = node.answer_of(contract, "0x" + selector("symbol()"))
    try:
        (symbol,) = decode(["string"], bytes.fromhex((answer or "0x")[2:]))
    except (DecodingError, ValueError, OverflowError):
        return None
    said = str(symbol)[:_SYMBOL_LENGTH_MAX].strip().lower()
    return next((token.symbol for token in settings.tokens if token.symbol.lower() == said), None)


def selector(function: str) -> str:
    """Return the first four bytes of a call, without 0x."""
    return keccak(text=function)[:4].hex()


def _is_listed(node: Node, token: Token, address: str) -> bool:
    found = _number(node, token, f"{token.blacklist}(address)", address)
    if found is None:
        raise NeedsOperator(
            StatusReason.FACTS_UNAVAILABLE,
            f"{token.symbol} at {token.address} does not answer {token.blacklist}; the chains file is wrong.",
        )
    return found != 0


def _number(node: Node, token: Token, question: str, *addresses: str) -> int | None:
    """Ask for a number or a yes; None where the token has no such question."""
    data = "0x" + selector(question) + "".join(it[2:].lower().rjust(WORD, "0") for it in addresses)
    answer = node.answer_of(token.address, data)
    return int(answer, 16) if answer is not None and len(answer) == len("0x") + WORD else None
