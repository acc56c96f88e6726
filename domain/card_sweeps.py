"""What the daily sweep of the card rail hands to its steps: written to history, so fields are only ever added."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

WORKFLOW_TYPE = "CardSweepWorkflow"
WORKFLOW_ID = "card-sweep/daily"  # Temporal adds the moment
LOOK_BACK_DAYS = 30  # the processor shows no event that is older


class SweepRequest(BaseModel):
    """Asks for one sweep. All but the first run of a long one says where the run before it stopped."""

    model_config = ConfigDict(frozen=True)

    since: datetime | None = None
    after: str | None = None
    seen: int = 0
    missed: int = 0


class MissedEvents(BaseModel):
    """Asks for one page of events that no webhook brought."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    after: str | None = None


class MissedReport(BaseModel):
    """What one page held: how many came for the first time, and where the next page begins."""

    model_config = ConfigDict(frozen=True)

    seen: int = 0
    missed: int = 0
    next: str | None = None


class SweepOutcome(BaseModel):
    """How a sweep ended. `is_read` false: the processor did not show all of its events."""

    model_config = ConfigDict(frozen=True)

    is_read: bool
    seen: int = 0
    missed: int = 0
    woken: int = 0
