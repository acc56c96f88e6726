"""Chains that know no EIP-1559: one price, and still bytes that are worth nothing on another chain."""

import pytest
from eth_account import Account

from devstack.chain import depositor, wallet
from domain.errors import BytesDiffer
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from gateways.evm.transactions import read_signed
from tests.gateways.evm.local_chain import DEPOSIT_WEI, LocalChain, chain_settings
from tests.gateways.evm.payouts import outgoing, signed_as_legacy, transfer


@pytest.fixture
def legacy(local: LocalChain, signer: KeystoreSigner) -> EvmChain:
    return EvmChain(chain_settings(local.anvil.url, transaction_type="legacy"), signer)


def test_legacy_payout_bears_its_chain_id_and_one_price_with_room(legacy: EvmChain, local: LocalChain) -> None:
    price = int(local.call("eth_gasPrice"), 16)
    before = local.balance(depositor().address)
    wanted = transfer(legacy)

    signed = legacy.sign(wanted)
    legacy.broadcast(signed.raw)
    local.mined_in(signed.tx_hash)

    found = read_signed(signed.raw)
    assert found is not None
    assert (found.type, found.chain_id, found.sender) == (0, 31337, wallet().address)
    assert found.max_fee_per_gas_wei == found.max_priority_fee_per_gas_wei == -(-price * 5 // 4)
    assert legacy.look(outgoing(), signed.tx_hash).succeeded
    assert local.balance(depositor().address) - before == DEPOSIT_WEI


def test_legacy_price_is_raised_as_one(legacy: EvmChain) -> None:
    terms = legacy.terms(outgoing()).model_copy(
        update={"max_fee_per_gas_wei": 10**11, "max_priority_fee_per_gas_wei": 10**11}
    )

    new = legacy.raised(terms)

    assert new is not None
    assert new.max_fee_per_gas_wei == new.max_priority_fee_per_gas_wei == 112_500_000_000


def test_legacy_bytes_without_a_chain_id_are_read_as_none_of_ours(legacy: EvmChain) -> None:
    wanted = transfer(legacy)
    unbound = signed_as_legacy(wanted)

    assert Account.recover_transaction(unbound.raw) == wallet().address
    assert read_signed(unbound.raw) is None
    with pytest.raises(BytesDiffer, match="binds it to its chain"):
        legacy.require_faithful(outgoing(), wanted.nonce, unbound)
