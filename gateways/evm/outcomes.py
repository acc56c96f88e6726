"""What a chain transaction that stands in a block moved of the money that its payout asked for."""

from domain.money import NATIVE
from domain.transfers import Outgoing
from gateways.evm.erc20 import TRANSFER_TOPIC
from gateways.evm.node import Log, Receipt
from gateways.evm.settings import checksummed

TOPICS_OF_TRANSFER = 3
DATA_LENGTH = len("0x") + 64


def moved_otherwise(receipt: Receipt, outgoing: Outgoing) -> str | None:
    """Tell in words how what moved differs from what was asked; None where it moved just that, or failed and nothing.

    A token is believed only by its own log: one may answer false, or take a fee, and the chain transaction succeeds.
    """
    if receipt.status != 1:
        return None
    if receipt.to is not None and receipt.to != (outgoing.to if outgoing.asset == NATIVE else outgoing.asset):
        return "it is not addressed as this payout is"
    if outgoing.asset == NATIVE:
        return None
    left = [it for it in transfers_from(receipt, outgoing.wallet) if it[0] == outgoing.asset]
    if left == [(outgoing.asset, outgoing.to, outgoing.amount_base_units)]:
        return None
    if not left:
        return "the token succeeded and told of no transfer from the wallet"
    arrived = sum(amount for _, to, amount in left if to == outgoing.to)
    return (
        f"the token told of {len(left)} transfers from the wallet, {arrived} of "
        f"{outgoing.amount_base_units} base units to the receiver and "
        f"{sum(amount for _, _, amount in left) - arrived} to others"
    )


def succeeded(receipt: Receipt, outgoing: Outgoing) -> bool:
    """Tell whether it moved exactly what was asked."""
    return receipt.status == 1 and moved_otherwise(receipt, outgoing) is None


def transfers_from(receipt: Receipt, wallet: str) -> list[tuple[str, str, int]]:
    """List token, receiver and amount of every transfer out of a wallet that any token tells of, in their order."""
    return [
        (log.address, checksummed("0x" + log.topics[2][-40:]), int(log.data, 16))
        for log in receipt.logs
        if _is_transfer(log) and log.topics[1] == _topic(wallet)
    ]


def _is_transfer(log: Log) -> bool:
    return len(log.topics) == TOPICS_OF_TRANSFER and log.topics[0] == TRANSFER_TOPIC and len(log.data) == DATA_LENGTH


def _topic(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")
