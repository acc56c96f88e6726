"""The run as engineers and tools in other languages reach it: by Temporal's own command line."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devstack.demo.town import Town, wait_for
from domain.refunds import TicketRef, refund_id, workflow_id
from tests.e2e.conftest import Command

pytestmark = pytest.mark.stack

TWENTY_DOLLARS_MINOR = 2000


def unused_deposit(town: Town) -> tuple[str, str]:
    """Return an account with one unused card deposit, and its payment."""
    account, _ = town.open_account()
    payment = town.pay_by_card(TWENTY_DOLLARS_MINOR)
    card = {"rail": "card", "payment_intent": payment}
    town.deposit(account, TWENTY_DOLLARS_MINOR, card, datetime.now(UTC) - timedelta(days=1))
    return account, payment


def start(temporal: Command, ticket: TicketRef, body: Any) -> str:
    run = workflow_id(refund_id(ticket))
    words = ("workflow", "start", "--type", "RefundWorkflow", "--task-queue", "refunds", "--workflow-id", run)
    temporal(*words, "--input", json.dumps(body))
    return run


def query(temporal: Command, run: str) -> dict[str, Any]:
    answer = temporal("workflow", "query", "--workflow-id", run, "--type", "refund")
    return dict(answer["queryResult"][0])


def test_a_started_run_is_unverified_and_a_recorded_decision_brought_by_signal_pays_it(
    town: Town, temporal: Command
) -> None:
    account, payment = unused_deposit(town)
    ticket = TicketRef(system="cli", id=town.name("ticket"))
    body = {
        "ticket": {"system": ticket.system, "id": ticket.id},
        "channel": "ticket",
        "account": {"id": account},
        "rail": "card",
        "requested_at": datetime.now(UTC).isoformat(),
    }

    run = start(temporal, ticket, body)
    refund = refund_id(ticket)
    wait_for(lambda: query(temporal, run)["status"] == "awaiting_ownership" or None, "the run to ask who it is")
    confirmation = {"confirmation_id": town.name("confirmation"), "action": "confirm", "evidence": "called back"}
    town.must("approver_2", "POST", f"/v1/refunds/{refund}/ownership", confirmation)
    digest = town.until(refund, "awaiting_approval")["digest"]
    decision = {"decision_id": town.name("decision"), "action": "approve", "digest": digest}
    town.must("approver_1", "POST", f"/v1/refunds/{refund}/decisions?deliver=false", decision)
    untouched = query(temporal, run)
    news = json.dumps({"decision_id": decision["decision_id"]})
    temporal("workflow", "signal", "--workflow-id", run, "--name", "approve", "--input", news, as_json=False)

    assert untouched["status"] == "awaiting_approval"
    wait_for(lambda: query(temporal, run)["status"] == "refunded" or None, "the refund to be paid")
    assert [it["amount"] for it in town.refunds_at_stripe(payment)] == [TWENTY_DOLLARS_MINOR]


def test_a_signal_with_nothing_behind_it_changes_nothing_and_stands_in_the_timeline(
    town: Town, temporal: Command
) -> None:
    account, payment = unused_deposit(town)
    refund = town.request(account={"id": account}, rail="card")
    before = town.until(refund, "awaiting_approval")

    ghost = json.dumps({"decision_id": "ghost"})
    signal = ("workflow", "signal", "--workflow-id", workflow_id(refund), "--name", "approve", "--input", ghost)
    temporal(*signal, as_json=False)

    def noted() -> dict[str, Any] | None:
        seen = town.refund(refund)
        told = [entry for entry in seen["timeline"] if entry["event"] == "signal.without_record"]
        return seen if len(told) == 1 and told[0]["subject"].startswith("sealed:") else None

    after = wait_for(noted, "the signal to stand in the timeline")
    assert (after["status"], after["digest"]) == (before["status"], before["digest"])
    assert after["payouts"] == []
    assert town.refunds_at_stripe(payment) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("not an object", "body"),
        ({"ticket": {"system": "cli"}}, "ticket.id"),
        ({"ticket": {"system": "cli", "id": "short"}}, "channel"),
    ],
    ids=["no object", "a ticket without an id", "nothing but a ticket"],
)
def test_a_malformed_start_ends_rejected_and_names_the_field(temporal: Command, body: Any, field: str) -> None:
    identifier = body["ticket"].get("id", "none") if isinstance(body, dict) else "none"
    run = start(temporal, TicketRef(system="cli", id=identifier), body)

    result = temporal("workflow", "result", "--workflow-id", run)["result"]

    assert (result["status"], result["reason"], result["field"]) == ("rejected", "invalid_request", field)


def test_the_lists_of_temporal_find_a_refund_by_its_search_attributes(town: Town, temporal: Command) -> None:
    account, _ = unused_deposit(town)
    refund = town.request(account={"id": account}, rail="card")
    town.until(refund, "awaiting_approval")

    def found() -> list[Any] | None:
        asked = f"RefundAccount='{account}' AND RefundStatus='awaiting_approval' AND RefundAmountMinor=2000"
        return list(temporal("workflow", "list", "--query", asked)) or None

    rows = wait_for(found, "the refund to be listed")
    assert [row["execution"]["workflowId"] for row in rows] == [workflow_id(refund)]


def test_the_pages_of_temporal_say_what_a_refund_waits_for(town: Town, temporal: Command) -> None:
    account, _ = unused_deposit(town)
    refund = town.request(account={"id": account}, rail="card")
    digest = town.until(refund, "awaiting_approval")["digest"]

    def shown() -> str | None:
        question = ("--workflow-id", workflow_id(refund), "--type", "__temporal_workflow_metadata")
        details = json.dumps(temporal("workflow", "query", *question))
        return details if "waiting for: approval" in details else None

    assert digest in wait_for(shown, "the page to say what the refund waits for")


def test_a_refund_whose_run_was_terminated_is_paid_once_by_a_new_run(town: Town, temporal: Command) -> None:
    account, payment = unused_deposit(town)
    refund = town.request(account={"id": account}, rail="card")
    town.until(refund, "awaiting_approval")

    temporal("workflow", "terminate", "--workflow-id", workflow_id(refund), as_json=False)
    town.approve(refund)
    town.until(refund, "refunded")

    assert [it["amount"] for it in town.refunds_at_stripe(payment)] == [TWENTY_DOLLARS_MINOR]
