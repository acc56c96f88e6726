"""A locked database, a dead card processor, a dead chain: refunds under way wait for them, and are paid once."""

import asyncio
import functools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from temporalio.client import Client

from devstack.stack import Stack
from tests.outages.city import City, until
from tests.outages.parts import SqliteLock, kill, until_replaced

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]

Record = Callable[[str, object], None]

CALLERS_AT_ONCE = 20  # more than the API has threads
ANSWER_SECONDS_MAX = 15.0  # two turns of its threads, on a busy machine


@pytest.fixture(scope="module", autouse=True)
def whole_trail(stack: Stack, broken_trail: Callable[[str], str | None]) -> Iterator[None]:
    """Whatever was killed, the audit trail is whole afterwards."""
    yield
    assert broken_trail(f"sqlite:///{stack.folder.path / 'refunds.sqlite'}") is None


def test_callers_of_a_locked_database_are_told_to_try_again_and_steps_are_repeated(
    city: City, database: Path, record_testsuite_property: Record
) -> None:
    purses = [city.pay_card() for _ in range(CALLERS_AT_ONCE)]
    requests = [city.new_request(purse) for purse in purses]
    under_way = city.pay_card()
    refund = city.ask(under_way)
    city.stands(refund, "awaiting_approval")
    city.simulator("faults", {"method": "GET", "path_prefix": "/v1/", "kind": "hang_before", "hang_seconds": 1})
    city.decide(refund)
    until(city.are_faults_spent, "the last check to be under way")
    lock = SqliteLock(database)
    lock.take()

    with ThreadPoolExecutor(CALLERS_AT_ONCE) as pool:
        began = time.monotonic()
        answers = list(pool.map(functools.partial(city.send, "helpdesk", "POST", "/v1/refunds"), requests))
        took = time.monotonic() - began
    seen = city.call("helpdesk", "GET", f"/v1/refunds/{refund}")
    until(lambda: _attempts(city, refund) > 1, "a step to be tried again")
    lock.release()
    began = time.monotonic()

    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    assert {answer.json()["type"] for answer in answers} == {"/problems/try-again"}
    assert took < ANSWER_SECONDS_MAX
    assert (seen.status, seen.body["status"]) == (200, "awaiting_approval")
    again = [city.insist("helpdesk", "POST", "/v1/refunds", request)["id"] for request in requests]
    assert len(set(again)) == CALLERS_AT_ONCE
    city.stands(refund, "refunded")
    record_testsuite_property("sqlite_locked_seconds_until_refunded", round(time.monotonic() - began, 1))
    for other in again:
        city.stands(other, "awaiting_approval")
    city.assert_paid_once(under_way)


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"], ids=["before it refunded", "after it refunded"])
def test_card_refund_is_made_once_though_the_processor_dies_on_it(
    city: City, stack: Stack, kind: str, record_testsuite_property: Record
) -> None:
    purse = city.pay_card()
    refund = city.ask(purse)
    city.stands(refund, "awaiting_approval")
    fault = {"method": "POST", "path_prefix": "/v1/refunds", "kind": kind, "hang_seconds": 60}
    city.simulator("faults", fault)
    city.decide(refund)
    until(city.are_faults_spent, "the refund to be asked for")
    assert len(city.stripe_refunds(purse)) == (1 if kind == "hang_after" else 0)

    pid = stack.info["pids"]["stripe"]
    began = kill(pid)
    until_replaced(stack.folder.path, "stripe", pid)
    city.stands(refund, "refunded")
    record_testsuite_property(f"stripe_killed_{kind}_seconds_until_refunded", round(time.monotonic() - began, 1))
    city.assert_paid_once(purse)


def test_chain_payouts_land_once_though_the_node_dies_and_forgets_them(
    city: City, stack: Stack, record_testsuite_property: Record
) -> None:
    coins = city.pay_coins(2)
    city.until_final(coins)
    refunds = [city.ask(purse) for purse in coins]
    for refund in refunds:
        city.stands(refund, "awaiting_approval")
    city.rpc("evm_setIntervalMining", 0)  # nothing gets into a block, and a node keeps its pool in memory only
    nonce = city.wallet_nonce()
    for refund in refunds:
        city.decide(refund)
    until(lambda: int(city.rpc("txpool_status")["pending"], 16) == len(coins), "the payouts to be in the pool")

    pid = stack.info["pids"]["chain_31337"]
    began = kill(pid)
    until_replaced(stack.folder.path, "chain_31337", pid)
    for refund in refunds:
        city.stands(refund, "refunded")
    record_testsuite_property("chain_killed_seconds_until_refunded", round(time.monotonic() - began, 1))
    for purse in coins:
        city.assert_paid_once(purse)
    assert city.wallet_nonce() == nonce + len(coins)


def _attempts(city: City, refund: str) -> int:
    """Return how often the step was begun that the run waits for."""

    async def ask() -> int:
        client = await Client.connect(city.info["temporal"])
        found = await client.get_workflow_handle(f"refund/{refund}").describe()
        return max((step.attempt for step in found.raw_description.pending_activities), default=0)

    return asyncio.run(ask())
