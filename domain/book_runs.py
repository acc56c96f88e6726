"""What a reconciliation hands to its steps and gets back: written to history, so fields are only ever added."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

WORKFLOW_TYPE = "ReconcileWorkflow"
WORKFLOW_ID_PREFIX = "reconcile/"
WINDOW_DAYS_DEFAULT = 45  # a card refund can fail up to 35 days after it was made
GRACE_SECONDS_DEFAULT = 3600  # what is younger may still be booked or adopted
UNDER_WAY_NAMED_MAX = 100
DIFFERENCES_PER_PAGE_MAX = 500
KEYS_PER_SCOPE_MAX = 2000  # a report is one payload of Temporal, which takes 2 MB; what is not named is found anyway
DAILY = "daily"
DAILY_PREFIX = f"{DAILY}-"  # Temporal adds the moment; nobody else may take such an id before the schedule does

Days = Annotated[int, Field(strict=True, ge=1, le=3650)]
Seconds = Annotated[int, Field(strict=True, ge=0, le=86400 * 30)]


def reconcile_workflow_id(reconciliation_id: str) -> str:
    """Name the workflow of a reconciliation."""
    return f"{WORKFLOW_ID_PREFIX}{reconciliation_id}"


def reconciliation_of(workflow_id: str) -> str:
    """Name the reconciliation of a workflow."""
    return workflow_id.removeprefix(WORKFLOW_ID_PREFIX)


class ReconcileRequest(BaseModel):
    """Asks for one reconciliation. Without an id it takes that of its run: a schedule gives each run its own."""

    model_config = ConfigDict(frozen=True)

    reconciliation_id: str | None = None
    days: Days = WINDOW_DAYS_DEFAULT
    grace_seconds: Seconds = GRACE_SECONDS_DEFAULT


class OpenBooks(BaseModel):
    """Names the reconciliation to open."""

    model_config = ConfigDict(frozen=True)

    reconciliation_id: str
    days: int
    grace_seconds: int


class BooksPlan(BaseModel):
    """What to compare: the rails that this worker has, from when on."""

    model_config = ConfigDict(frozen=True)

    reconciliation_id: str
    since: datetime
    now: datetime
    grace_seconds: int
    has_card: bool = False
    chain_ids: tuple[int, ...] = ()
    unread: tuple[str, ...] = ()
    """Places that paid by our books, and that this worker cannot read: not set up here, or a wallet of the past."""

    def card_days(self) -> list["CardDay"]:
        """Cut the window into days; the last is open, for a processor whose clock is ahead of ours."""
        starts = []
        start = self.since
        while start < self.now:
            starts.append(start)
            start += timedelta(days=1)
        ends = [*starts[1:], None]
        return [CardDay(plan=self, since=a, until=b) for a, b in zip(starts, ends, strict=True)]


class CardDay(BaseModel):
    """One day of refunds at the card processor and in the books; `until` None is open."""

    model_config = ConfigDict(frozen=True)

    plan: BooksPlan
    since: datetime
    until: datetime | None


class ChainPage(BaseModel):
    """One page of a wallet's payouts, in the order of their nonces; `after_nonce` None begins."""

    model_config = ConfigDict(frozen=True)

    plan: BooksPlan
    chain_id: int
    after_nonce: int | None = None


class PageReport(BaseModel):
    """What one step compared. `keys` name the differences; `is_whole` says that all of them are named.

    `kept` names open findings whose matter counts as under way now: it is not gone, and no patience makes it clean.
    """

    model_config = ConfigDict(frozen=True)

    compared: int = 0
    under_way_count: int = 0
    under_way: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    is_whole: bool = True
    next_nonce: int | None = None


class ScopeReport(BaseModel):
    """What was compared of one place: `card`, `chain/{id}` or `ledger`. `is_read` false: it could not be read."""

    model_config = ConfigDict(frozen=True)

    scope: str
    is_read: bool = True
    is_whole: bool = True
    compared: int = 0
    under_way_count: int = 0
    under_way: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def plus(self, page: PageReport) -> "ScopeReport":
        """Add one page."""
        named = tuple(dict.fromkeys([*self.under_way, *page.under_way]))
        keys, kept = dict.fromkeys([*self.keys, *page.keys]), dict.fromkeys([*self.kept, *page.kept])
        is_nameable = max(len(keys), len(kept)) <= KEYS_PER_SCOPE_MAX
        return self.model_copy(
            update={
                "is_whole": self.is_whole and page.is_whole and is_nameable,
                "compared": self.compared + page.compared,
                "under_way_count": self.under_way_count + page.under_way_count,
                "under_way": named[:UNDER_WAY_NAMED_MAX],
                "keys": tuple(keys)[:KEYS_PER_SCOPE_MAX],
                "kept": tuple(kept)[:KEYS_PER_SCOPE_MAX],
            }
        )

    def unread(self) -> "ScopeReport":
        """Say that the rest could not be read."""
        return self.model_copy(update={"is_read": False})


class CloseBooks(BaseModel):
    """Asks to write the report and to close the findings whose difference is gone."""

    model_config = ConfigDict(frozen=True)

    plan: BooksPlan
    scopes: tuple[ScopeReport, ...]


class BooksOutcome(BaseModel):
    """How a reconciliation ended: `clean`, `differences`, or `incomplete` where a place could not be read."""

    model_config = ConfigDict(frozen=True)

    reconciliation_id: str
    outcome: str
    differences: int = 0
    under_way: int = 0
    compared: int = 0
