"""Several endpoints before money moves: of deposits, quotes and sending, none is believed or obeyed alone."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import EndpointsDisagree, NeedsOperator, TryAgain
from domain.payments import ChainPayment, Settlement
from domain.transfers import SendAnswer
from gateways.evm.agreement import REST_SECONDS
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.lies import RECEIPT, Clock, Pair, changed, falls_behind
from tests.gateways.evm.local_chain import LocalChain, chain_settings, reference
from tests.gateways.evm.payouts import KEEPS_COUNT, outgoing, signed_otherwise, transfer
from tests.gateways.evm.unreliable import UnreliableEndpoint


def deposited(local: LocalChain) -> str:
    tx_hash = local.pay()
    local.finalize()
    return tx_hash


LIES_ABOUT_A_DEPOSIT: dict[str, tuple[str, Callable[[list[Any], Any], Any]]] = {
    "another sender": ("eth_getTransactionByHash", lambda _, truth: truth | {"from": "0x" + 40 * "7"}),
    "another amount": ("eth_getTransactionByHash", lambda _, truth: truth | {"value": hex(10**17)}),
    "another receiver": ("eth_getTransactionByHash", lambda _, truth: truth | {"to": "0x" + 40 * "7"}),
    "it failed": (RECEIPT, lambda _, truth: truth | {"status": "0x0"}),
}


@pytest.mark.parametrize(("method", "lie"), LIES_ABOUT_A_DEPOSIT.values(), ids=LIES_ABOUT_A_DEPOSIT.keys())
def test_deposit_on_which_they_contradict_each_other_has_no_sender(
    method: str,
    lie: Callable[[list[Any], Any], Any],
    chain_of_two: EvmChain,
    liar: UnreliableEndpoint,
    local: LocalChain,
) -> None:
    tx_hash = deposited(local)
    changed(liar, method, lie)

    with pytest.raises(EndpointsDisagree, match="the deposit in"):
        chain_of_two.read_deposit(reference(tx_hash))


def test_deposit_that_one_does_not_show_is_not_settled(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = deposited(local)
    mined = local.mined_in(tx_hash)
    falls_behind(liar, local, mined)
    behind = chain_of_two.read_deposit(reference(tx_hash))
    liar.faults.clear()
    liar.answers(RECEIPT, None)
    liar.answers("eth_getTransactionByHash", None)

    with pytest.raises(EndpointsDisagree, match="says missing in no block"):
        chain_of_two.read_deposit(reference(tx_hash))
    assert (behind.settlement, behind.sender) == (Settlement.PENDING, None)
    assert chain_of_two.read_deposit(reference("0x" + 64 * "a")) == ChainPayment(settlement=Settlement.MISSING)


def test_code_at_the_sender_that_one_alone_sees_is_no_answer(
    chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = deposited(local)
    sender = local.call("eth_getTransactionByHash", tx_hash)["from"]
    changed(
        liar,
        "eth_getCode",
        lambda params, truth: "0xef0100" + 20 * "11" if params[0].lower() == sender.lower() else truth,
    )

    with pytest.raises(EndpointsDisagree, match="the deposit in"):
        chain_of_two.read_deposit(reference(tx_hash))


def test_person_hears_of_a_receiver_that_refuses_only_when_all_say_so(
    chain_of_two: EvmChain, pair: Pair, liar: UnreliableEndpoint
) -> None:
    liar.refuses("eth_estimateGas", "execution reverted")
    with pytest.raises(EndpointsDisagree, match="can be paid"):
        chain_of_two.terms(outgoing())

    for endpoint in pair:
        endpoint.refuses("eth_estimateGas", "execution reverted")
    with pytest.raises(NeedsOperator, match="refuses to be paid"):
        chain_of_two.terms(outgoing())


def test_gas_is_the_most_that_any_wants(
    receiver: str, chain_of_two: EvmChain, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    local.set_code(receiver, KEEPS_COUNT)
    truth = chain_of_two.terms(outgoing(receiver)).gas
    liar.answers("eth_estimateGas", hex(21_000))

    assert chain_of_two.terms(outgoing(receiver)).gas == truth > 21_000


def test_bytes_reach_the_chain_although_one_endpoint_takes_none(
    chain_of_two: EvmChain, pair: Pair, liar: UnreliableEndpoint, local: LocalChain
) -> None:
    signed = chain_of_two.sign(transfer(chain_of_two))
    liar.fails("eth_sendRawTransaction", 503)

    assert chain_of_two.broadcast(signed.raw) == SendAnswer.SEEN
    local.mined_in(signed.tx_hash)
    assert [it.asked.count("eth_sendRawTransaction") for it in pair] == [1, 1]


def test_bytes_pass_over_an_endpoint_that_was_just_silent_but_not_over_the_last_one(
    pair: Pair, liar: UnreliableEndpoint, signer: KeystoreSigner
) -> None:
    clock = Clock()
    chain = EvmChain(chain_settings(*(it.url for it in pair)), signer, clock)
    signed = chain.sign(transfer(chain))
    liar.hangs_up("eth_sendRawTransaction")

    def sends() -> tuple[int, int]:
        chain.broadcast(signed.raw)
        (honest,) = (it for it in pair if it is not liar)
        return honest.asked.count("eth_sendRawTransaction"), liar.asked.count("eth_sendRawTransaction")

    assert [sends(), sends()] == [(1, 1), (2, 1)]
    clock.now += REST_SECONDS
    assert sends() == (3, 2)
    for endpoint in pair:
        endpoint.hangs_up("eth_sendRawTransaction")
    clock.now += REST_SECONDS
    assert [sends(), sends()] == [(4, 3), (5, 4)]


def test_bytes_can_never_be_sent_only_when_all_say_so(
    chain_of_two: EvmChain, pair: Pair, liar: UnreliableEndpoint
) -> None:
    bad = signed_otherwise(transfer(chain_of_two), gas=20_999).raw
    assert chain_of_two.broadcast(bad) == SendAnswer.NOT_SENDABLE

    liar.fails("eth_sendRawTransaction", 503)
    assert chain_of_two.broadcast(bad) == SendAnswer.UNCLEAR


def test_endpoint_of_another_chain_is_not_asked_further(
    chain_of_two: EvmChain, pair: Pair, liar: UnreliableEndpoint
) -> None:
    liar.answers("eth_chainId", "0x1")

    with pytest.raises(TryAgain, match="1 of 2 endpoints of anvil answered and 2 must"):
        chain_of_two.view()
    chain_of_two.broadcast(b"\x02")

    assert set(liar.asked) == {"eth_chainId"}
