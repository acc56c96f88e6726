"""Lists with cursors, newest first: https://docs.stripe.com/api/pagination."""

import json
from dataclasses import dataclass
from typing import Generic

from devstack.stripe_simulator import params as read
from devstack.stripe_simulator.errors import ApiError, no_such
from devstack.stripe_simulator.form import Form
from devstack.stripe_simulator.records import Charge, PaymentIntent, Record
from devstack.stripe_simulator.store import AnyRecord, Tables

LIMIT_DEFAULT = 10
LIMIT_MAX = 100
PARAMETERS = ("created", "ending_before", "expand", "limit", "starting_after")
LAST = 2**62

_OLDER = (
    "SELECT body FROM objects WHERE kind = :kind AND (:charge IS NULL OR charge = :charge) "
    "AND (:payment_intent IS NULL OR payment_intent = :payment_intent) "
    "AND created BETWEEN :from AND :to AND sequence < :cursor ORDER BY sequence DESC LIMIT :limit"
)
_NEWER = (
    "SELECT body FROM objects WHERE kind = :kind AND (:charge IS NULL OR charge = :charge) "
    "AND (:payment_intent IS NULL OR payment_intent = :payment_intent) "
    "AND created BETWEEN :from AND :to AND sequence > :cursor ORDER BY sequence LIMIT :limit"
)


@dataclass(frozen=True)
class Page(Generic[AnyRecord]):
    """One page, newest first; `has_more` speaks of the direction in which the caller pages."""

    records: list[AnyRecord]
    has_more: bool


def read_page(
    tables: Tables, kind: type[AnyRecord], params: Form, filters: tuple[str, ...] = ("charge", "payment_intent")
) -> Page[AnyRecord]:
    """Read the page that the parameters of a list call ask for; `filters` are those that this list has."""
    read.refuse_unknown(params, (*PARAMETERS, *filters))
    _refuse_other_owners(params)
    limit = read_limit(params)
    after, before = read.text(params, "starting_after"), read.text(params, "ending_before")
    if after is not None and before is not None:
        raise ApiError("You may only specify one of these parameters: starting_after, ending_before.")
    created_from, created_to = read_created_range(params)
    arguments = {
        "kind": kind.kind,
        "charge": _filter(tables, Charge, params),
        "payment_intent": _filter(tables, PaymentIntent, params),
        "from": created_from,
        "to": created_to,
        "limit": limit + 1,
    }
    if before is not None:
        arguments["cursor"] = _sequence(tables, kind, before, "ending_before")
        rows = tables.connection.execute(_NEWER, arguments).fetchall()
    else:
        arguments["cursor"] = LAST if after is None else _sequence(tables, kind, after, "starting_after")
        rows = tables.connection.execute(_OLDER, arguments).fetchall()
    records = [kind(**json.loads(body)) for (body,) in rows[:limit]]
    return Page(records[::-1] if before is not None else records, has_more=len(rows) > limit)


def _refuse_other_owners(params: Form) -> None:
    """Refuse a filter for what the simulator has none of: customers and transfer groups."""
    for name in ("customer", "customer_account", "transfer_group"):
        value = read.text(params, name)
        if value is not None:
            raise no_such(name, value, param=name)


def _filter(tables: Tables, kind: type[Record], params: Form) -> str | None:
    object_id = read.text(params, kind.kind)
    if object_id is not None and tables.find(kind, object_id) is None:
        raise no_such(kind.kind, object_id, param=kind.kind)
    return object_id


def read_limit(params: Form) -> int:
    """Read how many objects a page may hold."""
    limit = read.integer(params, "limit", at_least=1)
    if limit is None:
        return LIMIT_DEFAULT
    if limit > LIMIT_MAX:
        raise ApiError(
            f"This value must be less than or equal to {LIMIT_MAX}.",
            code="parameter_invalid_integer",
            param="limit",
        )
    return limit


def _sequence(tables: Tables, kind: type[AnyRecord], cursor: str, param: str) -> int:
    row = tables.connection.execute(
        "SELECT sequence FROM objects WHERE id = ? AND kind = ?", (cursor, kind.kind)
    ).fetchone()
    if row is None:
        raise no_such(kind.kind, cursor, param=param)
    return int(row[0])


def read_created_range(params: Form) -> tuple[int, int]:
    """Read between which two Unix times, both included, an object was made."""
    given = params.get("created", {})
    if isinstance(given, str):
        moment = read.integer(params, "created")
        return (0, LAST) if moment is None else (moment, moment)
    read.refuse_unknown(given, ("gt", "gte", "lt", "lte"))
    bounds = {name: read.integer(given, name) for name in given}
    lower = [value + (name == "gt") for name, value in bounds.items() if value is not None and name[0] == "g"]
    upper = [value - (name == "lt") for name, value in bounds.items() if value is not None and name[0] == "l"]
    return max(lower, default=0), min(upper, default=LAST)
