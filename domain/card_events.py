"""What the card processor tells by itself: which refund or payment an event is about, and what came of it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class EventSubject(StrEnum):
    """What an event shows. Only this says how to read it, never the event's type."""

    REFUND = "refund"
    CHARGE = "charge"
    DISPUTE = "dispute"
    EARLY_FRAUD_WARNING = "radar.early_fraud_warning"


class EventOutcome(StrEnum):
    """What came of an event; a closed list, explained in the glossary."""

    WOKE = "woke"
    ECHO = "echo"
    REFUNDED_OUTSIDE = "refunded_outside"
    MISFIT = "misfit"
    UNHELD = "unheld"
    UNKNOWN = "unknown"
    OTHER_ACCOUNT = "other_account"


class CardEvent(BaseModel):
    """One event, as far as it names what to look at. Nothing in it is a fact about money: that is read again."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    type: str
    is_live: bool
    account: str | None = None
    """The connected account that it is about; None for the account itself."""
    api_version: str | None = None
    subject: EventSubject
    subject_id: str
    payment_intent: str | None = None
    refund_id: str | None = None
    """What the refund's metadata say, which anybody with the dashboard can edit."""
    attempt: int | None = None
    workflow_id: str | None = None
    status: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    refunded_minor: int | None = None
    """Of a charge: how much of it went back in all."""


class EventPage(BaseModel):
    """One page of events; `next` leads to the next one, and is None on the last."""

    model_config = ConfigDict(frozen=True)

    events: tuple[CardEvent, ...] = ()
    unreadable: int = 0
    next: str | None = None
