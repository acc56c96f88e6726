"""What left a wallet: its chain transactions by hash, and by nonce where the hash is not ours.

A wallet without code moves nothing without spending a nonce, so the count of nonces at the last final block says how
often anything left it; blocks need not be scanned. Finding the chain transaction behind a foreign nonce takes counts
of past blocks: a node that keeps only recent state finds recent ones, an archive node all of them.
"""

from dataclasses import dataclass, replace

from domain.differences import SentTransfer
from domain.errors import TryAgain
from domain.money import NATIVE
from gateways.evm.agreement import Answer, Endpoints
from gateways.evm.node import ChainTransaction, Node, Receipt
from gateways.evm.outcomes import transfers_from
from gateways.evm.settings import ChainSettings, checksummed


def read_transfer(endpoints: Endpoints, settings: ChainSettings, tx_hash: str) -> SentTransfer | None:
    """Read one chain transaction with what became of it; None where no endpoint has it in a block of its chain."""
    what = f"chain transaction {tx_hash}"
    answers = endpoints.ask(lambda member: _read_transfer(member.node, settings.wallet, tx_hash))
    shown = [Answer(it.member, it.value) for it in answers if it.value is not None]
    if not shown:
        return None
    absent = [it.member for it in answers if it.value is None]
    if absent:
        place = shown[0].value
        raise endpoints.absence(what, absent, place.told.block_number, place.block_hash)
    # One that is only behind calls less final: the least that is told counts.
    is_final = all(it.value.told.is_final for it in shown)
    alike = [
        Answer(it.member, _Placed(replace(it.value.told, is_final=is_final), it.value.block_hash)) for it in shown
    ]
    return endpoints.same(what, alike).told


def find_transfer(endpoints: Endpoints, settings: ChainSettings, nonce: int) -> SentTransfer | None:
    """Find what the wallet sent under a nonce, among final blocks; None where no endpoint can tell any more.

    One endpoint finds it, which takes dozens of questions; what it found is then read from all.
    """
    silence: TryAgain | None = None
    for member in endpoints.members:
        try:
            member.node.require_chain()
            tx_hash = _find(member.node, settings.wallet, nonce)
        except TryAgain as error:
            silence = error
            continue
        if tx_hash is not None:
            found = read_transfer(endpoints, settings, tx_hash)
            if found is None or found.nonce == nonce:
                return found
    if silence is not None:
        raise silence
    return None


@dataclass(frozen=True)
class _Placed:
    """A transfer and its block."""

    told: SentTransfer
    block_hash: str


def _read_transfer(node: Node, wallet: str, tx_hash: str) -> _Placed | None:
    receipt = node.receipt(tx_hash)
    if receipt is None:
        return None
    heights = node.heights()
    transaction = node.transaction(tx_hash)
    if transaction is None or not node.is_canonical(receipt.block_number, receipt.block_hash):
        return None
    is_final = receipt.block_number <= heights.final
    return _Placed(_told(wallet, transaction, receipt, is_final=is_final), receipt.block_hash)


def _find(node: Node, wallet: str, nonce: int) -> str | None:
    block_number = _block_of(node, wallet, nonce, node.heights().final)
    if block_number is None:
        return None
    sent = [it for it in node.transactions_from(wallet, block_number) if it.nonce == nonce]
    return sent[0].hash if sent else None


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


def _told(wallet: str, transaction: ChainTransaction, receipt: Receipt, *, is_final: bool) -> SentTransfer:
    """Tell what left the wallet: coins, and tokens by their own logs, whatever contract was called for it.

    Who signs one chain transaction can move several things by it; the first is told, with how many more there were.
    Where nothing left, the receiver is whoever was called, and the amount is nothing.
    """
    to = None if transaction.to is None else checksummed(transaction.to)
    moved = [(NATIVE, to, transaction.value)] if transaction.value > 0 else []
    moved += transfers_from(receipt, wallet)
    asset, receiver, amount = moved[0] if moved else (NATIVE, to, 0)
    return SentTransfer(
        tx_hash=transaction.hash,
        nonce=transaction.nonce,
        to=receiver,
        asset=asset,
        amount_base_units=amount,
        more_count=max(0, len(moved) - 1),
        succeeded=receipt.status == 1,
        is_final=is_final,
        block_number=receipt.block_number,
    )
