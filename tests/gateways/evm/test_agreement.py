"""Several endpoints of one chain: who is behind makes us wait, and one that lies proves nothing."""

import pytest

from devstack.chain import Anvil, anvil_command, free_port, wallet
from domain.errors import EndpointsDisagree, TryAgain
from domain.transfers import WalletView
from gateways.evm.agreement import REST_SECONDS
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.lies import BLOCK, COUNT, RECEIPT, Clock, Pair, changed, falls_behind, paid
from tests.gateways.evm.local_chain import FINALITY_BLOCKS, LocalChain, chain_settings
from tests.gateways.evm.payouts import outgoing
from tests.gateways.evm.unreliable import UnreliableEndpoint


def test_endpoints_that_agree_are_believed(chain_of_two: EvmChain, pair: Pair, local: LocalChain) -> None:
    tx_hash = paid(chain_of_two, local)
    local.finalize()

    sighting = chain_of_two.look(outgoing(), tx_hash)

    assert (sighting.is_mined, sighting.succeeded, sighting.is_final) == (True, True, True)
    assert [it.asked.count("eth_sendRawTransaction") for it in pair] == [1, 1]
    assert [it.asked.count(RECEIPT) for it in pair] == [1, 1]


def test_receipt_that_one_hides_is_no_absence(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = paid(chain_of_two, local)
    local.finalize()
    liar.answers(RECEIPT, None)

    with pytest.raises(EndpointsDisagree) as caught:
        chain_of_two.look(outgoing(), tx_hash)
    with pytest.raises(EndpointsDisagree):
        chain_of_two.read_transfer(tx_hash)

    assert set(caught.value.answers) == {1, 2}
    assert "nothing" in caught.value.message
    assert "secret-project-key" not in caught.value.message


def test_receipt_that_one_has_not_got_yet_is_waited_for(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = paid(chain_of_two, local)
    mined = local.mined_in(tx_hash)
    local.finalize()
    falls_behind(liar, local, mined - 1)

    for ask in (lambda: chain_of_two.look(outgoing(), tx_hash), lambda: chain_of_two.read_transfer(tx_hash)):
        with pytest.raises(TryAgain, match=f"has no block {mined} yet") as caught:
            ask()
        assert not isinstance(caught.value, EndpointsDisagree)


def test_what_one_that_is_behind_does_not_call_final_is_not_final(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = paid(chain_of_two, local)
    mined = local.mined_in(tx_hash)
    local.mine(3 * FINALITY_BLOCKS)
    falls_behind(liar, local, mined + FINALITY_BLOCKS - 1)

    view = chain_of_two.view()
    sightings = [chain_of_two.look(outgoing(), tx_hash), chain_of_two.look(outgoing(), tx_hash, view)]
    moved = chain_of_two.read_transfer(tx_hash)

    assert [(it.is_mined, it.is_final, it.is_buried) for it in sightings] == 2 * [(True, False, False)]
    assert moved is not None
    assert not moved.is_final
    assert (view.head_block, view.final_block) == (mined + FINALITY_BLOCKS - 1, mined - 1)


def test_heights_that_one_makes_up_make_nothing_final(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = paid(chain_of_two, local)
    far = hex(local.mined_in(tx_hash) + 1000)
    tags = ("latest", "finalized")
    changed(liar, BLOCK, lambda params, truth: {**truth, "number": far} if params[0] in tags else truth)

    assert not chain_of_two.look(outgoing(), tx_hash).is_final
    assert not chain_of_two.look(outgoing(), tx_hash, chain_of_two.view()).is_final


def test_payout_that_one_makes_up_is_not_believed(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    mined = paid(chain_of_two, local)
    local.finalize()
    never_sent = "0x" + 64 * "a"
    liar.answers(RECEIPT, local.call(RECEIPT, mined) | {"transactionHash": never_sent})

    with pytest.raises(EndpointsDisagree, match="nothing, and has block"):
        chain_of_two.look(outgoing(), never_sent)


def test_success_that_one_makes_up_is_not_believed(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = paid(chain_of_two, local)
    local.finalize()
    changed(liar, RECEIPT, lambda _, truth: truth | {"status": "0x0"})

    with pytest.raises(EndpointsDisagree, match=r"status 0 .* status 1|status 1 .* status 0"):
        chain_of_two.look(outgoing(), tx_hash)
    with pytest.raises(EndpointsDisagree):
        chain_of_two.read_transfer(tx_hash)


def test_block_that_one_makes_up_is_not_believed(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = paid(chain_of_two, local)
    local.finalize()
    bogus = "0x" + 64 * "b"
    changed(liar, RECEIPT, lambda _, truth: truth | {"blockHash": bogus})
    changed(liar, BLOCK, lambda _, truth: truth and truth | {"hash": bogus})

    for ask in (lambda: chain_of_two.look(outgoing(), tx_hash), chain_of_two.view):
        with pytest.raises(EndpointsDisagree):
            ask()


@pytest.mark.parametrize("count", ["0x0", "0xffff"], ids=["too few", "too many"])
def test_final_nonces_that_one_miscounts_are_no_count(
    count: str, chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    paid(chain_of_two, local)
    local.finalize()
    changed(liar, COUNT, lambda params, truth: count if params[1].startswith("0x") else truth)

    with pytest.raises(EndpointsDisagree, match="are final in block"):
        chain_of_two.view()


def test_young_facts_of_the_wallet_are_the_most_careful_of_both(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    paid(chain_of_two, local)
    truth = chain_of_two.view()

    def seen(**young: int) -> WalletView:
        changed(liar, COUNT, lambda params, true: hex(young[params[1]]) if params[1] in young else true)
        return chain_of_two.view()

    fewer = seen(latest=truth.nonce_latest - 1, pending=truth.nonce_pending - 1)
    more = seen(latest=truth.nonce_latest + 5, pending=truth.nonce_pending + 5)

    assert (fewer.nonce_latest, fewer.nonce_pending) == (truth.nonce_latest - 1, truth.nonce_pending)
    assert (more.nonce_latest, more.nonce_pending) == (truth.nonce_latest, truth.nonce_pending + 5)
    assert fewer.nonce_finalized == more.nonce_finalized == truth.nonce_finalized


def test_balance_is_the_lowest_told(chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain) -> None:
    truth = local.balance(wallet().address)

    liar.answers("eth_getBalance", hex(truth + 10**30))
    assert chain_of_two.view().balance_base_units == truth
    liar.answers("eth_getBalance", hex(truth - 1))
    assert chain_of_two.view().balance_base_units == truth - 1


def test_code_at_the_wallet_that_one_alone_sees_is_no_answer(
    chain_of_two: EvmChain, liar: UnreliableEndpoint
) -> None:
    assert not chain_of_two.wallet_has_code()
    liar.answers("eth_getCode", "0x00")

    with pytest.raises(EndpointsDisagree, match="the code at"):
        chain_of_two.wallet_has_code()


def test_with_a_quorum_the_rail_goes_on_without_a_silent_endpoint_which_rests(
    pair: Pair, liar: UnreliableEndpoint, local: LocalChain, signer: KeystoreSigner
) -> None:
    clock = Clock()
    chain = EvmChain(chain_settings(*(it.url for it in pair), quorum=1), signer, clock)
    liar.hangs_up("eth_chainId")

    tx_hash = paid(chain, local)
    assert chain.look(outgoing(), tx_hash).is_mined
    while_resting = len(liar.asked)
    chain.view()
    assert len(liar.asked) == while_resting

    liar.faults.clear()
    liar.answers(RECEIPT, None)
    clock.now += REST_SECONDS
    with pytest.raises(EndpointsDisagree):
        chain.look(outgoing(), tx_hash)


def test_without_a_quorum_a_silent_endpoint_keeps_the_rail_waiting(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = paid(chain_of_two, local)
    liar.hangs_up(RECEIPT)

    for _ in range(2):
        with pytest.raises(TryAgain, match="1 of 2 endpoints") as caught:
            chain_of_two.look(outgoing(), tx_hash)
        assert "secret-project-key" not in caught.value.message


def test_foreign_use_of_a_nonce_is_proved_by_every_endpoint(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    nonce = chain_of_two.view().nonce_latest
    ours = "0x" + 64 * "a"
    theirs = local.pay(sender=wallet().address, to=local.fresh_account(7))
    assert chain_of_two.foreign_use(nonce, (ours,)) is None  # not final
    local.finalize()

    proof = chain_of_two.foreign_use(nonce, (ours,))
    assert chain_of_two.foreign_use(nonce, (ours, theirs)) is None
    assert chain_of_two.foreign_use(nonce + 1, (ours,)) is None
    liar.answers("eth_getTransactionByHash", local.call("eth_getTransactionByHash", theirs) | {"hash": ours})
    assert chain_of_two.foreign_use(nonce, (ours,)) is None
    liar.hangs_up("eth_getTransactionByHash")
    with pytest.raises(TryAgain):
        chain_of_two.foreign_use(nonce, (ours,))

    assert proof is not None
    assert (proof.nonce, proof.finalized_nonces, proof.tx_hash) == (nonce, (nonce + 1, nonce + 1), theirs)


def test_what_one_endpoint_finds_under_a_nonce_is_read_from_all(
    chain_of_two: EvmChain, pair: Pair, local: LocalChain
) -> None:
    nonce = chain_of_two.view().nonce_latest
    theirs = local.pay(sender=wallet().address, to=local.fresh_account(7))
    local.mine(20)

    found = chain_of_two.find_transfer(nonce)
    pair[1].answers(RECEIPT, None)
    with pytest.raises(EndpointsDisagree):
        chain_of_two.find_transfer(nonce)

    assert found is not None
    assert found.tx_hash == theirs


def test_endpoints_on_different_branches_decide_nothing(local: LocalChain, signer: KeystoreSigner) -> None:
    port = free_port()
    with Anvil(anvil_command(port, None, block_time_seconds=None, slots_in_an_epoch=1), port) as other:
        LocalChain(other).mine(200)
        chain = EvmChain(chain_settings(local.anvil.url, other.url), signer)
        tx_hash = local.pay(sender=wallet().address, to=local.fresh_account(7))
        local.finalize()

        for ask in (chain.view, lambda: chain.look(outgoing(), tx_hash)):
            with pytest.raises(EndpointsDisagree):
                ask()


def test_fees_that_one_drives_up_are_not_offered(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, chain: EvmChain
) -> None:
    honest = chain.terms(outgoing())
    liar.answers("eth_feeHistory", {"baseFeePerGas": [hex(10**9)] * 6, "reward": [[hex(400 * 10**9)]] * 5})

    offered, raised = chain_of_two.terms(outgoing()), chain_of_two.raised(honest)

    assert offered == honest
    assert raised is not None
    assert raised.max_fee_per_gas_wei < 2 * honest.max_fee_per_gas_wei
