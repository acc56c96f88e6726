"""A card number that comes with a direct start or a message goes into no table, and no further than its own event."""

import re
from typing import Any

import pytest
from sqlalchemy import MetaData, select

from domain.refunds import RefundStatus, TicketRef, refund_id, workflow_id
from tests.workflows.house import House

NUMBER = "4242424242424242"


def holds_number(text: str) -> bool:
    return NUMBER in re.sub(r"[\s\-]", "", text)


def everything_stored(house: House) -> str:
    metadata = MetaData()
    with house.database.engine.connect() as connection:
        metadata.reflect(connection)
        rows = [row for table in metadata.tables.values() for row in connection.execute(select(table)).all()]
    return "\n".join(str(tuple(row)) for row in rows)


async def carried_on(house: House, workflow: str) -> list[str]:
    """Return the events of a run that hold the number, without those in which the caller brought it."""
    history = await house.temporal.client.get_workflow_handle(workflow).fetch_history()
    brought = ("workflow_execution_started_event_attributes", "workflow_execution_signaled_event_attributes")
    ours = [it for it in history.events if it.WhichOneof("attributes") not in brought]
    return [str(it.WhichOneof("attributes")) for it in ours if holds_number(str(it))]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ticket": {"system": "zammad", "id": NUMBER}}, "ticket.id"),
        ({"payment_proof": "4242 4242 4242 4242"}, "payment_proof"),
        ({"account": {"username": "4242-4242-4242-4242"}}, "account.username"),
        ({"note_of_theirs": NUMBER}, "note_of_theirs"),
    ],
)
async def test_a_start_with_a_card_number_ends_as_rejected_and_carries_it_nowhere(
    house: House, change: dict[str, Any], field: str
) -> None:
    house.deposit()
    raw = house.body() | change
    workflow = workflow_id(refund_id(TicketRef.model_construct(**raw["ticket"])))

    handle = await house.temporal.client.start_workflow(
        "RefundWorkflow", args=[raw], id=workflow, task_queue="refunds"
    )
    outcome = await handle.result()

    assert (outcome["status"], outcome["field"]) == (RefundStatus.REJECTED, field)
    assert await carried_on(house, workflow) == []
    assert not holds_number(everything_stored(house))


async def test_a_signal_with_a_card_number_is_heard_without_it(house: House) -> None:
    house.deposit()
    refund = await house.request()
    await house.until(refund, RefundStatus.AWAITING_APPROVAL)

    await house.handle(refund).signal("approve", {"decision_id": "4242 4242 4242 4242"})
    await house.settle()

    assert await carried_on(house, workflow_id(refund)) == []
    assert not holds_number(everything_stored(house))
