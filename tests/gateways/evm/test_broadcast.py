"""Sending signed bytes: the money goes where it must, once, and no answer is taken for a fact."""

from collections.abc import Callable

import pytest

from devstack.chain import (
    deposit_address,
    depositor,
)
from domain.transfers import SendAnswer
from gateways.evm.chain import EvmChain
from tests.gateways.evm.local_chain import DEPOSIT_WEI, LocalChain, reference
from tests.gateways.evm.payouts import outgoing, signed_otherwise, transfer
from tests.gateways.evm.unreliable import UnreliableEndpoint


def test_refund_moves_money_to_the_sender_of_the_deposit_and_to_nobody_else(
    chain: EvmChain, local: LocalChain
) -> None:
    customer = local.fresh_account(7)
    deposit = local.pay(sender=customer)
    local.finalize()
    payment = chain.read_deposit(reference(deposit))
    assert payment.sender is not None
    others = [deposit_address(), *(local.fresh_account(index) for index in (1, 3, 4, 5, 6, 8))]
    before = {address: local.balance(address) for address in [customer, *others]}

    signed = chain.sign(transfer(chain, to=payment.sender, terms=chain.terms(outgoing(payment.sender))))
    answer = chain.broadcast(signed.raw)
    local.mined_in(signed.tx_hash)

    assert answer == SendAnswer.SEEN
    assert local.balance(customer) - before[customer] == DEPOSIT_WEI
    assert {address: local.balance(address) for address in others} == {a: before[a] for a in others}


def test_same_bytes_again_pay_once(chain: EvmChain, local: LocalChain) -> None:
    before = local.balance(depositor().address)
    signed = chain.sign(transfer(chain))
    local.call("evm_setAutomine", False)
    try:
        in_pool = [chain.broadcast(signed.raw), chain.broadcast(signed.raw)]
    finally:
        local.call("evm_setAutomine", True)
        local.mine()
    local.mined_in(signed.tx_hash)
    mined = chain.broadcast(signed.raw)
    local.mine()

    assert in_pool == [SendAnswer.SEEN, SendAnswer.SEEN]
    assert mined == SendAnswer.NONCE_LOW
    assert local.balance(depositor().address) - before == DEPOSIT_WEI


def test_lost_reply_is_unclear_although_the_money_moves(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    signed = chain_behind.sign(transfer(chain_behind))
    unreliable.loses_the_reply("eth_sendRawTransaction")

    answer = chain_behind.broadcast(signed.raw)
    local.mined_in(signed.tx_hash)

    assert answer == SendAnswer.UNCLEAR
    assert unreliable.asked.count("eth_sendRawTransaction") == 1
    assert chain_behind.look(outgoing(), signed.tx_hash).succeeded


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        pytest.param(lambda e, m: e.hangs_up(m), SendAnswer.UNCLEAR, id="connection lost"),
        pytest.param(lambda e, m: e.fails(m, 429), SendAnswer.UNCLEAR, id="too many requests"),
        pytest.param(lambda e, m: e.fails(m, 503), SendAnswer.UNCLEAR, id="unavailable"),
        pytest.param(lambda e, m: e.redirects(m), SendAnswer.UNCLEAR, id="redirect"),
        pytest.param(lambda e, m: e.garbles(m, b"<html>"), SendAnswer.UNCLEAR, id="no JSON"),
        pytest.param(lambda e, m: e.garbles(m, b"\xff\xfe"), SendAnswer.UNCLEAR, id="no text"),
        pytest.param(lambda e, m: e.garbles(m, b"{}"), SendAnswer.UNCLEAR, id="no result"),
        pytest.param(lambda e, m: e.answers(m, "0x" + 64 * "a"), SendAnswer.UNCLEAR, id="another hash"),
        pytest.param(lambda e, m: e.answers(m, None), SendAnswer.UNCLEAR, id="null"),
        pytest.param(lambda e, m: e.refuses(m, "dice were unkind"), SendAnswer.UNCLEAR, id="unheard of"),
        pytest.param(lambda e, m: e.refuses(m, "already known", status=400), SendAnswer.SEEN, id="error in HTTP 400"),
    ],
)
def test_trouble_while_sending_is_told_and_never_raised(
    fault: Callable[[UnreliableEndpoint, str], None],
    answer: SendAnswer,
    chain_behind: EvmChain,
    unreliable: UnreliableEndpoint,
) -> None:
    signed = chain_behind.sign(transfer(chain_behind))
    fault(unreliable, "eth_sendRawTransaction")

    assert chain_behind.broadcast(signed.raw) == answer
    assert unreliable.asked.count("eth_sendRawTransaction") == 1


def test_bytes_are_not_shown_to_an_endpoint_of_another_chain(
    chain: EvmChain, chain_behind: EvmChain, unreliable: UnreliableEndpoint
) -> None:
    signed = chain.sign(transfer(chain))
    unreliable.answers("eth_chainId", "0x1")

    assert chain_behind.broadcast(signed.raw) == SendAnswer.UNCLEAR
    assert "eth_sendRawTransaction" not in unreliable.asked


def test_endpoint_that_was_silent_is_asked_for_its_chain_before_it_gets_bytes_again(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint
) -> None:
    signed = chain_behind.sign(transfer(chain_behind))
    unreliable.hangs_up("eth_sendRawTransaction")
    chain_behind.broadcast(signed.raw)
    unreliable.faults.clear()
    unreliable.answers("eth_chainId", "0x1")

    assert chain_behind.broadcast(signed.raw) == SendAnswer.UNCLEAR
    assert unreliable.asked.count("eth_sendRawTransaction") == 1


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        pytest.param({"maxFeePerGas": 1, "maxPriorityFeePerGas": 1}, SendAnswer.FEE_TOO_LOW, id="fee"),
        pytest.param({"value": 10**30}, SendAnswer.FUNDS_TOO_LOW, id="funds"),
        pytest.param({"gas": 20_999}, SendAnswer.NOT_SENDABLE, id="gas"),
        pytest.param({"chainId": 1}, SendAnswer.NOT_SENDABLE, id="chain"),
    ],
)
def test_refusals_of_a_real_node_are_understood(changes: dict[str, int], answer: SendAnswer, chain: EvmChain) -> None:
    assert chain.broadcast(signed_otherwise(transfer(chain), **changes).raw) == answer


def test_undecodable_bytes_are_not_sendable(chain: EvmChain) -> None:
    assert chain.broadcast(b"\x02\x01") == SendAnswer.NOT_SENDABLE


def test_other_bytes_on_a_nonce_in_the_pool_are_underpriced(chain: EvmChain, local: LocalChain) -> None:
    wanted = transfer(chain)
    local.call("evm_setAutomine", False)
    try:
        chain.broadcast(chain.sign(wanted).raw)

        answer = chain.broadcast(signed_otherwise(wanted, value=1).raw)
    finally:
        local.call("evm_setAutomine", True)
        local.mine()

    assert answer == SendAnswer.UNDERPRICED
