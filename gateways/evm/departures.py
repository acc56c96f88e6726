"""What left a wallet: its chain transactions by hash, and by nonce where the hash is not ours.

A wallet without code moves nothing without spending a nonce, so the count of nonces at the last final block says how
often anything left it; blocks need not be scanned. Finding the chain transaction behind a foreign nonce takes counts
of past blocks: a node that keeps only recent state finds recent ones, an archive node all of them.
"""

from domain.differences import SentTransfer
from gateways.evm.node import ChainTransaction, Node
from gateways.evm.settings import ChainSettings, checksummed


def read_transfer(node: Node, tx_hash: str) -> SentTransfer | None:
    """Read one chain transaction with what became of it; None where no canonical block holds it."""
    node.require_chain()
    receipt = node.receipt(tx_hash)
    if receipt is None:
        return None
    heights = node.heights()
    transaction = node.transaction(tx_hash)
    if transaction is None or not node.is_canonical(receipt.block_number, receipt.block_hash):
        return None
    return _told(transaction, receipt.block_number, receipt.status == 1, receipt.block_number <= heights.final)


def find_transfer(node: Node, settings: ChainSettings, nonce: int) -> SentTransfer | None:
    """Find what the wallet sent under a nonce, among final blocks; None where this node cannot tell any more."""
    node.require_chain()
    block_number = _block_of(node, settings.wallet, nonce, node.heights().final)
    if block_number is None:
        return None
    sent = [it for it in node.transactions_from(settings.wallet, block_number) if it.nonce == nonce]
    return read_transfer(node, sent[0].hash) if sent else None


def _block_of(node: Node, wallet: str, nonce: int, final: int) -> int | None:
    """Return the first block after which the wallet has used `nonce`.

    Looks back in steps that double, so that what is recent is found without the state of old blocks.
    """
    above, step = final, 1
    if above < 0 or not _is_used(node, wallet, nonce, above):
        return None
    while True:
        below = max(above - step, -1)
        if below < 0:
            break
        is_used = _is_used(node, wallet, nonce, below)
        if is_used is None:
            return None
        if not is_used:
            break
        above, step = below, 2 * step
    while above - below > 1:
        middle = (above + below) // 2
        is_used = _is_used(node, wallet, nonce, middle)
        if is_used is None:
            return None
        above, below = (middle, below) if is_used else (above, middle)
    return above


def _is_used(node: Node, wallet: str, nonce: int, block_number: int) -> bool | None:
    count = node.transaction_count_at(wallet, block_number)
    return None if count is None else count > nonce


def _told(transaction: ChainTransaction, block_number: int, succeeded: bool, is_final: bool) -> SentTransfer:
    return SentTransfer(
        tx_hash=transaction.hash,
        nonce=transaction.nonce,
        to=None if transaction.to is None else checksummed(transaction.to),
        amount_base_units=transaction.value,
        succeeded=succeeded,
        is_final=is_final,
        block_number=block_number,
    )
