"""Temporal dies, stays away, forgets: what people did meanwhile is recorded, and every refund goes on rightly."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client

from devstack.stack import Stack
from domain.refunds import TicketRef, refund_id
from tests.outages.city import City, until
from tests.outages.parts import SqliteLock, TemporalServer, is_untold, kill, rows, stopped, untold

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]

Record = Callable[[str, object], None]


@pytest.fixture(scope="module", autouse=True)
def whole_trail(stack: Stack, broken_trail: Callable[[str], str | None]) -> Iterator[None]:
    """Whatever was killed, the audit trail is whole afterwards."""
    yield
    assert broken_trail(f"sqlite:///{stack.folder.path / 'refunds.sqlite'}") is None


def test_what_comes_in_while_temporal_is_away_is_recorded_and_told_later(
    city: City, temporal: TemporalServer, record_testsuite_property: Record
) -> None:
    approved, rejected, mailed, fresh = (city.pay_card() for _ in range(4))
    to_approve, to_reject, to_confirm = city.ask(approved), city.ask(rejected), city.ask_by_mail(mailed)
    for refund in (to_approve, to_reject):
        city.stands(refund, "awaiting_approval")
    city.stands(to_confirm, "awaiting_ownership")

    temporal.kill()
    until(lambda: httpx2.get(f"{city.info['api']}/readyz").status_code == 503, "the API to notice")
    started = city.ask(fresh)
    city.decide(to_approve)
    city.decide(to_reject, "reject")
    city.confirm(to_confirm)
    (decision,) = city.seen(to_approve)["decisions"]
    temporal.start()
    began = time.monotonic()

    city.stands(to_approve, "refunded")
    record_testsuite_property("temporal_killed_seconds_until_refunded", round(time.monotonic() - began, 1))
    city.stands(to_reject, "rejected")
    for refund in (started, to_confirm):
        city.decide(refund)
    for refund, purse in zip((started, to_confirm, to_approve), (fresh, mailed, approved), strict=True):
        city.stands(refund, "refunded")
        city.assert_paid_once(purse)
    city.assert_not_paid(rejected)
    assert city.seen(to_approve)["decisions"] == [decision]


def test_refunds_go_on_from_their_rows_where_temporal_lost_every_history(
    city: City, temporal: TemporalServer, record_testsuite_property: Record
) -> None:
    purses = {
        "checking": city.pay_card(),
        "awaiting_ownership": city.pay_card(),
        "awaiting_approval": city.pay_card(),
        "paying": city.pay_card(),
        "confirming": city.pay_card("pm_card_pendingRefund"),
        "needs_attention": city.pay_card("pm_card_pendingRefund"),
        "refunded": city.pay_card(),
        "rejected": city.pay_card(),
    }
    (coins,) = city.pay_coins(1)
    hang = {"hang_seconds": 3, "kind": "hang_after"}
    refunds = {name: city.ask(purses[name]) for name in ("awaiting_approval", "confirming", "needs_attention")}
    refunds |= {name: city.ask(purses[name]) for name in ("paying", "refunded", "rejected")}
    refunds["awaiting_ownership"] = city.ask_by_mail(purses["awaiting_ownership"])
    for name in ("confirming", "needs_attention", "refunded"):
        city.decide(refunds[name])
    city.decide(refunds["rejected"], "reject")
    city.until_final([coins])
    refunds["crypto"], purses["crypto"] = city.ask(coins), coins
    city.stands(refunds["needs_attention"], "confirming")
    (pending,) = city.stripe_refunds(purses["needs_attention"])
    city.simulator(f"refunds/{pending['id']}/fail", {})
    for name in ("needs_attention", "confirming", "refunded", "rejected", "awaiting_ownership", "awaiting_approval"):
        city.stands(refunds[name], name)
    city.decide(refunds["crypto"])
    city.stands(refunds["crypto"], "confirming")
    city.simulator("faults", {"method": "POST", "path_prefix": "/v1/refunds", **hang})
    city.decide(refunds["paying"])
    until(city.are_faults_spent, "the refund to be asked for at Stripe")
    city.simulator("faults", {"method": "GET", "path_prefix": "/v1/payment_intents", **hang})
    refunds["checking"] = city.ask(purses["checking"])
    until(city.are_faults_spent, "the payment to be read")

    temporal.kill()
    temporal.forget()
    temporal.start()
    began = time.monotonic()
    until(lambda: {"rejected"} == refunds.keys() - _running(city, refunds), "every unfinished refund to have a run")
    record_testsuite_property("history_lost_seconds_until_runs", round(time.monotonic() - began, 1))

    city.confirm(refunds["awaiting_ownership"])
    for name in ("awaiting_approval", "awaiting_ownership", "checking"):
        city.decide(refunds[name])
    (pending,) = city.stripe_refunds(purses["confirming"])
    city.simulator(f"refunds/{pending['id']}/settle", {})
    city.resolve(refunds["needs_attention"], "give_up")
    city.stands(refunds["needs_attention"], "rejected")
    for name in refunds.keys() - {"needs_attention", "rejected"}:
        city.stands(refunds[name], "refunded")
        city.assert_paid_once(purses[name])
    city.assert_not_paid(purses["needs_attention"])
    city.assert_not_paid(purses["rejected"])


def test_api_killed_before_it_could_tell_temporal_tells_when_it_is_back(
    city: City, stack: Stack, temporal: TemporalServer, database: Path, record_testsuite_property: Record
) -> None:
    asked, decided = city.pay_card(), city.pay_card()
    awaiting = city.ask(decided)
    digest = city.stands(awaiting, "awaiting_approval")["digest"]
    request = city.new_request(asked)
    decision = {"decision_id": city.name("decision"), "action": "approve", "digest": digest}
    decisions = f"/v1/refunds/{awaiting}/decisions"

    with stopped(temporal.pid):
        calls = [Cut(city, "helpdesk", "/v1/refunds", request), Cut(city, "approver_1", decisions, decision)]
        until(lambda: rows(database, "refunds", "ticket_id", request["ticket"]["id"]) == 1, "the request's row")
        until(lambda: rows(database, "decisions", "refund_id", awaiting) == 1, "the decision's row")
        api = stack.info["pids"]["api"]
        began = kill(api)
        for call in calls:
            call.assert_unanswered()
        temporal.kill()  # what the API may have said last is never heard
    temporal.start()

    again = city.insist("helpdesk", "POST", "/v1/refunds", request)
    city.insist("approver_1", "POST", decisions, decision)
    city.stands(awaiting, "refunded")
    city.decide(again["id"])
    city.stands(again["id"], "refunded")
    record_testsuite_property("api_killed_seconds_until_refunded", round(time.monotonic() - began, 1))
    assert rows(database, "refunds", "ticket_id", request["ticket"]["id"]) == 1
    assert [it["decision_id"] for it in city.seen(awaiting)["decisions"]] == [decision["decision_id"]]
    for purse in (asked, decided):
        city.assert_paid_once(purse)


def test_api_killed_after_the_start_and_before_its_mark_starts_no_second_run(
    city: City, stack: Stack, temporal: TemporalServer, database: Path
) -> None:
    purse = city.pay_card()
    request = city.new_request(purse)
    refund = refund_id(TicketRef(**request["ticket"]))
    held = SqliteLock(database)

    with stopped(temporal.pid):
        Cut(city, "helpdesk", "/v1/refunds", request)  # answered or not: what was told is written down afterwards
        until(lambda: rows(database, "refunds", "id", refund) == 1, "the request's row")
        held.take()  # so that the API can write nothing more: not that it told the run
    until(lambda: _runs(city, refund) == 1, "the run to be started")
    kill(stack.info["pids"]["api"])
    assert is_untold(database, refund)
    held.release()

    assert city.insist("helpdesk", "POST", "/v1/refunds", request)["id"] == refund
    city.decide(refund)
    city.stands(refund, "refunded")
    until(lambda: untold(database) == 0, "all news to be told")
    assert _runs(city, refund) == 1
    city.assert_paid_once(purse)


class Cut:
    """One call whose answer is lost, because the API is killed while it works on it."""

    def __init__(self, city: City, role: str, path: str, body: dict[str, Any]) -> None:
        self._ended: list[object] = []
        self._thread = threading.Thread(target=self._call, args=(city, role, path, body), daemon=True)
        self._thread.start()

    def _call(self, city: City, role: str, path: str, body: dict[str, Any]) -> None:
        try:
            answer = city.send(role, "POST", path, body)
        except httpx2.TransportError as error:
            self._ended.append(error)
        else:
            self._ended.append(answer.status_code)

    def assert_unanswered(self) -> None:
        """Insist that the caller learned nothing."""
        self._thread.join(30)
        (ending,) = self._ended
        assert isinstance(ending, httpx2.TransportError), ending


def _running(city: City, refunds: dict[str, str]) -> set[str]:
    """Name the refunds that have an open run, by Temporal's own list."""

    async def ask() -> set[str]:
        client = await Client.connect(city.info["temporal"])
        query = "WorkflowType = 'RefundWorkflow' AND ExecutionStatus = 'Running'"
        return {run.id.removeprefix("refund/") async for run in client.list_workflows(query)}

    running = asyncio.run(ask())
    return {name for name, refund in refunds.items() if refund in running}


def _runs(city: City, refund: str) -> int:
    """Count the runs that a refund ever had."""

    async def ask() -> int:
        client = await Client.connect(city.info["temporal"])
        return (await client.count_workflows(f"WorkflowId = 'refund/{refund}'")).count

    return asyncio.run(ask())
