"""What a refund would cost, on a real node, and when it waits or needs a person."""

from pathlib import Path

import pytest

from devstack.chain import (
    depositor,
    wallet,
)
from domain.errors import InvalidRequest, NeedsOperator, TryAgain
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.local_chain import DEPOSIT_WEI, LocalChain, chain_settings
from tests.gateways.evm.payouts import BURNS, KEEPS_COUNT, REVERTS, STOPS, outgoing, transfer
from tests.gateways.evm.unreliable import UnreliableEndpoint


def test_plain_receiver_costs_21000_gas_and_fees_leave_room_for_a_rising_base_fee(
    chain: EvmChain, local: LocalChain
) -> None:
    terms = chain.terms(outgoing())

    base_fee = int(local.call("eth_feeHistory", "0x1", "latest", [])["baseFeePerGas"][-1], 16)
    assert terms.gas == 21_000
    assert terms.max_fee_per_gas_wei == 2 * base_fee + terms.max_priority_fee_per_gas_wei
    assert terms.max_priority_fee_per_gas_wei > 0
    assert terms.fee_wei_max == 21_000 * terms.max_fee_per_gas_wei


def test_receiver_with_code_gets_a_fifth_more_gas_than_it_used(
    receiver: str, chain: EvmChain, local: LocalChain
) -> None:
    local.set_code(receiver, KEEPS_COUNT)
    fields = {"from": wallet().address, "to": receiver, "value": hex(DEPOSIT_WEI)}
    estimate = int(local.call("eth_estimateGas", fields), 16)

    assert estimate > 21_000
    assert chain.terms(outgoing(receiver)).gas == -(-estimate * 6 // 5)


def test_receiver_whose_code_takes_no_gas_can_be_paid_with_that_of_a_plain_transfer(
    receiver: str, chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    local.set_code(receiver, STOPS)
    unreliable.answers("eth_estimateGas", hex(21_000))
    terms = chain_behind.terms(outgoing(receiver))
    before = local.balance(receiver)

    signed = chain_behind.sign(transfer(chain_behind, to=receiver, terms=terms))
    chain_behind.broadcast(signed.raw)
    local.mined_in(signed.tx_hash)

    assert terms.gas == 21_000
    assert local.balance(receiver) - before == DEPOSIT_WEI


def test_room_for_gas_ends_at_the_cap(receiver: str, signer: KeystoreSigner, local: LocalChain) -> None:
    local.set_code(receiver, KEEPS_COUNT)
    fields = {"from": wallet().address, "to": receiver, "value": hex(DEPOSIT_WEI)}
    estimate = int(local.call("eth_estimateGas", fields), 16)

    at_cap = EvmChain(chain_settings(local.anvil.url, gas_cap=estimate), signer)
    below = EvmChain(chain_settings(local.anvil.url, gas_cap=estimate - 1), signer)

    assert at_cap.terms(outgoing(receiver)).gas == estimate
    with pytest.raises(NeedsOperator, match="above the cap") as caught:
        below.terms(outgoing(receiver))
    assert caught.value.reason == "route_unknown"


@pytest.mark.parametrize("code", [pytest.param(REVERTS, id="reverts"), pytest.param(BURNS, id="burns all gas")])
def test_receiver_that_refuses_the_money_goes_to_an_operator(
    code: str, receiver: str, chain: EvmChain, local: LocalChain
) -> None:
    local.set_code(receiver, code)

    with pytest.raises(NeedsOperator, match="refuses to be paid") as caught:
        chain.terms(outgoing(receiver))

    assert caught.value.reason == "route_unknown"


def test_fee_at_the_cap_passes_and_one_wei_above_it_waits(
    chain: EvmChain, local: LocalChain, signer: KeystoreSigner
) -> None:
    fee = chain.terms(outgoing()).max_fee_per_gas_wei
    at_cap = EvmChain(chain_settings(local.anvil.url, max_fee_per_gas_wei_cap=fee), signer)
    below = EvmChain(chain_settings(local.anvil.url, max_fee_per_gas_wei_cap=fee - 1), signer)

    assert at_cap.terms(outgoing()).max_fee_per_gas_wei == fee
    with pytest.raises(TryAgain, match="waits until it is cheaper") as caught:
        below.terms(outgoing())
    assert caught.value.after_seconds


def test_wallet_that_holds_too_little_waits_for_a_refill(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint
) -> None:
    unreliable.refuses("eth_estimateGas", "insufficient funds for transfer")  # geth; anvil does not look

    with pytest.raises(TryAgain, match="holds too little"):
        chain_behind.terms(outgoing())


def test_tip_is_the_median_of_blocks_that_paid_one(chain_behind: EvmChain, unreliable: UnreliableEndpoint) -> None:
    rewards = [[hex(3 * 10**9)], ["0x0"], [hex(10**9)], [hex(2 * 10**9)], ["0x0"]]
    history = {"baseFeePerGas": ["0x1", "0x2", "0x3", "0x4", "0x5", hex(10**9)], "reward": rewards}
    unreliable.answers("eth_feeHistory", history)

    terms = chain_behind.terms(outgoing())

    assert terms.max_priority_fee_per_gas_wei == 2 * 10**9
    assert terms.max_fee_per_gas_wei == 4 * 10**9


@pytest.mark.parametrize("to", ["vitalik.eth", "0x12", depositor().address.upper()])
def test_receiver_that_is_no_checksummed_address_is_refused(to: str, chain: EvmChain) -> None:
    with pytest.raises(InvalidRequest, match="to: "):
        chain.terms(outgoing(to))


def test_receiver_that_was_sanctioned_since_the_approval_goes_to_an_operator(
    tmp_path: Path, signer: KeystoreSigner, local: LocalChain
) -> None:
    listed = tmp_path / "sanctioned.txt"
    listed.write_text("")
    chain = EvmChain(chain_settings(local.anvil.url, sanctioned_file=listed), signer)
    before = chain.terms(outgoing())
    listed.write_text(depositor().address + "\n")

    with pytest.raises(NeedsOperator, match="sanctioned") as caught:
        chain.terms(outgoing())

    assert before.gas == 21_000
    assert caught.value.reason == "route_unknown"
