"""What a token is asked and told, in the bytes of its interface (ERC-20), and how its answers are read.

Calls are written here by hand: USDT answers nothing where the standard says true, and a library that knows the
standard's interface takes that for an error.
"""

from gateways.evm.settings import checksummed

# The first four bytes of the keccak hash of each function's signature.
TRANSFER = bytes.fromhex("a9059cbb")  # transfer(address,uint256)
BALANCE_OF = bytes.fromhex("70a08231")  # balanceOf(address)
PAUSED = bytes.fromhex("5c975abb")  # paused()
IS_BLACKLISTED = {
    "isBlackListed": bytes.fromhex("e47d6060"),  # isBlackListed(address), USDT
    "isBlacklisted": bytes.fromhex("fe575a87"),  # isBlacklisted(address), USDC
}
# keccak256 of "Transfer(address,address,uint256)".
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

WORD_LENGTH = 32
_PADDING = bytes(WORD_LENGTH - 20)


def transfer_data(to: str, amount_base_units: int) -> bytes:
    """Return the bytes that move tokens of the caller to a receiver."""
    return TRANSFER + _address_word(to) + amount_base_units.to_bytes(WORD_LENGTH)


def read_transfer_data(data: bytes) -> tuple[str, int] | None:
    """Read receiver and amount back; None where the bytes are anything but one call of `transfer`."""
    if len(data) != len(TRANSFER) + 2 * WORD_LENGTH or not data.startswith(TRANSFER + _PADDING):
        return None
    to, amount = data[len(TRANSFER + _PADDING) : len(TRANSFER) + WORD_LENGTH], data[-WORD_LENGTH:]
    return checksummed("0x" + to.hex()), int.from_bytes(amount)


def question(selector: bytes, address: str | None = None) -> bytes:
    """Return the bytes that ask a token something, of an address or of itself."""
    return selector + (b"" if address is None else _address_word(address))


def read_number(answer: bytes) -> int | None:
    """Read a whole number; None where the answer is no single word, as from an address without code."""
    return int.from_bytes(answer) if len(answer) == WORD_LENGTH else None


def read_truth(answer: bytes) -> bool | None:
    """Read a truth value; None where the answer is none."""
    number = read_number(answer)
    return bool(number) if number in (0, 1) else None


def says_moved(answer: bytes) -> bool:
    """Tell whether a transfer that did not revert says that it moved the money: by true, or by saying nothing.

    The rule of OpenZeppelin's SafeERC20; that the token has code must be seen apart.
    """
    return not answer or read_truth(answer) is True


def _address_word(address: str) -> bytes:
    return _PADDING + bytes.fromhex(checksummed(address).removeprefix("0x"))
