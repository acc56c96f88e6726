"""What the HTTP layer is given to work with; `server.py` makes it."""

from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from domain.book_runs import ReconcileRequest
from domain.checks import CheckOutcome, CheckRequest
from domain.refunds import TicketRef
from ledger.card_events import CardEvents
from ledger.clients import Clients
from ledger.database import Database
from ledger.feed import Feed
from ledger.figures import Figures
from ledger.findings import Findings
from ledger.idempotency import KeyedAnswers
from ledger.intake import Intake
from ledger.news import News
from ledger.previews import Previews
from ledger.rails import Rails
from ledger.reconciliations import Reconciliations
from ledger.records import Records
from ledger.views import Views


class RunTeller(Protocol):
    """Brings news to the runs of refunds. `tell` raises `TryAgain` where nothing is known for sure."""

    async def connect(self) -> None:
        """Prepare; called once, inside the event loop, before anything else."""

    async def tell(self, refund_id: str, ticket: TicketRef) -> None:
        """Wake the refund's run, or start one."""

    async def running(self) -> frozenset[str]:
        """Name the refunds that have an open run."""
        ...

    async def memory(self) -> str | None:
        """Name what the runs are remembered in, None while that is away; who lost everything has another name."""

    async def reconcile(self, request: ReconcileRequest) -> None:
        """Start a reconciliation; one that was started already is left alone."""

    async def check(self, request: CheckRequest) -> CheckOutcome:
        """Let a worker judge a request without any effect."""
        ...

    async def is_reachable(self) -> bool:
        """Tell whether a run could be told now."""


@dataclass(frozen=True)
class Services:
    """Everything that endpoints use."""

    database: Database
    intake: Intake
    records: Records
    feed: Feed
    views: Views
    clients: Clients
    answers: KeyedAnswers
    findings: Findings
    rails: Rails
    previews: Previews
    news: News
    figures: Figures
    reconciliations: Reconciliations
    card_events: CardEvents
    runs: RunTeller
    hook_secrets: tuple[str, ...] = field(default=(), repr=False)
    """Who may sign a webhook of the card processor; nobody where it is not set up."""
    hook_is_live: bool | None = None
    """Whether that processor's live mode is ours, or its test mode."""


async def services_of(request: Request) -> Services:
    """Return the services of the application that answers this request."""
    services: Services = request.app.state.services
    return services


ServicesNow = Annotated[Services, Depends(services_of)]
