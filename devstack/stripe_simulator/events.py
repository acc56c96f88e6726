"""Events as Stripe keeps and shows them: https://docs.stripe.com/api/events."""

import json
from typing import Any

from devstack.stripe_simulator import deliveries
from devstack.stripe_simulator import params as read
from devstack.stripe_simulator.calls import API_VERSION, Json, new_id
from devstack.stripe_simulator.errors import ApiError, no_such
from devstack.stripe_simulator.form import Form
from devstack.stripe_simulator.listing import LAST, read_created_range, read_limit
from devstack.stripe_simulator.objects import list_json
from devstack.stripe_simulator.store import Tables

# Stripe shows an event for 30 days.
SHOWN_SECONDS = 30 * 24 * 3600
TYPES_MAX = 20
_PARAMETERS = (
    "created",
    "delivery_success",
    "ending_before",
    "expand",
    "limit",
    "starting_after",
    "type",
    "types",
)
_COLUMNS = f"id, type, created, api_version, request_id, idempotency_key, data, {deliveries.PENDING_TARGETS}"
_PAGE = (
    f"SELECT {_COLUMNS} FROM events WHERE created BETWEEN :from AND :to "  # noqa: S608 # our constants
    "AND (:types IS NULL OR type IN (SELECT value FROM json_each(:types))) "
    "AND (:pattern IS NULL OR type GLOB :pattern) "
    f"AND (:delivered IS NULL OR ({deliveries.PENDING_TARGETS} = 0) = :delivered) "
)
_OLDER = _PAGE + "AND sequence < :cursor ORDER BY sequence DESC LIMIT :limit"
_NEWER = _PAGE + "AND sequence > :cursor ORDER BY sequence LIMIT :limit"


def write_event(tables: Tables, event_type: str, shown: Json, *, previous: Json | None = None) -> None:
    """Write down what happened, with the object as it is now, and queue it for every target that wants it."""
    event_id = new_id("evt_1")
    cause = tables.cause
    data = {"object": shown} if previous is None else {"object": shown, "previous_attributes": previous}
    tables.connection.execute(
        "INSERT INTO events (id, type, created, api_version, request_id, idempotency_key, data) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            event_id,
            event_type,
            tables.now(),
            API_VERSION,
            None if cause is None else cause.request_id,
            None if cause is None else cause.key,
            json.dumps(data),
        ),
    )
    deliveries.queue(tables, event_id, event_type)


def find_event(tables: Tables, event_id: str) -> Json:
    """Show one event that is not older than 30 days."""
    event = show_event(tables, event_id)
    if event["created"] <= tables.now() - SHOWN_SECONDS:
        raise no_such("event", event_id)
    return event


def show_event(tables: Tables, event_id: str) -> Json:
    """Show one event of any age, as it is sent to a webhook target."""
    row = tables.connection.execute(
        f"SELECT {_COLUMNS} FROM events WHERE id = ?",  # noqa: S608 # our constants
        (event_id,),
    ).fetchone()
    if row is None:
        raise no_such("event", event_id)
    return _event_json(row)


def list_events(tables: Tables, params: Form) -> Json:
    """Show one page of the last 30 days, newest first."""
    read.refuse_unknown(params, _PARAMETERS)
    after, before = read.text(params, "starting_after"), read.text(params, "ending_before")
    if after is not None and before is not None:
        raise ApiError("You may only specify one of these parameters: starting_after, ending_before.")
    limit = read_limit(params)
    created_from, created_to = read_created_range(params)
    arguments: dict[str, object] = {
        **_wanted_types(params),
        "from": max(created_from, tables.now() - SHOWN_SECONDS + 1),
        "to": created_to,
        "delivered": read.boolean(params, "delivery_success") if "delivery_success" in params else None,
        "limit": limit + 1,
    }
    if before is not None:
        rows = tables.connection.execute(_NEWER, {**arguments, "cursor": _sequence(tables, before, "ending_before")})
    else:
        cursor = LAST if after is None else _sequence(tables, after, "starting_after")
        rows = tables.connection.execute(_OLDER, {**arguments, "cursor": cursor})
    found = rows.fetchall()
    shown = [_event_json(row) for row in found[:limit]]
    return list_json("/v1/events", shown if before is None else shown[::-1], has_more=len(found) > limit)


def _wanted_types(params: Form) -> dict[str, str | None]:
    names, one = read.words(params, "types"), read.text(params, "type")
    if names and one is not None:
        raise ApiError("You may only specify one of these parameters: type, types.")
    if len(names) > TYPES_MAX:
        raise ApiError(f"You may pass up to {TYPES_MAX} event types.", param="types")
    # In GLOB, brackets and question marks mean something; in Stripe's wildcard only the asterisk does.
    pattern = None if one is None else one.replace("[", "[[]").replace("?", "[?]")
    return {"types": json.dumps(names) if names else None, "pattern": pattern}


def _sequence(tables: Tables, cursor: str, param: str) -> int:
    row = tables.connection.execute("SELECT sequence FROM events WHERE id = ?", (cursor,)).fetchone()
    if row is None:
        raise no_such("event", cursor, param=param)
    return int(row[0])


def _event_json(row: tuple[Any, ...]) -> Json:
    event_id, event_type, created, api_version, request_id, idempotency_key, data, pending = row
    return {
        "id": event_id,
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": json.loads(data),
        "livemode": False,
        "pending_webhooks": pending,
        "request": {"id": request_id, "idempotency_key": idempotency_key},
        "type": event_type,
    }
