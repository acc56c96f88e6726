"""Steps of the daily sweep: take in what no webhook brought, and have every open card payout looked at."""

import logging
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.errors import translated
from domain.card_events import CardEvent, EventOutcome, EventPage
from domain.card_sweeps import MissedEvents, MissedReport
from domain.errors import TryAgain

logger = logging.getLogger("refunds.sweep")


class CardEventSource(Protocol):
    """The card processor, as far as it lists what it could not tell us."""

    @property
    def is_live(self) -> bool: ...

    def undelivered_events(self, since: datetime, after: str | None) -> EventPage: ...


class Taken(Protocol):
    """What came of an event."""

    @property
    def outcome(self) -> EventOutcome: ...

    @property
    def is_new(self) -> bool: ...


class CardEvents(Protocol):
    """Where events are written down, with news for the runs that they concern. The API tells the news."""

    def take_missed(self, event: CardEvent, *, is_live: bool) -> Taken: ...

    def wake_open_payouts(self) -> int: ...

    def forget(self) -> None: ...


class CardSweepActivities:
    """Each step may run twice: an event counts once, and news that nobody told yet are news enough."""

    def __init__(self, *, source: CardEventSource | None, events: CardEvents) -> None:
        self._configured = source
        self._events = events

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def take_missed_events(self, asked: MissedEvents) -> MissedReport:
        """Take in one page of events, as if a webhook had brought them."""
        source = self._configured
        if source is None:
            raise TryAgain("the card rail is not configured")
        page = source.undelivered_events(asked.since, asked.after)
        taken = [self._events.take_missed(event, is_live=source.is_live) for event in page.events]
        missed = sum(it.is_new for it in taken)
        if missed or page.unreadable:
            logger.warning("sweep.missed_events", extra={"missed": missed, "unreadable": page.unreadable})
        return MissedReport(seen=len(taken) + page.unreadable, missed=missed, next=page.next)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def wake_open_payouts(self) -> int:
        """Leave news for the run of every open card payout, and drop events that cannot come again."""
        self._events.forget()
        return self._events.wake_open_payouts()
