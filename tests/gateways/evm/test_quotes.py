"""Quotes of several transfers: asked in one request, judged one by one, whatever happens to the others."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import NeedsOperator, TryAgain
from domain.transfers import TransferTerms
from gateways.evm.chain import EvmChain
from gateways.evm.settings import PLAIN_TRANSFER_GAS
from tests.gateways.evm.local_chain import LocalChain
from tests.gateways.evm.payouts import REVERTS, outgoing
from tests.gateways.evm.unreliable import UnreliableEndpoint

ESTIMATE = "eth_estimateGas"
FRIENDS = ["0x" + 40 * "1", "0x" + 40 * "2", "0x" + 40 * "3"]
REFUSER = "0x" + 40 * "4"


def kinds(found: list[TransferTerms | NeedsOperator | TryAgain]) -> list[type]:
    return [type(it) for it in found]


def test_a_receiver_that_refuses_keeps_nobody_else_from_being_quoted(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    local.call("anvil_setCode", REFUSER, REVERTS)

    quotes = chain_behind.quotes([outgoing(it) for it in (*FRIENDS[:2], REFUSER, FRIENDS[2])])

    assert kinds(quotes) == [TransferTerms, TransferTerms, NeedsOperator, TransferTerms]
    assert "refuses to be paid" in str(quotes[2])
    assert unreliable.asked.count(ESTIMATE) == 4


def test_an_estimate_that_fails_lets_only_its_own_transfer_wait(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint
) -> None:
    def fault(body: bytes) -> tuple[int, bytes]:
        to = json.loads(body)["params"][0]["to"]
        busy = {"jsonrpc": "2.0", "id": 0, "error": {"code": -32005, "message": "limit exceeded"}}
        return 200, json.dumps(busy).encode() if to == FRIENDS[1] else unreliable.forward(body)

    unreliable.faults[ESTIMATE] = fault

    assert kinds(chain_behind.quotes([outgoing(it) for it in FRIENDS])) == [TransferTerms, TryAgain, TransferTerms]


def test_an_endpoint_that_takes_one_question_at_a_time_is_asked_so(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint
) -> None:
    unreliable.refuses_several = True

    quotes = chain_behind.quotes([outgoing(it) for it in FRIENDS])

    assert [it.gas for it in quotes if isinstance(it, TransferTerms)] == [PLAIN_TRANSFER_GAS] * 3
    assert unreliable.asked.count(ESTIMATE) == 3


@pytest.mark.parametrize("status", [429, 503], ids=["too many requests", "server error"])
def test_one_request_that_fails_lets_all_wait_and_is_not_asked_again_one_by_one(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, status: int
) -> None:
    unreliable.fails(ESTIMATE, status)

    assert kinds(chain_behind.quotes([outgoing(it) for it in FRIENDS])) == [TryAgain] * 3
    assert unreliable.asked.count(ESTIMATE) == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda answers: answers[1:], id="one is missing"),
        pytest.param(lambda answers: [answers[0], *answers[:-1]], id="one stands there twice"),
        pytest.param(lambda answers: [*answers[:-1], {**answers[-1], "id": None}], id="one is nobody's"),
        pytest.param(lambda answers: [*answers[:-1], 12], id="one is a bare number"),
        pytest.param(lambda answers: [], id="none"),
    ],
)
@pytest.mark.filterwarnings("ignore:Received batch response:RuntimeWarning")  # the library's word on the same
def test_answers_that_cannot_be_told_apart_are_nobodys(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, change: Callable[[list[Any]], Any]
) -> None:
    unreliable.changes_several = change

    assert kinds(chain_behind.quotes([outgoing(it) for it in FRIENDS])) == [TryAgain] * 3


def test_answers_in_another_order_are_still_each_ones_own(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    local.call("anvil_setCode", REFUSER, REVERTS)
    unreliable.changes_several = lambda answers: answers[::-1]

    quotes = chain_behind.quotes([outgoing(it) for it in (REFUSER, *FRIENDS)])

    assert kinds(quotes) == [NeedsOperator, TransferTerms, TransferTerms, TransferTerms]


def test_endpoints_that_differ_about_one_transfer_let_only_that_one_wait(
    chain_of_two: EvmChain, liar: UnreliableEndpoint
) -> None:
    def fault(body: bytes) -> tuple[int, bytes]:
        to = json.loads(body)["params"][0]["to"]
        refused = {"jsonrpc": "2.0", "id": 0, "error": {"code": 3, "message": "execution reverted"}}
        return 200, json.dumps(refused).encode() if to == FRIENDS[1] else liar.forward(body)

    liar.faults[ESTIMATE] = fault

    quotes = chain_of_two.quotes([outgoing(it) for it in FRIENDS])

    assert [type(it).__name__ for it in quotes] == ["TransferTerms", "EndpointsDisagree", "TransferTerms"]
