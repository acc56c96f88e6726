"""Senders with code, then or now: a person judges, whoever answers for the past."""

from collections.abc import Iterator

import pytest

from gateways.evm.chain import EvmChain
from tests.gateways.evm.local_chain import LocalChain, reference
from tests.gateways.evm.unreliable import UnreliableEndpoint

STOPS = "0x00"
DELEGATION = "0xef0100" + 20 * "11"


@pytest.fixture
def sender_with_code(local: LocalChain) -> Iterator[str]:
    """An account that gets code for one test and loses it again."""
    sender = local.fresh_account(5)
    yield sender
    local.set_code(sender, "0x")


@pytest.mark.parametrize(
    ("code", "review"),
    [
        pytest.param(STOPS, "sender_is_contract", id="a contract"),
        pytest.param(DELEGATION, "sender_is_delegated", id="a delegation"),
    ],
)
def test_sender_that_has_code_now_is_for_a_person_to_judge(
    code: str, review: str, sender_with_code: str, chain: EvmChain, local: LocalChain
) -> None:
    tx_hash = local.pay(sender=sender_with_code)
    local.finalize()
    local.set_code(sender_with_code, code)

    payment = chain.read_deposit(reference(tx_hash))

    assert payment.review == (review,)
    assert payment.sender == sender_with_code


def test_code_that_only_begins_like_a_delegation_is_a_contract(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = local.pay()
    local.finalize()
    unreliable.answers("eth_getCode", "0xef01001122")

    assert "sender_is_contract" in chain_behind.read_deposit(reference(tx_hash)).review


def test_sender_that_was_delegated_then_and_is_not_now_is_for_a_person_to_judge(
    sender_with_code: str, chain: EvmChain, local: LocalChain
) -> None:
    local.set_code(sender_with_code, DELEGATION)
    tx_hash = local.pay(sender=sender_with_code)
    local.mine()  # anvil changes code in the newest block, which must not be the deposit's
    local.set_code(sender_with_code, "0x")
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash))

    assert payment.review == ("sender_is_delegated",)
    assert payment.sender == sender_with_code


def test_node_that_forgot_the_old_state_judges_by_the_code_that_stands_there_now(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain, sender_with_code: str
) -> None:
    plain, delegated = local.pay(), local.pay(sender=sender_with_code)
    local.finalize()
    local.set_code(sender_with_code, DELEGATION)
    forget_history(unreliable, local)

    assert chain_behind.read_deposit(reference(plain)).review == ()
    assert chain_behind.read_deposit(reference(delegated)).review == ("sender_is_delegated",)


def forget_history(unreliable: UnreliableEndpoint, local: LocalChain) -> None:
    """Answer as a node that is no archive: the newest state, and an error for every older one."""

    def fault(body: bytes) -> tuple[int, bytes]:
        if b'"latest"' in body:
            return 200, unreliable.forward(body)
        return 200, b'{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"missing trie node 0xabc (path )"}}'

    unreliable.faults["eth_getCode"] = fault
