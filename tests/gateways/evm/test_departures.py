"""What left the wallet: by hash, and by nonce where somebody else used its key."""

from devstack.chain import wallet
from gateways.evm.chain import EvmChain
from gateways.evm.settings import checksummed
from tests.gateways.evm.local_chain import FINALITY_BLOCKS, LocalChain
from tests.gateways.evm.unreliable import UnreliableEndpoint


def test_a_transfer_is_told_with_receiver_amount_and_finality(chain: EvmChain, local: LocalChain) -> None:
    to = local.fresh_account(7)
    tx_hash = local.pay(sender=wallet().address, to=to, value=123)
    young = chain.read_transfer(tx_hash)
    local.finalize()
    final = chain.read_transfer(tx_hash)

    assert young is not None
    assert final is not None
    assert (young.to, young.amount_base_units, young.succeeded, young.is_final) == (checksummed(to), 123, True, False)
    assert final.is_final
    assert chain.read_transfer("0x" + "0" * 64) is None


def test_what_was_sent_under_a_nonce_is_found_however_many_blocks_ago(chain: EvmChain, local: LocalChain) -> None:
    first = chain.view().nonce_pending
    sent = []
    for blocks in (1, 17, 40):
        sent.append(local.pay(sender=wallet().address, to=local.fresh_account(7), value=blocks))
        local.mine(blocks)
    local.finalize()

    found = [chain.find_transfer(first + offset) for offset in range(4)]

    assert [it and it.tx_hash for it in found] == [*sent, None]
    assert [it.nonce for it in found if it] == [first, first + 1, first + 2]


def test_a_nonce_that_is_not_final_yet_is_not_found(chain: EvmChain, local: LocalChain) -> None:
    nonce = chain.view().nonce_pending
    local.pay(sender=wallet().address, to=local.fresh_account(7))
    assert chain.find_transfer(nonce) is None

    local.mine(FINALITY_BLOCKS)

    assert chain.find_transfer(nonce) is not None


def test_a_node_that_forgot_old_blocks_finds_nothing_and_says_no_wrong_thing(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    nonce = chain_behind.view().nonce_pending
    local.pay(sender=wallet().address, to=local.fresh_account(7))
    local.mine(20)
    unreliable.refuses("eth_getTransactionCount", "missing trie node")

    assert chain_behind.find_transfer(nonce) is None
