"""What left the wallet: by hash, and by nonce where somebody else used its key."""

from devstack.chain import account, wallet
from devstack.contracts.contract import Contract, deploy
from gateways.evm.chain import EvmChain
from gateways.evm.settings import checksummed
from tests.gateways.evm.local_chain import FINALITY_BLOCKS, LocalChain
from tests.gateways.evm.unreliable import UnreliableEndpoint

OWNER = account(4).address


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


def test_a_payment_stands_until_a_reorg_takes_it(chain: EvmChain, local: LocalChain) -> None:
    paid = local.pay(sender=OWNER, to=local.fresh_account(0), value=1)
    stood = chain.stands(paid)
    local.anvil.call("anvil_reorg", 1, [])

    assert stood
    assert not chain.stands(paid)


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


def test_tokens_are_told_by_their_log_with_asset_receiver_and_amount(chain: EvmChain, local: LocalChain) -> None:
    token, to = _token(local, "UsdtLike"), checksummed(local.fresh_account(7))
    tx_hash = token.send("transfer", to, 123, sender=wallet().address)
    nonce = int(local.call("eth_getTransactionByHash", tx_hash)["nonce"], 16)
    local.finalize()

    for found in (chain.read_transfer(tx_hash), chain.find_transfer(nonce)):
        assert found is not None
        assert (found.asset, found.to, found.amount_base_units) == (token.address, to, 123)
        assert (found.succeeded, found.is_final, found.more_count) == (True, True, 0)


def test_what_a_token_takes_for_itself_is_told_as_one_more(chain: EvmChain, local: LocalChain) -> None:
    token, to = _token(local, "FeeOnTransfer"), checksummed(local.fresh_account(7))
    tx_hash = token.send("transfer", to, 10_000, sender=wallet().address)

    found = chain.read_transfer(tx_hash)

    assert found is not None
    assert (found.to, found.amount_base_units, found.more_count) == (to, 9_900, 1)


def test_a_call_that_moved_nothing_of_the_wallet_is_told_with_no_amount(chain: EvmChain, local: LocalChain) -> None:
    token = _token(local, "FalseReturning")
    token.send("set_refuses", True, sender=OWNER)
    tx_hash = token.send("transfer", local.fresh_account(7), 123, sender=wallet().address)

    found = chain.read_transfer(tx_hash)

    assert found is not None
    assert (found.to, found.amount_base_units, found.succeeded) == (token.address, 0, True)


def _token(local: LocalChain, name: str) -> Contract:
    token = deploy(local.call, name, sender=OWNER)
    token.send("mint", wallet().address, 1_000_000, sender=OWNER)
    return token
