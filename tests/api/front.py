"""The HTTP application on a real ledger, with callers of every role and runs that only remember."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from api.app import create_app
from api.services import Services
from domain.book_runs import ReconcileRequest
from domain.checks import CheckOutcome, CheckRequest
from domain.errors import TryAgain
from domain.people import Role
from domain.refunds import TicketRef
from ledger.card_events import CardEvents
from ledger.clients import Clients
from ledger.database import Database
from ledger.figures import Figures
from ledger.idempotency import KeyedAnswers
from ledger.previews import Previews
from ledger.reconciliations import Reconciliations
from tests.api.hook_calls import NEXT_SECRET, SECRET
from tests.ledger.scene import PAID_CARD, PEOPLE, Scene

CALLERS = {"shop": Role.BILLING, **PEOPLE}
ACCOUNT = {"username": "user1", "email": "user1@example.com", "status": "active"}
DEPOSIT = {
    "account_id": "acct",
    "amount_minor": 2000,
    "currency": "USD",
    "paid_at": "2026-11-20T10:00:00Z",
    "payment": {"rail": "card", "payment_intent": "pi_fed"},
}
CRYPTO = {
    "rail": "crypto",
    "chain_id": 31337,
    "tx_hash": "0x" + "Ab" * 32,
    "asset": "native",
    "amount_base_units": "10000000000000000000",
}
ORDER = {
    "account_id": "acct",
    "product": "sms",
    "amount_minor": 50,
    "currency": "USD",
    "status": "charged",
    "created_at": "2026-11-20T11:30:00Z",
}
REQUEST = {
    "ticket": {"system": "desk", "id": "1", "url": "https://desk.example.com/tickets/1"},
    "channel": "ticket",
    "account": {"id": "acct"},
    "rail": "card",
    "requested_at": "2026-11-20T12:00:00Z",
    "locale": "en",
}


@dataclass
class RecordingRuns:
    """Runs that remember who was told. `is_away` and `faulty` say how they fail."""

    told: list[tuple[str, str]] = field(default_factory=list)
    is_away: bool = False
    faulty: set[str] = field(default_factory=set)
    lost: frozenset[str] = frozenset()
    remembers: str | None = None
    """What a look finds; None keeps the application's own look, which comes at any moment, waiting for ever."""
    calls: int = 0
    reconciled: list[ReconcileRequest] = field(default_factory=list)
    previews: Previews | None = None

    async def connect(self) -> None:
        return None

    async def tell(self, refund_id: str, ticket: TicketRef) -> None:
        self.calls += 1
        if self.is_away:
            raise TryAgain("away")
        if refund_id in self.faulty:
            raise ValueError("Temporal said: secret words")
        self.told.append((refund_id, str(ticket)))

    async def running(self) -> frozenset[str]:
        return frozenset(refund for refund, _ in self.told) - self.lost

    async def memory(self) -> str | None:
        if self.remembers is None:
            await asyncio.Event().wait()
        return None if self.is_away else self.remembers

    async def reconcile(self, request: ReconcileRequest) -> None:
        if self.is_away:
            raise TryAgain("away")
        self.reconciled.append(request)

    async def check(self, request: CheckRequest) -> CheckOutcome:
        if self.is_away or self.previews is None:
            raise TryAgain("away")
        return self.previews.judge(request, PAID_CARD)

    async def is_reachable(self) -> bool:
        return not self.is_away


class Front:
    """What a caller sees, and a look behind it."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.runs = scene, RecordingRuns(previews=scene.previews)
        self.services = Services(
            database=scene.database,
            intake=scene.intake,
            records=scene.records,
            feed=scene.feed,
            views=scene.views,
            clients=scene.clients,
            answers=KeyedAnswers(scene.database),
            findings=scene.findings_desk,
            rails=scene.rails,
            previews=scene.previews,
            news=scene.news,
            figures=Figures(scene.database, scene.policy),
            reconciliations=Reconciliations(scene.database),
            card_events=CardEvents(scene.database),
            runs=self.runs,
            hook_secrets=(SECRET, NEXT_SECRET),
            hook_is_live=False,
        )
        self.app = create_app(self.services)
        self.client = TestClient(self.app)

    def call(self, caller: str | None, method: str, path: str, json: Any = None, **more: Any) -> Response:
        """Call as one of `CALLERS`, or as nobody."""
        headers = dict(more.pop("headers", {}))
        if caller is not None:
            headers.setdefault("Authorization", f"Bearer {token_of(caller)}")
        if json is not None:
            more["json"] = json
        return self.client.request(method, path, headers=headers, **more)

    def raw(self, body: bytes, caller: str = "desk", path: str = "/v1/refunds", **headers: str) -> Response:
        """Post bytes as they are."""
        return self.call(caller, "POST", path, content=body, headers={"Content-Type": "application/json", **headers})

    def start(self, **changes: Any) -> dict[str, Any]:
        """Start a refund as the help desk and return it."""
        answer = self.call("desk", "POST", "/v1/refunds", REQUEST | changes)
        assert answer.status_code == 202, answer.text
        refund: dict[str, Any] = answer.json()
        return refund

    def refunds(self) -> list[dict[str, Any]]:
        """All rows, as the ledger has them."""
        return self.scene.views.refunds(limit=1000)


def enlist_callers(database: Database) -> None:
    """Give everybody of `CALLERS` their token."""
    for name, role in CALLERS.items():
        Clients(database).add(name, role, actor="setup", token=token_of(name))


def token_of(name: str) -> str:
    return f"rfd_{name}_token"


def problem(
    answer: Response, status: int, slug: str, field: str | None = None, rule: str | None = None
) -> dict[str, Any]:
    """Check that the answer is exactly this problem, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/problems/{slug}", body
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    assert field is None or body.get("field") == field, body
    assert rule is None or body.get("rule") == rule, body
    return body
