"""How often endpoints are asked while nothing goes wrong: providers bill each call, and slow ones delay each turn."""

from collections import Counter

import pytest

from devstack.chain import depositor, wallet
from domain.transfers import TransferTerms
from gateways.evm.chain import EvmChain
from gateways.evm.node import CHAIN_ID_SECONDS
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.lies import Clock
from tests.gateways.evm.local_chain import FINALITY_BLOCKS, LocalChain, chain_settings
from tests.gateways.evm.payouts import outgoing, transfer
from tests.gateways.evm.unreliable import UnreliableEndpoint

PAYOUTS = 4
SEND, RECEIPT, BLOCK = "eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_getBlockByNumber"
ESTIMATE, FEES = "eth_estimateGas", "eth_feeHistory"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted(unreliable: UnreliableEndpoint, signer: KeystoreSigner, clock: Clock) -> EvmChain:
    return EvmChain(chain_settings(unreliable.url), signer, clock)


def asked(endpoint: UnreliableEndpoint) -> Counter[str]:
    """Count what was asked since the last time."""
    found = Counter(endpoint.asked)
    endpoint.asked.clear()
    return found


def test_one_view_serves_a_whole_turn_and_costs_six_calls(
    counted: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    local.finalize()
    counted.view()
    asked(unreliable)

    counted.view()

    assert asked(unreliable) == {BLOCK: 2, "eth_getTransactionCount": 3, "eth_getBalance": 1}


def test_view_that_nothing_is_signed_by_costs_four_calls_and_says_what_it_is(
    counted: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    local.finalize()
    whole = counted.view()
    asked(unreliable)

    view = counted.view(for_signing=False)

    assert asked(unreliable) == {BLOCK: 2, "eth_getTransactionCount": 2}
    assert (whole.is_for_signing, view.is_for_signing) == (True, False)
    assert (view.nonce_finalized, view.nonce_latest) == (whole.nonce_finalized, whole.nonce_latest)


def test_quotes_of_a_turn_take_one_call_each_and_share_what_is_told_of_fees(
    counted: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    view = counted.view()
    asked(unreliable)

    quotes = counted.quotes([outgoing(amount_base_units=1 + it) for it in range(PAYOUTS)], view)
    counted.terms(outgoing(), view)

    assert all(isinstance(it, TransferTerms) for it in quotes)
    assert asked(unreliable) == {ESTIMATE: PAYOUTS + 1, FEES: 1}


def test_fees_of_an_older_view_are_not_remembered_for_a_newer_one_nor_without_one(
    counted: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    old = counted.terms(outgoing(), counted.view())
    local.call("anvil_setNextBlockBaseFeePerGas", hex(2 * old.max_fee_per_gas_wei))
    local.mine()

    new = counted.terms(outgoing(), counted.view())
    asked(unreliable)
    without = [counted.terms(outgoing()) for _ in range(2)]

    assert new.max_fee_per_gas_wei > 2 * old.max_fee_per_gas_wei
    assert without == [new, new]
    assert asked(unreliable)[FEES] == 2


def test_payouts_of_a_block_are_followed_to_their_end_with_three_calls_each(
    counted: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    local.finalize()
    first = counted.view().nonce_latest
    terms = counted.terms(outgoing())
    signed = [counted.sign(transfer(counted, nonce=first + it, terms=terms)) for it in range(PAYOUTS)]
    local.call("evm_setAutomine", False)
    asked(unreliable)

    for it in signed:
        counted.broadcast(it.raw)
    local.call("evm_setAutomine", True)
    local.mine()
    mined = local.mined_in(signed[0].tx_hash)
    views = Counter[str]()
    for height in (mined, mined + FINALITY_BLOCKS, mined + 2 * FINALITY_BLOCKS):
        local.mine_until(height)
        before = Counter(unreliable.asked)
        view = counted.view()
        views += Counter(unreliable.asked) - before
        last = [counted.look(outgoing(), it.tx_hash, view) for it in signed]

    assert all(it.succeeded and it.is_buried for it in last)
    assert asked(unreliable) - views == {SEND: PAYOUTS, RECEIPT: 2 * PAYOUTS, BLOCK: 3}


def test_look_without_a_view_asks_for_heights_and_block_each_time_and_for_no_receipt_twice(
    counted: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = local.pay()
    counted.look(outgoing(), tx_hash)
    asked(unreliable)

    counted.look(outgoing(), tx_hash)

    assert asked(unreliable) == {BLOCK: 3}


def test_receipt_is_read_anew_where_it_becomes_final_because_that_decides(
    counted: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash, moved = local.pay(to=depositor().address, sender=wallet().address), outgoing()
    receipt = local.call(RECEIPT, tx_hash)
    unreliable.answers(RECEIPT, receipt | {"status": "0x0"})
    early = counted.look(moved, tx_hash, counted.view())
    unreliable.faults.clear()
    local.finalize()

    late = counted.look(moved, tx_hash, counted.view())

    assert (early.succeeded, early.is_final) == (False, False)
    assert (late.succeeded, late.is_final) == (True, True)


def test_final_receipt_is_forgotten_with_its_block(
    counted: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = local.pay()
    local.finalize()
    assert counted.look(outgoing(), tx_hash, counted.view()).is_final
    local.call("anvil_reorg", FINALITY_BLOCKS + 1, [])

    assert not counted.look(outgoing(), tx_hash, counted.view()).is_mined


def test_block_of_an_older_view_is_not_remembered_for_a_newer_one(
    counted: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    local.mine(3)
    tx_hash = local.pay()
    assert counted.look(outgoing(), tx_hash, counted.view()).is_mined

    receipt = local.call(RECEIPT, tx_hash)
    local.call("anvil_reorg", 2, [])
    unreliable.answers(RECEIPT, receipt)

    assert not counted.look(outgoing(), tx_hash, counted.view()).is_mined


def test_chain_is_asked_for_once_a_minute_and_after_each_silence(
    counted: EvmChain, unreliable: UnreliableEndpoint, clock: Clock
) -> None:
    for _ in range(3):
        counted.view()
    once = asked(unreliable)["eth_chainId"]
    clock.now += CHAIN_ID_SECONDS
    counted.view()
    later = asked(unreliable)["eth_chainId"]
    unreliable.hangs_up("eth_sendRawTransaction")
    counted.broadcast(b"\x02")
    counted.view()
    after_silence = asked(unreliable)["eth_chainId"]

    assert (once, later, after_silence) == (1, 1, 1)
