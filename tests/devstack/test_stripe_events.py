"""What the Stripe simulator writes down about each change, read as Stripe's own library reads it."""

from pathlib import Path
from typing import Any

import pytest
import stripe

from devstack.stripe_simulator.calls import API_VERSION
from devstack.stripe_simulator.records import Record, Refund
from devstack.stripe_simulator.refunds import create_refund
from devstack.stripe_simulator.store import Store, Tables
from tests.devstack.simulator import DAY_SECONDS, Simulator, pay, refund, refused


def types(client: Any, **params: Any) -> list[str]:
    """List the types of all events, oldest first."""
    return [event.type for event in client.v1.events.list({"limit": 100, **params}).data][::-1]


def only(client: Any, event_type: str) -> Any:
    (event,) = client.v1.events.list({"type": event_type}).data
    return event


def test_events_carry_the_version_of_the_pinned_library(client: Any) -> None:
    pay(client)

    event = only(client, "payment_intent.succeeded")

    assert stripe.api_version == API_VERSION == event.api_version
    assert (event.object, event.livemode, event.pending_webhooks) == ("event", False, 0)
    assert event.data.object.status == "succeeded"
    assert "previous_attributes" not in event.data


def test_a_refund_is_an_event_of_its_own_and_one_of_its_charge(client: Any) -> None:
    payment = pay(client)

    made = refund(client, payment, "refund/rf_1/1", amount=500)

    assert types(client, types=["refund.created", "charge.refunded"]) == ["refund.created", "charge.refunded"]
    created, refunded = only(client, "refund.created"), only(client, "charge.refunded")
    assert created.data.object.to_dict() == made.to_dict()
    assert created.request.idempotency_key == "refund/rf_1/1"
    assert created.request.id == made.last_response.request_id
    assert refunded.data.object.amount_refunded == 500
    assert refunded.data.previous_attributes.to_dict() == {"amount_refunded": 0}
    refund(client, payment)
    latest = client.v1.events.list({"type": "charge.refunded", "limit": 1}).data[0]
    assert latest.data.previous_attributes.to_dict() == {"amount_refunded": 500, "refunded": False}


def test_a_refund_that_is_settled_and_then_fails_says_what_it_was_before(client: Any, simulator: Simulator) -> None:
    made = refund(client, pay(client, card="pm_card_pendingRefund"))
    simulator.post(f"refunds/{made.id}/settle")
    simulator.post(f"refunds/{made.id}/fail", failure_reason="declined")

    updates = client.v1.events.list({"type": "refund.updated"}).data
    failed = only(client, "refund.failed")

    assert [update.data.previous_attributes.status for update in updates] == ["succeeded", "pending"]
    assert updates[1].data.previous_attributes.pending_reason == "processing"
    assert updates[0].data.previous_attributes.failure_reason is None
    assert (failed.data.object.status, failed.data.object.failure_reason) == ("failed", "declined")
    assert failed.request.id is None
    assert "previous_attributes" not in failed.data
    # What the event shows is what was then, whatever became of it.
    assert updates[1].data.object.status == "succeeded"


def test_a_canceled_refund_is_updated_but_did_not_fail(client: Any, simulator: Simulator) -> None:
    made = refund(client, pay(client))

    simulator.post(f"refunds/{made.id}/cancel")

    assert types(client, type="refund.*") == ["refund.created", "refund.updated"]


def test_metadata_that_stays_the_same_is_no_event(client: Any) -> None:
    made = refund(client, pay(client), metadata={"a": "1"})

    client.v1.refunds.update(made.id, {"metadata": {"a": "1"}})
    client.v1.refunds.update(made.id, {"metadata": {"a": "2"}})

    assert only(client, "refund.updated").data.previous_attributes.to_dict() == {"metadata": {"a": "1"}}


def test_a_refusal_and_a_repeated_answer_are_no_events_but_a_lost_answer_is(
    client: Any, simulator: Simulator
) -> None:
    payment = pay(client)
    refused(client, payment, "key-1", amount=9999)
    # Refused only after the refund was made, which is undone with its events.
    refused(client, payment, "key-2", expand=["nonsense"])
    simulator.post("faults", method="POST", path_prefix="/v1/refunds", kind="500_after")
    with pytest.raises(stripe.APIError):
        refund(client, payment, "key-3")
    with pytest.raises(stripe.APIError):
        refund(client, payment, "key-3")

    assert types(client, types=["refund.created", "charge.refunded"]) == ["refund.created", "charge.refunded"]


async def test_a_change_whose_event_cannot_be_written_does_not_happen(tmp_path: Path, simulator: Simulator) -> None:
    def forget(_: Tables, __: Record | None, after: Record) -> None:
        if isinstance(after, Refund):
            raise OSError("the disk is full")

    payment = pay(simulator.client())
    copy = tmp_path / "copy.sqlite"
    store = Store(copy, observe=forget)
    await store.transaction(
        lambda tables: tables.connection.execute("ATTACH ? AS source", (str(simulator.database),))
    )
    await store.transaction(
        lambda tables: tables.connection.execute("INSERT INTO main.objects SELECT * FROM source.objects")
    )

    with pytest.raises(OSError, match="disk is full"):
        await store.transaction(lambda tables: create_refund(tables, {"payment_intent": payment.id}))

    assert await store.transaction(lambda tables: tables.select(Refund)) == []
    store.close()


def test_events_are_filtered_by_type_types_and_time(client: Any, simulator: Simulator) -> None:
    refund(client, pay(client))
    moment = only(client, "refund.created").created
    simulator.post("clock", advance_seconds=100)
    refund(client, pay(client))

    assert types(client, type="payment_intent.*", created={"lt": moment + 50}) == [
        "payment_intent.created",
        "payment_intent.succeeded",
    ]
    assert types(client, types=["refund.created"], created={"gte": moment + 100}) == ["refund.created"]
    assert types(client, types=["refund.created", "charge.refunded"])[2:] == ["refund.created", "charge.refunded"]
    assert types(client, type="refund?created") == []
    assert types(client, delivery_success=False) == []
    assert len(types(client, delivery_success=True)) == len(types(client))


def test_events_are_paged_in_both_directions(client: Any) -> None:
    pay(client)
    pay(client)
    listed = client.v1.events.list({"limit": 100}).data

    older = client.v1.events.list({"limit": 2, "starting_after": listed[0].id})
    newer = client.v1.events.list({"limit": 2, "ending_before": listed[3].id})
    walked = list(client.v1.events.list({"limit": 2}).auto_paging_iter())

    assert [event.id for event in older.data] == [event.id for event in listed[1:3]]
    assert [event.id for event in newer.data] == [event.id for event in listed[1:3]]
    assert older.has_more
    assert newer.has_more
    assert [event.id for event in walked] == [event.id for event in listed]


@pytest.mark.parametrize(
    ("params", "status", "param"),
    [
        ({"type": "refund.*", "types": ["refund.created"]}, 400, None),
        ({"types": ["refund.created"] * 21}, 400, "types"),
        ({"colour": "red"}, 400, "colour"),
        ({"delivery_success": "maybe"}, 400, "delivery_success"),
        ({"starting_after": "evt_unknown"}, 404, "starting_after"),
    ],
    ids=["type-and-types", "21-types", "unknown", "not-a-boolean", "no-such-cursor"],
)
def test_a_list_of_events_with_a_wrong_parameter_is_refused(
    client: Any, params: Any, status: int, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.events.list(params)

    assert (caught.value.http_status, caught.value.param) == (status, param)


def test_an_event_is_shown_for_thirty_days(client: Any, simulator: Simulator) -> None:
    pay(client)
    event = only(client, "payment_intent.succeeded")
    simulator.post("clock", advance_seconds=30 * DAY_SECONDS - 10)
    assert client.v1.events.retrieve(event.id).id == event.id
    assert len(types(client)) == 3

    simulator.post("clock", advance_seconds=10)

    assert types(client) == []
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.events.retrieve(event.id)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
