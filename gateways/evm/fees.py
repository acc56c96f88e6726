"""What a chain transaction pays per gas: the fee of the moment, and the raise that nodes take as a replacement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Protocol, TypeVar

from domain.transfers import TransferTerms
from gateways.evm.node import FeeHistory, Node
from gateways.evm.settings import ChainSettings

FEE_BLOCKS = 5  # about a minute on the slowest chains: long enough for a median, short enough for a spike
TIP_PERCENTILE = 50
TIP_WEI_MIN = 1_000_000  # geth's default `miner.gasprice` since 1.14; a smaller tip may never be mined
BASE_FEE_ROOM = 2  # six full blocks in a row raise the base fee by 12.5 % each, to just above twice
GAS_PRICE_ROOM_PERCENT = 25  # a legacy price is paid in full, so it leaves room for two full blocks only

# A node keeps the older of two chain transactions with one nonce unless the newer pays 10 % more in both fields
# (geth, `--txpool.pricebump`; Erigon, Nethermind and Besu by default the same). Some nodes round, so a little more.
REPLACEMENT_PERCENT_MIN = 10
RAISE_EIGHTHS = 9


@dataclass(frozen=True)
class Fees:
    """Wei per gas: what is paid at most, and how much of it may be the tip. Of a legacy price both are the same."""

    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int


def raised(terms: TransferTerms, market: Fees, caps: Fees) -> TransferTerms | None:
    """Raise both fields by an eighth, rounded up, and at least to the market; None where the caps leave too little.

    What comes back replaces the older one at every node; with None the old bytes go on being sent as they are.
    """
    fee = _next(terms.max_fee_per_gas_wei, market.max_fee_per_gas_wei, caps.max_fee_per_gas_wei)
    tip = _next(
        terms.max_priority_fee_per_gas_wei,
        market.max_priority_fee_per_gas_wei,
        min(caps.max_priority_fee_per_gas_wei, fee),
    )
    if not (_replaces(terms.max_fee_per_gas_wei, fee) and _replaces(terms.max_priority_fee_per_gas_wei, tip)):
        return None
    return terms.model_copy(update={"max_fee_per_gas_wei": fee, "max_priority_fee_per_gas_wei": tip})


class _Priced(Protocol):
    """What costs something for each gas."""

    @property
    def max_fee_per_gas_wei(self) -> int: ...


P = TypeVar("P", bound=_Priced)


def middling(quotes: Sequence[P]) -> P:
    """Return the middle one, of two the lower: one endpoint alone must not drive what we pay up to the cap."""
    return sorted(quotes, key=lambda it: it.max_fee_per_gas_wei)[(len(quotes) - 1) // 2]


class Markets:
    """Remembers what each endpoint told of fees within one reading of the chain; another reading asks anew."""

    def __init__(self, settings: ChainSettings) -> None:
        self._settings = settings
        self._reading = 0
        self._told: dict[str, Fees] = {}

    def of(self, reading: int) -> Callable[[Node], Fees]:
        """Return what asks and remembers for one reading; for reading 0, which is none, it only asks."""
        if reading == 0 or reading != self._reading:
            self._reading, self._told = reading, {}
        told = self._told

        def ask(node: Node) -> Fees:
            if node.name not in told:
                told[node.name] = market(node, self._settings)
            return told[node.name]

        return ask


def market(node: Node, settings: ChainSettings) -> Fees:
    """Ask what gets into the next blocks; the caps of the settings are not applied yet."""
    if settings.transaction_type == "legacy":
        price = -(-node.gas_price() * (100 + GAS_PRICE_ROOM_PERCENT) // 100)
        return Fees(price, price)
    history = node.fee_history(FEE_BLOCKS, TIP_PERCENTILE)
    tip = _tip(history)
    return Fees(BASE_FEE_ROOM * history.base_fee_per_gas[-1] + tip, tip)


def caps(settings: ChainSettings) -> Fees:
    """Return the most that the settings allow."""
    fee = settings.max_fee_per_gas_wei_cap
    tip = settings.max_priority_fee_per_gas_wei_cap
    return Fees(fee, fee if tip is None or settings.transaction_type == "legacy" else tip)


def _tip(history: FeeHistory) -> int:
    # Empty blocks report a tip of nothing, which says nothing about what a tip costs.
    tips = [reward[0] for reward in history.reward if reward and reward[0] > 0]
    return max(median_low(tips) if tips else 0, TIP_WEI_MIN)


def _next(old: int, market_wei: int, cap: int) -> int:
    return min(max(-(-old * RAISE_EIGHTHS // 8), old + 1, market_wei), cap)


def _replaces(old: int, new: int) -> bool:
    return new > old and 100 * new >= (100 + REPLACEMENT_PERCENT_MIN) * old
