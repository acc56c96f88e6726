"""Raising a fee by the rules of nodes that anvil does not enforce."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.transfers import SignedTransfer, TransferTerms
from gateways.evm.chain import EvmChain
from gateways.evm.fees import Fees, raised
from gateways.evm.transactions import Unsigned
from tests.gateways.evm.local_chain import chain_settings
from tests.gateways.evm.payouts import outgoing
from tests.gateways.evm.unreliable import UnreliableEndpoint

GWEI = 10**9
NO_MARKET = Fees(0, 0)
NO_CAP = Fees(2**200, 2**200)

wei = st.integers(min_value=0, max_value=10**15)


@st.composite
def some_terms(draw: st.DrawFn) -> TransferTerms:
    fee = draw(st.integers(min_value=1, max_value=10**15))
    return _terms(fee, draw(st.integers(min_value=0, max_value=fee)))


@st.composite
def some_fees(draw: st.DrawFn) -> Fees:
    fee = draw(st.integers(min_value=1, max_value=10**16))
    return Fees(fee, draw(st.integers(min_value=0, max_value=fee)))


def _terms(fee: int, tip: int) -> TransferTerms:
    return TransferTerms(gas=60_000, max_fee_per_gas_wei=fee, max_priority_fee_per_gas_wei=tip)


def _geth_replaces(old: TransferTerms, new: TransferTerms) -> bool:
    """Apply the rule of geth's pool as its source has it: more in both fields, and 110 % of both rounded down."""
    pairs = [
        (old.max_fee_per_gas_wei, new.max_fee_per_gas_wei),
        (old.max_priority_fee_per_gas_wei, new.max_priority_fee_per_gas_wei),
    ]
    return all(later > earlier and later >= earlier * 110 // 100 for earlier, later in pairs)


@given(some_terms(), some_fees(), some_fees())
def test_a_raise_replaces_the_older_one_at_geth_and_keeps_to_the_caps(
    terms: TransferTerms, market: Fees, caps: Fees
) -> None:
    new = raised(terms, market, caps)

    if new is not None:
        assert _geth_replaces(terms, new)
        assert new.gas == terms.gas
        assert new.max_fee_per_gas_wei <= caps.max_fee_per_gas_wei
        assert new.max_priority_fee_per_gas_wei <= caps.max_priority_fee_per_gas_wei
        assert new.max_priority_fee_per_gas_wei <= new.max_fee_per_gas_wei


@given(some_terms(), some_fees())
def test_a_raise_without_a_cap_is_an_eighth_rounded_up_and_at_least_the_market(
    terms: TransferTerms, market: Fees
) -> None:
    new = raised(terms, market, NO_CAP)

    assert new is not None
    assert 8 * new.max_fee_per_gas_wei >= 9 * terms.max_fee_per_gas_wei
    assert 8 * new.max_priority_fee_per_gas_wei >= 9 * terms.max_priority_fee_per_gas_wei
    assert new.max_fee_per_gas_wei >= market.max_fee_per_gas_wei
    assert new.max_priority_fee_per_gas_wei >= market.max_priority_fee_per_gas_wei or (
        new.max_priority_fee_per_gas_wei == new.max_fee_per_gas_wei
    )


@given(some_terms(), some_fees(), some_fees(), wei)
def test_a_dearer_market_and_higher_caps_never_lower_a_raise(
    terms: TransferTerms, market: Fees, caps: Fees, more: int
) -> None:
    low = raised(terms, market, caps)
    dearer = raised(terms, Fees(market.max_fee_per_gas_wei + more, market.max_priority_fee_per_gas_wei + more), caps)
    wider = raised(terms, market, Fees(caps.max_fee_per_gas_wei + more, caps.max_priority_fee_per_gas_wei + more))

    if low is not None:
        for other in (dearer, wider):
            assert other is not None
            assert other.max_fee_per_gas_wei >= low.max_fee_per_gas_wei
            assert other.max_priority_fee_per_gas_wei >= low.max_priority_fee_per_gas_wei


@given(some_terms(), some_fees())
def test_raising_again_and_again_ends_at_the_cap(terms: TransferTerms, caps: Fees) -> None:
    steps = 0
    new: TransferTerms | None = terms
    while new is not None and steps < 700:
        new, steps = raised(new, NO_MARKET, caps), steps + 1

    assert new is None


@pytest.mark.parametrize(
    ("cap", "fees"),
    [
        pytest.param(Fees(125, 125), (113, 12), id="an eighth, rounded up"),
        pytest.param(Fees(112, 12), (112, 12), id="the cap, more than a tenth above"),
        pytest.param(Fees(110, 12), (110, 12), id="the cap, just a tenth above"),
        pytest.param(Fees(109, 12), None, id="a fee cap below a tenth"),
        pytest.param(Fees(125, 10), None, id="a tip cap that leaves the tip as it is"),
    ],
)
def test_a_raise_ends_where_the_cap_leaves_less_than_a_tenth(cap: Fees, fees: tuple[int, int] | None) -> None:
    new = raised(_terms(100, 10), NO_MARKET, cap)

    assert (new and (new.max_fee_per_gas_wei, new.max_priority_fee_per_gas_wei)) == fees


def test_one_legacy_price_stays_one() -> None:
    new = raised(_terms(101, 101), Fees(120, 120), NO_CAP)

    assert new is not None
    assert new.max_fee_per_gas_wei == new.max_priority_fee_per_gas_wei == 120


def test_the_chain_raises_to_its_market_and_stops_at_its_cap(
    chain: EvmChain, unreliable: UnreliableEndpoint, chain_behind: EvmChain
) -> None:
    terms = chain.terms(outgoing())
    history = {"baseFeePerGas": [hex(100 * GWEI)] * 6, "reward": [[hex(GWEI)]] * 5}
    unreliable.answers("eth_feeHistory", history)

    to_market = chain_behind.raised(terms)
    at_cap = chain_behind.raised(_terms(500 * GWEI, GWEI))

    assert to_market is not None
    assert to_market.max_fee_per_gas_wei == 201 * GWEI
    assert at_cap is None


def test_tip_keeps_to_its_own_cap(unreliable: UnreliableEndpoint) -> None:
    settings = chain_settings(unreliable.url, max_priority_fee_per_gas_wei_cap=GWEI)
    history = {"baseFeePerGas": [hex(GWEI)] * 6, "reward": [[hex(3 * GWEI)]] * 5}
    unreliable.answers("eth_feeHistory", history)

    terms = EvmChain(settings, _NeverSigns()).terms(outgoing())

    assert terms.max_priority_fee_per_gas_wei == GWEI
    assert terms.max_fee_per_gas_wei == 5 * GWEI


class _NeverSigns:
    def sign(self, unsigned: Unsigned) -> SignedTransfer:
        raise AssertionError("nothing was to be signed")
