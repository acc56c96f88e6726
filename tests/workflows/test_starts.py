"""Runs that were started without the API: malformed ones end with a result, good ones prove ownership first."""

from typing import Any

import pytest

from domain.refunds import RefundStatus, TicketRef, refund_id, workflow_id
from tests.workflows.house import House

AWAITING_OWNERSHIP, AWAITING_APPROVAL = RefundStatus.AWAITING_OWNERSHIP, RefundStatus.AWAITING_APPROVAL
REFUNDED = RefundStatus.REFUNDED
TICKET = refund_id(TicketRef(system="zammad", id="1"))


async def start(house: House, raw: Any, *, workflow: str = workflow_id(TICKET)) -> Any:
    """Start a run as any tool with access to Temporal can."""
    args = [] if raw is Ellipsis else [raw]
    return await house.temporal.client.start_workflow("RefundWorkflow", args=args, id=workflow, task_queue="refunds")


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (..., "body"),
        (None, "body"),
        ("a text", "body"),
        ([{"ticket": 1}], "body"),
        ({}, "ticket"),
        ({"ticket": "4711"}, "ticket"),
        ({"ticket": {"system": "zammad"}}, "ticket.id"),
        ({"ticket": {"system": "Not a system!", "id": "1"}}, "ticket.system"),
        ({"ticket": {"system": "zammad", "id": "a\u202eb"}}, "ticket.id"),
    ],
    ids=[
        "no argument",
        "null",
        "a text",
        "a list",
        "no ticket",
        "ticket is a text",
        "no ticket id",
        "bad system",
        "hidden characters",
    ],
)
async def test_a_start_without_a_readable_ticket_ends_as_rejected_and_names_the_field(
    house: House, raw: Any, field: str
) -> None:
    handle = await start(house, raw)

    outcome = await handle.result()

    assert (outcome["status"], outcome["reason"], outcome["field"]) == ("rejected", "invalid_request", field)
    assert outcome["message"].startswith(field)
    assert house.views.refunds() == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"channel": "phone"}, "channel"),
        ({"rail": None}, "rail"),
        ({"account": {}}, "account"),
        ({"account": {"id": "acct_nobody"}}, "account.id"),
        ({"account": {"username": "nobody"}}, "account.username"),
        ({"rail": "crypto"}, "rail"),
        ({"requested_at": "yesterday"}, "requested_at"),
        ({"requested_at": "2026-11-20T10:00:00"}, "requested_at"),
        ({"requested_at": "2999-01-01T00:00:00Z"}, "requested_at"),
        ({"payment_proof": "give me money"}, "payment_proof"),
        ({"payment_proof": "pi_of_somebody_else"}, "payment_proof"),
        ({"deposit_id": "dep_9"}, "deposit_id"),
        ({"session_claim": "a.b.c"}, "session_claim"),
    ],
    ids=lambda it: str(it)[:40],
)
async def test_a_start_with_a_bad_field_ends_as_rejected_names_it_and_writes_no_row(
    house: House, changes: dict[str, Any], field: str
) -> None:
    house.deposit()

    handle = await start(house, house.body(**changes))
    outcome = await handle.result()

    assert (outcome["status"], outcome["reason"], outcome["field"]) == ("rejected", "invalid_request", field)
    assert house.views.refunds() == []
    assert house.books() == {"spendable": 2000}


async def test_a_run_whose_id_does_not_follow_from_its_ticket_ends_as_rejected(house: House) -> None:
    house.deposit()

    handle = await start(house, house.body("2"))
    outcome = await handle.result()

    assert (outcome["status"], outcome["field"]) == ("rejected", "ticket")
    assert house.views.refunds() == []


async def test_a_destination_in_the_body_is_ignored_and_the_money_goes_to_the_sender(house: House) -> None:
    house.deposit(rail="crypto")
    elsewhere = "0x" + "66" * 20

    await start(house, house.body(rail="crypto", destination=elsewhere, to=elsewhere, amount_minor=1))
    await house.until(TICKET, AWAITING_OWNERSHIP)
    house.tickets[TICKET] = "1"
    house.confirm(TICKET)
    await house.bring(TICKET, AWAITING_APPROVAL)
    house.approve(TICKET)
    await house.bring(TICKET, REFUNDED)

    assert [to for to, _ in house.chain.moved()] != [elsewhere]
    assert len(house.chain.moved()) == 1


async def test_a_start_that_was_mended_begins_the_refund_under_the_same_id(house: House) -> None:
    house.deposit()
    await (await start(house, house.body(channel="phone"))).result()

    await start(house, house.body())
    seen = await house.until(TICKET, AWAITING_OWNERSHIP)

    assert seen["ticket"]["id"] == "1"


async def test_a_direct_start_writes_the_row_and_waits_until_somebody_vouches_for_the_requester(
    house: House,
) -> None:
    house.deposit()

    handle = await start(house, house.body())
    seen = await house.until(TICKET, AWAITING_OWNERSHIP)
    assert (seen["ownership"], seen["status_reason"]) == ("unverified", "ownership_unproved")
    assert house.books() == {"spendable": 2000}
    house.confirm(TICKET, "bob")
    await handle.signal("wake")
    await house.until(TICKET, AWAITING_APPROVAL)
    house.approve(TICKET, "ann")
    await handle.signal("wake")
    await house.until(TICKET, REFUNDED)

    assert house.card.moved() == [("pi_dep_1", 2000)]


async def test_an_update_brings_a_confirmation_and_answers_when_it_was_read(house: House) -> None:
    house.deposit()
    handle = await start(house, house.body())
    await house.until(TICKET, AWAITING_OWNERSHIP)
    await house.settle()

    outcome = await handle.execute_update("confirm_ownership", {"confirmation_id": house.confirm(TICKET)})
    await house.until(TICKET, AWAITING_APPROVAL)

    assert outcome["refund_id"] == TICKET


async def test_a_query_tells_where_the_refund_stands_and_what_it_waits_for(house: House) -> None:
    house.deposit()
    refund = await house.request()
    await house.until(refund, AWAITING_APPROVAL)
    await house.settle()

    seen = await house.handle(refund).query("refund")

    assert (seen["refund_id"], seen["status"], seen["waiting_for"]) == (refund, "awaiting_approval", "approval")
    assert seen["digest"] == house.see(refund)["digest"]
