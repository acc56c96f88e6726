"""Which event still has to go to which webhook target: rows, so that they outlive the process."""

import hashlib
import json
import time
from dataclasses import dataclass
from enum import StrEnum

from devstack.stripe_simulator import targets
from devstack.stripe_simulator.calls import Json, new_id
from devstack.stripe_simulator.signatures import Forgery
from devstack.stripe_simulator.store import Tables
from devstack.stripe_simulator.targets import Target

# The wait doubles with each failed try, up to this.
RETRY_SECONDS_MAX = 15.0

# Of one row of `events`: the targets that have not had it. Forged copies are not Stripe's and do not count.
PENDING_TARGETS = (
    "(SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE event = events.id AND forgery IS NULL "
    "GROUP BY target HAVING max(status = 'delivered') = 0))"
)


class Status(StrEnum):
    """What became of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Ordering(StrEnum):
    """Which of the deliveries that wait is sent next."""

    AS_MADE = "as_made"
    REVERSED = "reversed"
    SHUFFLED = "shuffled"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How events are delivered: `copies` of each, in which order, or for now not at all."""

    held: bool = False
    ordering: Ordering = Ordering.AS_MADE
    seed: int = 0
    copies: int = 1


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One copy of an event on its way to one target."""

    id: str
    event: str
    forgery: Forgery | None
    tries: int


def read_settings(tables: Tables) -> Settings:
    """Read how events are delivered now."""
    row = tables.connection.execute("SELECT held, ordering, seed, copies FROM webhook_settings").fetchone()
    if row is None:
        return Settings()
    held, ordering, seed, copies = row
    return Settings(held=bool(held), ordering=Ordering(ordering), seed=seed, copies=copies)


def write_settings(tables: Tables, settings: Settings) -> None:
    """Deliver differently from now on; `copies` is for events that are still to come."""
    tables.connection.execute("DELETE FROM webhook_settings")
    tables.connection.execute(
        "INSERT INTO webhook_settings (held, ordering, seed, copies) VALUES (?, ?, ?, ?)",
        (settings.held, settings.ordering, settings.seed, settings.copies),
    )


def queue(tables: Tables, event_id: str, event_type: str) -> None:
    """Queue a new event for every target that wants its type."""
    copies = read_settings(tables).copies
    for target in targets.list_targets(tables):
        if target.wants(event_type):
            for _ in range(copies):
                add(tables, event_id, target, forgery=None)


def add(tables: Tables, event_id: str, target: Target, *, forgery: Forgery | None) -> str:
    """Queue one copy of an event for one target."""
    delivery_id = new_id("wd_")
    tables.connection.execute(
        "INSERT INTO deliveries (id, event, target, forgery, status, due_at) VALUES (?, ?, ?, ?, ?, ?)",
        (delivery_id, event_id, target.id, forgery, Status.WAITING, time.time()),
    )
    return delivery_id


def next_due(tables: Tables, target: Target, settings: Settings, now: float) -> Delivery | None:
    """Choose what goes to this target now; a forger does not heed that deliveries are held."""
    direction = -1 if settings.ordering is Ordering.REVERSED else 1
    # A shuffle chooses among all that wait, the others among one.
    rows_max = -1 if settings.ordering is Ordering.SHUFFLED else 1
    rows = tables.connection.execute(
        "SELECT sequence, id, event, forgery, tries FROM deliveries WHERE target = ? AND status = ? AND due_at <= ? "
        "AND (forgery IS NOT NULL OR NOT ?) ORDER BY sequence * ? LIMIT ?",
        (target.id, Status.WAITING, now, settings.held, direction, rows_max),
    ).fetchall()
    if not rows:
        return None
    chosen = min(rows, key=lambda row: hashlib.sha256(f"{settings.seed}/{row[0]}".encode()).digest())
    _, delivery_id, event, forgery, tries = chosen
    return Delivery(id=delivery_id, event=event, forgery=None if forgery is None else Forgery(forgery), tries=tries)


def next_due_at(tables: Tables, settings: Settings, now: float) -> float | None:
    """Say when, by the real clock, the first delivery that must wait for its next try becomes due."""
    (due_at,) = tables.connection.execute(
        "SELECT min(due_at) FROM deliveries WHERE status = ? AND due_at > ? AND (forgery IS NOT NULL OR NOT ?)",
        (Status.WAITING, now, settings.held),
    ).fetchone()
    return None if due_at is None else float(due_at)


def record_try(
    tables: Tables, delivery: Delivery, target: Target, *, answer_status: int | None, error: str | None
) -> None:
    """Write down what a try came to; anything but an answer of 2xx is tried again, but not for ever."""
    tries = delivery.tries + 1
    # A forger has one shot: the receiver's first answer is what counts.
    is_last = tries >= target.tries_max or delivery.forgery is not None
    status = Status.WAITING if not is_last else Status.GIVEN_UP
    if answer_status is not None and 200 <= answer_status < 300:
        status = Status.DELIVERED
    now = time.time()
    tables.connection.execute(
        "UPDATE deliveries SET status = ?, tries = ?, tried_at = ?, due_at = ?, answer_status = ?, error = ? "
        "WHERE id = ?",
        (
            status,
            tries,
            now,
            now + min(target.retry_seconds * 2 ** (tries - 1), RETRY_SECONDS_MAX),
            answer_status,
            error,
            delivery.id,
        ),
    )


def list_deliveries(tables: Tables, *, event: str | None = None, status: str | None = None) -> list[Json]:
    """Show deliveries, oldest first."""
    rows = tables.connection.execute(
        "SELECT json_object('id', d.id, 'event', d.event, 'type', e.type, 'target', d.target, 'forgery', d.forgery, "
        "'status', d.status, 'tries', d.tries, 'tried_at', d.tried_at, "
        "'next_try_at', CASE d.status WHEN 'waiting' THEN d.due_at END, "
        "'answer_status', d.answer_status, 'error', d.error) "
        "FROM deliveries d JOIN events e ON e.id = d.event "
        "WHERE (:event IS NULL OR d.event = :event) AND (:status IS NULL OR d.status = :status) ORDER BY d.sequence",
        {"event": event, "status": status},
    )
    return [json.loads(shown) for (shown,) in rows]
