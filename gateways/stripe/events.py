"""Stripe's own list of events, for those that no webhook brought."""

from datetime import datetime
from functools import partial
from typing import Any, Literal

import stripe
from stripe.params import EventListParams

from domain.card_events import EventPage
from gateways.stripe.answers import Answer
from gateways.stripe.asking import read
from gateways.stripe.webhooks import EVENT_TYPES, NotAnEvent, read_event

PAGE_SIZE = 100  # the most that Stripe gives at once


class EventList(Answer):
    """One page of events, newest first."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    has_more: bool


def undelivered(
    client: stripe.StripeClient, since: datetime, after: str | None, *, page_size: int = PAGE_SIZE
) -> EventPage:
    """Return one page of the followed events that at least one endpoint has not taken yet; Stripe keeps 30 days.

    `after` is where the page before ended. An event that cannot be read is counted, and keeps no other waiting.
    """
    params: EventListParams = {
        "delivery_success": False,
        "types": list(EVENT_TYPES),
        "limit": page_size,
        "created": {"gte": int(since.timestamp())},
    }
    if after is not None:
        params["starting_after"] = after
    page = read(EventList, partial(client.v1.events.list, params))
    events, unreadable = [], 0
    for shown in page.data:
        try:
            event = read_event(shown)
        except NotAnEvent:
            unreadable += 1
            continue
        events += [event] if event is not None else []
    last = page.data[-1].get("id") if page.data and page.has_more else None
    return EventPage(events=tuple(events), unreadable=unreadable, next=last if isinstance(last, str) else None)
