"""Quotes of several transfers: asked in one request, judged one by one, whatever happens to the others."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from domain.errors import NeedsOperator, TryAgain
from domain.transfers import TransferTerms
from gateways.evm.agreement import Member
from gateways.evm.chain import EvmChain
from gateways.evm.endpoint import Endpoint, TookTooLong
from gateways.evm.fees import Fees
from gateways.evm.node import Node
from gateways.evm.settings import PLAIN_TRANSFER_GAS
from gateways.evm.terms import terms_of_all
from tests.gateways.evm.local_chain import LocalChain, chain_settings
from tests.gateways.evm.payouts import REVERTS, outgoing
from tests.gateways.evm.unreliable import UnreliableEndpoint

ESTIMATE = "eth_estimateGas"
FRIENDS = ["0x" + 40 * "1", "0x" + 40 * "2", "0x" + 40 * "3"]
REFUSER = "0x" + 40 * "4"


def kinds(found: list[TransferTerms | NeedsOperator | TryAgain]) -> list[type]:
    return [type(it) for it in found]


def quotes_of(
    unreliable: UnreliableEndpoint, receivers: Sequence[str], patience_seconds: float = 0.5
) -> list[TransferTerms | NeedsOperator | TryAgain]:
    """Quote as one member of the endpoints does, with less patience."""
    settings = chain_settings(unreliable.url)
    endpoint = Endpoint(unreliable.url, chain_name=settings.name, request_seconds_max=patience_seconds)
    member = Member(1, endpoint, Node(endpoint, settings))
    return terms_of_all(member, settings, [outgoing(it) for it in receivers], Fees(2, 1))


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


@pytest.mark.parametrize("status", [200, 400, 413], ids=["in its own words", "bad request", "too large"])
def test_an_endpoint_that_takes_one_question_at_a_time_is_asked_so(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, status: int
) -> None:
    unreliable.refuses_several = status

    quotes = chain_behind.quotes([outgoing(it) for it in FRIENDS])

    assert [it.gas for it in quotes if isinstance(it, TransferTerms)] == [PLAIN_TRANSFER_GAS] * 3
    assert unreliable.asked.count(ESTIMATE) == 3


def test_an_endpoint_that_takes_fewer_questions_at_once_is_asked_one_by_one(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint
) -> None:
    too_many = {"code": -32600, "message": "batch too large"}
    unreliable.changes_several = lambda answers: [{"jsonrpc": "2.0", "id": answers[0]["id"], "error": too_many}]

    assert kinds(chain_behind.quotes([outgoing(it) for it in FRIENDS])) == [TransferTerms] * 3


def test_an_estimate_that_takes_too_long_lets_only_its_own_transfer_wait(unreliable: UnreliableEndpoint) -> None:
    unreliable.hangs(ESTIMATE, about=FRIENDS[1])

    quotes = quotes_of(unreliable, FRIENDS, patience_seconds=1)

    assert kinds(quotes) == [TransferTerms, TookTooLong, TransferTerms]


def test_an_endpoint_that_never_answers_is_not_asked_one_by_one(unreliable: UnreliableEndpoint) -> None:
    unreliable.hangs(ESTIMATE)
    unreliable.hangs("eth_chainId")

    with pytest.raises(TookTooLong, match="did not answer eth_chainId"):
        quotes_of(unreliable, FRIENDS)

    assert unreliable.asked == [ESTIMATE, "eth_chainId"]


def test_a_question_that_was_alone_and_took_too_long_is_not_asked_again(unreliable: UnreliableEndpoint) -> None:
    unreliable.hangs(ESTIMATE)

    with pytest.raises(TookTooLong):
        quotes_of(unreliable, FRIENDS[:1])

    assert unreliable.asked == [ESTIMATE]


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
        pytest.param(lambda answers: [it | {"id": str(it["id"])} for it in answers], id="in the order of texts"),
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
