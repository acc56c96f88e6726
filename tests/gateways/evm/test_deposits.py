"""Who sent a deposit, on a real node: every case in which the answer is a sender, a doubt or a refusal."""

import pytest

from devstack.chain import Anvil, anvil_command, depositor, free_port
from domain.errors import NeedsOperator, TryAgain
from domain.payments import ChainPayment, Settlement
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.local_chain import DEPOSIT_WEI, FINALITY_BLOCKS, LocalChain, chain_settings, reference
from tests.gateways.evm.unreliable import UnreliableEndpoint

STRANGER = "0x000000000000000000000000000000000000dEaD"
REVERTS = "0x60006000fd"


def test_plain_transfer_names_its_sender_once_it_is_final(chain: EvmChain, local: LocalChain) -> None:
    tx_hash = local.pay()
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash))

    assert payment.settlement == Settlement.FINAL
    assert payment.sender == depositor().address
    assert payment.amount_base_units == DEPOSIT_WEI
    assert (payment.review, payment.refuse) == ((), ())


def test_reading_a_deposit_twice_says_the_same(chain: EvmChain, local: LocalChain) -> None:
    tx_hash = local.pay()
    local.finalize()

    assert chain.read_deposit(reference(tx_hash)) == chain.read_deposit(reference(tx_hash))


@pytest.mark.parametrize(
    ("changes", "depth"),
    [
        pytest.param({}, FINALITY_BLOCKS, id="the node's tag"),
        pytest.param({"finality": "depth:6"}, 6, id="a depth instead of the tag"),
        pytest.param({"min_depth": 6}, 6, id="a least depth on top of the tag"),
    ],
)
def test_deposit_is_pending_one_block_before_finality_and_final_with_it(
    changes: dict[str, object], depth: int, local: LocalChain, signer: KeystoreSigner
) -> None:
    chain = EvmChain(chain_settings(local.anvil.url, **changes), signer)
    tx_hash = local.pay()
    mined = local.mined_in(tx_hash)

    local.mine_until(mined + depth - 1)
    before = chain.read_deposit(reference(tx_hash))
    local.mine()
    after = chain.read_deposit(reference(tx_hash))

    assert (before.settlement, before.sender, before.block_number) == (Settlement.PENDING, None, mined)
    assert (after.settlement, after.sender) == (Settlement.FINAL, depositor().address)


def test_unknown_hash_is_missing(chain: EvmChain) -> None:
    assert chain.read_deposit(reference("0x" + 64 * "a")) == ChainPayment(settlement=Settlement.MISSING)


def test_chain_knows_the_hashes_in_its_blocks_and_in_its_pool(chain: EvmChain, local: LocalChain) -> None:
    mined = local.pay()
    local.call("evm_setAutomine", False)
    try:
        pooled = local.send()

        assert (chain.knows(mined), chain.knows(pooled), chain.knows("0x" + 64 * "a")) == (True, True, False)
    finally:
        local.call("evm_setAutomine", True)
        local.mine()


def test_chain_transaction_in_the_pool_is_pending(chain: EvmChain, local: LocalChain) -> None:
    local.call("evm_setAutomine", False)
    try:
        tx_hash = local.send()

        payment = chain.read_deposit(reference(tx_hash))
    finally:
        local.call("evm_setAutomine", True)
        local.mine()

    assert payment == ChainPayment(settlement=Settlement.PENDING)


def test_failed_chain_transaction_is_pending_until_final_and_then_failed(chain: EvmChain, local: LocalChain) -> None:
    local.set_code(STRANGER, REVERTS)
    tx_hash = local.pay(to=STRANGER, gas=hex(60_000))

    early = chain.read_deposit(reference(tx_hash))
    local.finalize()
    late = chain.read_deposit(reference(tx_hash))
    local.set_code(STRANGER, "0x")

    assert early.settlement == Settlement.PENDING
    assert (late.settlement, late.sender) == (Settlement.FAILED, None)


def test_deposit_that_a_reorg_removed_is_no_deposit(chain: EvmChain, local: LocalChain) -> None:
    tx_hash = local.pay()
    local.finalize()
    before = chain.read_deposit(reference(tx_hash))

    local.call("anvil_reorg", 8, [])
    local.finalize()
    after = chain.read_deposit(reference(tx_hash))

    assert before.settlement == Settlement.FINAL
    assert (after.settlement, after.sender) == (Settlement.MISSING, None)


def test_receipt_of_a_block_that_is_not_canonical_is_pending(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = local.pay()
    local.finalize()
    receipt = local.call("eth_getTransactionReceipt", tx_hash)
    unreliable.answers("eth_getTransactionReceipt", receipt | {"blockHash": "0x" + 64 * "b"})

    payment = chain_behind.read_deposit(reference(tx_hash))

    assert (payment.settlement, payment.sender) == (Settlement.PENDING, None)


def test_endpoint_of_another_chain_is_not_believed(local: LocalChain, signer: KeystoreSigner) -> None:
    tx_hash = local.pay()
    local.finalize()
    port = free_port()
    command = anvil_command(port, None, chain_id=4242, block_time_seconds=None)

    with Anvil(command, port) as other, pytest.raises(TryAgain, match="serves chain 4242 instead of 31337"):
        EvmChain(chain_settings(other.url), signer).read_deposit(reference(tx_hash))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"chain_id": 1}, id="another chain"),
        pytest.param({"tx_hash": "0x" + 64 * "A"}, id="upper case would be a second name for one payment"),
        pytest.param({"tx_hash": "0x12"}, id="no hash"),
    ],
)
def test_reference_that_cannot_be_followed_goes_to_an_operator(changes: dict[str, object], chain: EvmChain) -> None:
    with pytest.raises(NeedsOperator) as caught:
        chain.read_deposit(reference("0x" + 64 * "a").model_copy(update=changes))

    assert caught.value.reason == "facts_unavailable"
