"""Looking for signed bytes on the chain: in the pool, in a block, final, buried, reorged."""

from domain.transfers import SendAnswer, TransferTerms
from gateways.evm.chain import EvmChain
from tests.gateways.evm.local_chain import FINALITY_BLOCKS, LocalChain
from tests.gateways.evm.payouts import REVERTS, outgoing, transfer
from tests.gateways.evm.unreliable import UnreliableEndpoint


def test_bytes_are_followed_from_the_pool_into_depth(chain: EvmChain, local: LocalChain) -> None:
    signed = chain.sign(transfer(chain))
    local.call("evm_setAutomine", False)
    chain.broadcast(signed.raw)
    in_pool = chain.look(outgoing(), signed.tx_hash)
    local.call("evm_setAutomine", True)
    local.mine()
    mined = local.mined_in(signed.tx_hash)
    sightings = []
    for depth in range(2 * FINALITY_BLOCKS + 1):
        local.mine_until(mined + depth)
        sightings.append(chain.look(outgoing(), signed.tx_hash))

    assert not in_pool.is_mined
    assert all(sighting.is_mined and sighting.succeeded for sighting in sightings)
    assert {sighting.block_number for sighting in sightings} == {mined}
    assert [sighting.is_final for sighting in sightings] == [False, False, True, True, True]
    assert [sighting.is_buried for sighting in sightings] == [False, False, False, False, True]


def test_failed_payout_is_mined_and_did_not_succeed(receiver: str, chain: EvmChain, local: LocalChain) -> None:
    local.set_code(receiver, REVERTS)
    costs = TransferTerms(gas=60_000, max_fee_per_gas_wei=10**11, max_priority_fee_per_gas_wei=1)
    signed = chain.sign(transfer(chain, to=receiver, terms=costs))
    chain.broadcast(signed.raw)
    local.mined_in(signed.tx_hash)

    sighting = chain.look(outgoing(), signed.tx_hash)

    assert (sighting.is_mined, sighting.succeeded) == (True, False)


def test_reorg_takes_a_payout_back_and_the_same_bytes_land_again(chain: EvmChain, local: LocalChain) -> None:
    local.mine(5)
    signed = chain.sign(transfer(chain))
    chain.broadcast(signed.raw)
    local.mined_in(signed.tx_hash)

    local.call("anvil_reorg", 3, [])
    gone = chain.look(outgoing(), signed.tx_hash)
    again = chain.broadcast(signed.raw)
    local.mined_in(signed.tx_hash)

    assert not gone.is_mined
    assert again == SendAnswer.SEEN
    assert chain.look(outgoing(), signed.tx_hash).succeeded


def test_receipt_of_a_block_that_is_not_canonical_is_not_mined(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = local.pay()
    local.finalize()
    receipt = local.call("eth_getTransactionReceipt", tx_hash)
    unreliable.answers("eth_getTransactionReceipt", receipt | {"blockHash": "0x" + 64 * "b"})

    assert not chain_behind.look(outgoing(), tx_hash).is_mined
