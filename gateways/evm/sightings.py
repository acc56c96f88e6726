"""What the endpoints show together: the wallet and its chain, and chain transactions in blocks or in none."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from domain.errors import TryAgain
from domain.transfers import ForeignUse, Outgoing, Sighting, WalletView
from gateways.evm import outcomes
from gateways.evm.agreement import Answer, Endpoints, Member
from gateways.evm.node import Heights, Receipt

RECEIPTS_KEPT_MAX = 1024  # far more than a wallet has on their way; what is forgotten is only asked for again

Holds = Callable[[Member, int, str], bool]
"""Tells whether an endpoint's chain has this very block at this height."""


class Blocks:
    """Remembers which blocks an endpoint showed within one reading of the chain; another reading asks anew.

    Only what was found is remembered, and only after the reading's heights were told: what was final then and is
    found afterwards stays. A block that was not found is asked for again.
    """

    def __init__(self) -> None:
        self._reading = 0
        self._found: set[tuple[int, int, str]] = set()

    def of(self, reading: int) -> Holds:
        """Return what asks and remembers for one reading; for reading 0, which is none, it only asks."""
        if reading == 0 or reading != self._reading:
            self._reading, self._found = reading, set()
        found = self._found

        def holds(member: Member, number: int, block_hash: str) -> bool:
            key = (member.number, number, block_hash)
            if key not in found:
                if not member.node.is_canonical(number, block_hash):
                    return False
                found.add(key)
            return True

        return holds


@dataclass(frozen=True)
class _Known:
    """A receipt, who showed it, and whether it was final when they did."""

    receipt: Receipt
    shown_by: frozenset[int]
    was_final: bool


class Receipts:
    """Remembers the newest receipts that all endpoints showed.

    While its block stands, a receipt cannot change. It is read when it is first seen and once more when it is final,
    because that decides over money; in between, and from then on, its block alone is asked for. Who did not answer
    when it was read is asked for it.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def find(self, endpoints: Endpoints, tx_hash: str, holds: Holds, final: int) -> Receipt | None:
        """Return the receipt that all endpoints show in a block of their chain; see `find_receipt`."""
        known = self._known.get(tx_hash)
        if known is not None and (known.was_final or known.receipt.block_number > final):
            answers = endpoints.ask(lambda it: holds(it, known.receipt.block_number, known.receipt.block_hash))
            if all(it.value and it.member.number in known.shown_by for it in answers):
                return known.receipt
        answers_of_all = find_receipt(endpoints, tx_hash, holds)
        self._known.pop(tx_hash, None)
        if not answers_of_all:
            return None
        receipt, shown_by = answers_of_all[0].value, frozenset(it.member.number for it in answers_of_all)
        self._known[tx_hash] = _Known(receipt, shown_by, was_final=receipt.block_number <= final)
        if len(self._known) > RECEIPTS_KEPT_MAX:
            self._known.popitem(last=False)
        return receipt


@dataclass(frozen=True)
class _Counts:
    nonce_finalized: int
    nonce_latest: int
    nonce_pending: int
    balance: int


def heights(endpoints: Endpoints) -> tuple[Heights, int]:
    """Return the lowest heights that any endpoint tells, and up to where blocks lie twice as deep as finality."""
    answers = [it.value for it in endpoints.ask(lambda member: member.node.heights())]
    lowest = Heights(head=min(it.head for it in answers), final=min(it.final for it in answers))
    return lowest, min(it.buried for it in answers)


def view(endpoints: Endpoints, wallet: str, *, reading: int, for_signing: bool = True) -> WalletView:
    """Read the wallet; what is final must be the same everywhere, what is younger may differ.

    Pool and balance matter only to whoever assigns a nonce, so otherwise they are not asked for.

    Who is not only behind but on another chain's branch shows another block at a height that is final for all.
    """
    lowest, buried = heights(endpoints)
    if len(endpoints.members) > 1 and lowest.final >= 0:
        endpoints.agreed(f"block {lowest.final}", lambda node: node.block_hash(lowest.final))

    def counts(member: Member) -> _Counts:
        node = member.node
        final = node.transaction_count(wallet, hex(lowest.final)) if lowest.final >= 0 else 0
        latest = node.transaction_count(wallet, "latest")
        if not for_signing:
            return _Counts(final, latest, latest, 0)
        return _Counts(final, latest, node.transaction_count(wallet, "pending"), node.balance(wallet))

    answers = endpoints.ask(counts)
    final = endpoints.same(
        f"how many chain transactions of {wallet} are final in block {lowest.final}",
        [Answer(it.member, it.value.nonce_finalized) for it in answers],
    )
    return WalletView(
        nonce_finalized=final,
        nonce_latest=min(it.value.nonce_latest for it in answers),
        nonce_pending=max(it.value.nonce_pending for it in answers),
        balance_base_units=min(it.value.balance for it in answers),
        head_block=lowest.head,
        final_block=lowest.final,
        buried_block=buried,
        is_for_signing=for_signing,
        reading=reading,
    )


def find_receipt(endpoints: Endpoints, tx_hash: str, holds: Holds) -> list[Answer[Receipt]]:
    """Return the one receipt that all endpoints show in a block of their chain, nothing where none shows one.

    `TryAgain` wherever some show it and some do not: absence on one of them proves nothing.
    """
    answers = endpoints.ask(lambda member: _canonical(member, tx_hash, holds))
    shown = [Answer(it.member, it.value) for it in answers if it.value is not None]
    if not shown:
        return []
    first = shown[0].value
    absent = [it.member for it in answers if it.value is None]
    if absent:
        raise endpoints.absence(f"chain transaction {tx_hash}", absent, first.block_number, first.block_hash)
    if any(it.value != first for it in shown):
        what = f"what became of chain transaction {tx_hash}"
        raise endpoints.disagreement(what, {it.member: _told(it.value) for it in shown})
    return shown


def _canonical(member: Member, tx_hash: str, holds: Holds) -> Receipt | None:
    """Ask for the receipt, then for the block: a receipt may outlive a reorg, on a node that does not look."""
    receipt = member.node.receipt(tx_hash)
    if receipt is None or not holds(member, receipt.block_number, receipt.block_hash):
        return None
    return receipt


def _told(receipt: Receipt) -> str:
    return f"status {receipt.status} in block {receipt.block_number} {receipt.block_hash}"


def sighting(receipt: Receipt | None, outgoing: Outgoing, final_block: int, buried_block: int) -> Sighting:
    """Tell what a receipt, or none, says of a payout. The heights must be older than the receipt's own reading."""
    if receipt is None:
        return Sighting(is_mined=False)
    return Sighting(
        is_mined=True,
        block_number=receipt.block_number,
        block_hash=receipt.block_hash,
        succeeded=outcomes.succeeded(receipt, outgoing),
        moved_otherwise=outcomes.moved_otherwise(receipt, outgoing),
        is_final=receipt.block_number <= final_block,
        is_buried=receipt.block_number <= buried_block,
    )


def foreign_use(endpoints: Endpoints, wallet: str, nonce: int, tx_hashes: tuple[str, ...]) -> ForeignUse | None:
    """Prove that something else finally used a nonce; `TryAgain` where any endpoint does not answer at all."""

    def count(member: Member) -> tuple[int, Heights] | None:
        node = member.node
        node.require_chain()
        told = node.heights()
        counted = node.transaction_count(wallet, hex(told.final)) if told.final >= 0 else 0
        is_known = any(node.transaction(it) is not None or node.receipt(it) is not None for it in tx_hashes)
        return (counted, told) if counted > nonce and not is_known else None

    counts: list[tuple[int, Heights]] = []
    for _, outcome in endpoints.each(count):
        if isinstance(outcome, TryAgain):
            raise outcome
        if outcome is None:
            return None
        counts.append(outcome)
    return ForeignUse(
        nonce=nonce,
        finalized_nonces=tuple(counted for counted, _ in counts),
        final_block=max(told.final for _, told in counts),
        buried_block=min(told.buried for _, told in counts),
    )
