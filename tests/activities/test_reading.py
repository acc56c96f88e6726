"""A hash that its own chain does not know is looked for on every other chain that is set up."""

from dataclasses import dataclass, field

import pytest

from activities.payments import PaymentReader
from domain.errors import TryAgain
from domain.payments import ChainPayment, ChainPaymentRef, Settlement
from tests.fakes import FakeChain

TX_HASH = "0x" + 64 * "a"


@dataclass
class Chains:
    """Three chains, of which the deposit is recorded on the first."""

    recorded: FakeChain = field(default_factory=FakeChain)
    near: FakeChain = field(default_factory=FakeChain)
    far: FakeChain = field(default_factory=FakeChain)

    def read(self) -> ChainPayment:
        reader = PaymentReader(None, {1: self.recorded, 10: self.near, 56: self.far})
        found = reader.read(ChainPaymentRef(chain_id=1, tx_hash=TX_HASH, amount_base_units=1), refund_id="rf")
        assert isinstance(found, ChainPayment)
        return found


@pytest.fixture
def chains() -> Chains:
    return Chains()


def test_the_chains_that_know_the_hash_are_named(chains: Chains) -> None:
    chains.near.add_deposit(TX_HASH, 1)
    chains.far.add_deposit(TX_HASH, 1)

    assert chains.read() == ChainPayment(settlement=Settlement.MISSING, found_on=(10, 56))


def test_a_hash_that_nobody_knows_is_missing(chains: Chains) -> None:
    assert chains.read() == ChainPayment(settlement=Settlement.MISSING)


def test_a_chain_that_does_not_answer_hides_no_other(chains: Chains) -> None:
    chains.near.is_away = True
    chains.far.add_deposit(TX_HASH, 1)

    assert chains.read().found_on == (56,)


def test_other_chains_are_not_asked_about_what_its_own_chain_knows(chains: Chains) -> None:
    chains.recorded.add_deposit(TX_HASH, 1)
    chains.near.is_away = chains.far.is_away = True

    assert chains.read().settlement == Settlement.FINAL


def test_its_own_chain_that_does_not_answer_decides_nothing(chains: Chains) -> None:
    chains.recorded.is_away = True
    chains.near.add_deposit(TX_HASH, 1)

    with pytest.raises(TryAgain):
        chains.read()
