"""Nonces for groups of queued payouts: each quoted and tried dry first, then all signed and stored together."""

from collections.abc import Iterator, Sequence
from itertools import repeat

from activities.outbox import Chain, Signing
from domain.errors import NeedsOperator, TryAgain
from domain.money import NATIVE
from domain.outbox import QueuedPayout, QuotedPayout, SignAnswer
from domain.transfers import TransferTerms, WalletView

Obstacle = NeedsOperator | TryAgain | None


def groups_to_try(waiting: Sequence[QueuedPayout], places: int, turn: int) -> Iterator[Sequence[QueuedPayout]]:
    """Name the oldest that wait, as many as have places, and for the places that they leave free others by turns.

    The oldest may wait for long, as those of a token that its owner has paused do, and must not stop everybody else.
    """
    yield waiting[:places]
    others = waiting[places:]
    if others:
        begin = turn * places % len(others)
        yield [*others[begin:], *others[:begin]][:places]


def ask_for_nonces(
    chain: Chain, signing: Signing, waiting: Sequence[QueuedPayout], view: WalletView
) -> list[SignAnswer]:
    """Return what came of each, in their order: what keeps one of them from going must not stop the others."""
    quotes = chain.quotes([it.outgoing for it in waiting], view)
    tokens = {it.outgoing.asset for it in waiting} - {NATIVE}
    balances = {asset: _token_balance(chain, asset) for asset in tokens}
    obstacles: list[Obstacle] = []
    quoted: list[QuotedPayout] = []
    for queued, quote in zip(waiting, quotes, strict=True):
        balance = balances.get(queued.outgoing.asset)
        if not isinstance(quote, TransferTerms):
            obstacles.append(quote)
        elif isinstance(balance, TryAgain):
            obstacles.append(balance)
        else:
            obstacles.append(None)
            quoted.append(QuotedPayout(queued=queued, terms=quote))
    known = {asset: it for asset, it in balances.items() if isinstance(it, int)}
    answers = _signed(chain, signing, quoted, view, known)
    return [obstacle or next(answers) for obstacle in obstacles]


def _signed(
    chain: Chain, signing: Signing, quoted: Sequence[QuotedPayout], view: WalletView, balances: dict[str, int]
) -> Iterator[SignAnswer]:
    try:
        return iter(signing.sign(quoted, view, chain.sign, balances))
    except TryAgain as error:
        return repeat(error)


def _token_balance(chain: Chain, asset: str) -> int | TryAgain:
    try:
        return chain.token_balance(asset)
    except TryAgain as error:
        return error
