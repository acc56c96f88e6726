"""A refund service in one process: the real ledger, worker and workflow, and people played by the test."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import WorkflowHandle
from temporalio.plugin import SimplePlugin
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.decisions import Action, ResolutionAction
from domain.limits import Limits
from domain.money import Money
from domain.payments import CardPaymentRef, ChainPaymentRef
from domain.people import Role
from domain.policy import Handling, Policy, PolicyVersion
from domain.refunds import TASK_QUEUE, RefundRequest, RefundStatus, refund_id, workflow_id
from ledger import audit, migrate
from ledger.billing import AccountRecord, DepositRecord, OrderRecord
from ledger.clients import Clients
from ledger.database import Database
from ledger.feed import Feed
from ledger.intake import Intake, Requester
from ledger.outbox import NO_LIMITS
from ledger.records import NewConfirmation, NewDecision, NewResolution, Records
from ledger.views import Views
from tests.fakes import CHAIN_ID, WALLET, FakeCardProcessor, FakeChain
from worker import build_worker
from workflows import attributes, payloads

DESK = Requester(name="desk", is_helpdesk=True)
COIN = 10**16
PEOPLE = {
    "desk": Role.HELPDESK,
    "vera": Role.VIEWER,
    "ann": Role.APPROVER,
    "bob": Role.APPROVER,
    "root": Role.ADMIN,
}


@dataclass
class Clock:
    """The database's clock: real time, moved on by what a test skips."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass
class House:
    """Everything a test needs to play the people around a refund. Without `env` nothing runs by itself."""

    database: Database
    clock: Clock
    policy: Policy
    env: WorkflowEnvironment | None = None
    card: FakeCardProcessor = field(default_factory=FakeCardProcessor)
    chain: FakeChain = field(default_factory=FakeChain)
    tickets: dict[str, str] = field(default_factory=dict)
    limits: Limits = NO_LIMITS

    def __post_init__(self) -> None:
        self.feed = Feed(self.database, self.policy)
        self.intake = Intake(self.database, self.policy)
        self.records = Records(self.database, self.policy)
        self.views = Views(self.database)

    @property
    def now(self) -> datetime:
        return self.clock()

    @property
    def temporal(self) -> WorkflowEnvironment:
        if self.env is None:
            raise AssertionError("this house has no Temporal")
        return self.env

    def worker(self) -> Worker:
        return build_worker(
            self.temporal.client,
            self.database,
            self.policy,
            card=self.card,
            chains={CHAIN_ID: self.chain},
            wallets={CHAIN_ID: WALLET},
            limits=self.limits,
        )

    # --- billing ---

    def deposit(self, name: str = "dep_1", *, rail: str = "card", days_ago: float = 2, amount: int = 2000) -> None:
        payment: CardPaymentRef | ChainPaymentRef
        if rail == "card":
            payment = CardPaymentRef(payment_intent=f"pi_{name}", amount_minor=amount, currency="USD")
            self.card.add_payment(payment.payment_intent, amount)
        else:
            payment = ChainPaymentRef(chain_id=CHAIN_ID, tx_hash=chain_hash(name), amount_base_units=COIN)
            self.chain.add_deposit(payment.tx_hash, COIN)
        record = DepositRecord(
            id=name,
            account_id="acct_1",
            credited=Money(amount_minor=amount, currency="USD"),
            paid_at=self.now - timedelta(days=days_ago),
            payment=payment,
        )
        self.feed.put_deposit(record, actor="billing")

    def order(self, name: str, status: str, *, amount: int = 50, delivered: bool = False) -> None:
        record = OrderRecord(
            id=name,
            account_id="acct_1",
            product="sms",
            amount=Money(amount_minor=amount, currency="USD"),
            status=status,
            created_at=self.now,
            is_delivered=delivered,
        )
        self.feed.put_order(record, actor="billing")

    # --- the help desk ---

    def body(self, ticket: str = "1", **changes: Any) -> dict[str, Any]:
        return {
            "ticket": {"system": "zammad", "id": ticket},
            "channel": "ticket",
            "account": {"id": "acct_1"},
            "rail": "card",
            "requested_at": self.now.isoformat(),
        } | changes

    def accept(self, ticket: str = "1", **changes: Any) -> str:
        """Do the first half of what the API does: write the row."""
        request = RefundRequest.parse(self.body(ticket, **changes))
        self.intake.accept(request, DESK)
        refund = refund_id(request.ticket)
        self.tickets[refund] = ticket
        return refund

    async def request(self, ticket: str = "1", **changes: Any) -> str:
        """Do what the API does: write the row, then wake or start the run."""
        refund = self.accept(ticket, **changes)
        await self.wake(refund)
        return refund

    async def wake(self, refund: str) -> None:
        await self.temporal.client.start_workflow(
            "RefundWorkflow",
            {"ticket": {"system": "zammad", "id": self.tickets[refund]}},
            id=workflow_id(refund),
            task_queue=TASK_QUEUE,
            start_signal="wake",
        )

    def withdraw(self, refund: str) -> None:
        self.records.withdraw(refund, "changed my mind", client="desk")

    # --- operators ---

    def approve(self, refund: str, operator: str = "ann", *, digest: str | None = None, **more: Any) -> str:
        return self._decide(refund, operator, Action.APPROVE, digest, more)

    def reject(self, refund: str, operator: str = "bob") -> str:
        return self._decide(refund, operator, Action.REJECT, None, {"reason": "no"})

    def _decide(self, refund: str, operator: str, action: Action, digest: str | None, more: dict[str, Any]) -> str:
        seen = self.see(refund)
        digest = digest or seen["digest"] or "sha256:" + "0" * 64
        decision_id = str(more.pop("decision_id", f"{action}-{operator}-{seen['attempt']}-{digest[-6:]}"))
        decision = NewDecision(decision_id=decision_id, action=action, digest=digest, **more)
        self.records.decide(refund, decision, operator=operator)
        return decision_id

    def confirm(self, refund: str, operator: str = "bob", *, action: str = "confirm", **more: Any) -> str:
        confirmation_id = f"{action}-{operator}-{len(self.see(refund)['timeline'])}"
        confirmation = NewConfirmation(confirmation_id=confirmation_id, action=action, evidence="a mail", **more)
        self.records.confirm_ownership(refund, confirmation, operator=operator)
        return confirmation_id

    def resolve(self, refund: str, action: ResolutionAction, operator: str = "root", **more: Any) -> str:
        resolution_id = f"{action}-{operator}-{len(self.see(refund)['timeline'])}"
        resolution = NewResolution(resolution_id=resolution_id, action=action, reason="looked into it", **more)
        self.records.resolve(refund, resolution, operator=operator)
        return resolution_id

    # --- what can be seen from outside ---

    def handle(self, refund: str) -> WorkflowHandle[Any, Any]:
        return self.temporal.client.get_workflow_handle(workflow_id(refund))

    async def history(self, refund: str) -> list[HistoryEvent]:
        """Return the events of the refund's latest run."""
        return list((await self.handle(refund).fetch_history()).events)

    def see(self, refund: str) -> dict[str, Any]:
        return self.views.refund(refund)

    def books(self) -> dict[str, int]:
        """Return the account's balance, after checking that its parts add up to what was deposited."""
        balance = next(iter(self.views.balance("acct_1")))
        parts = ("spendable_minor", "held_minor", "used_minor", "refunded_minor", "charged_back_minor")
        assert sum(balance[part] for part in parts) == balance["deposited_minor"]
        return {part.removesuffix("_minor"): balance[part] for part in parts if balance[part]}

    def events(self, refund: str) -> list[str]:
        return [entry["event"] for entry in self.see(refund)["timeline"]]

    def findings(self) -> list[str]:
        return [finding["kind"] for finding in self.views.open_findings()]

    def arrows(self) -> set[tuple[str, str]]:
        """Return every arrow that any refund followed, as the audit trail tells it."""
        prefix = "refund."
        return {
            (entry["detail"]["from"], entry["event"].removeprefix(prefix))
            for summary in self.views.refunds(limit=1000)
            for entry in self.see(summary["id"])["timeline"]
            if entry["event"].startswith(prefix) and "from" in entry["detail"]
        }

    def trail_is_whole(self) -> bool:
        with self.database.read() as session:
            return audit.verify(session) is None

    # --- time ---

    async def until(self, refund: str, *statuses: RefundStatus, reason: str | None = None) -> dict[str, Any]:
        """Let the run go on until the refund's row stands in one of `statuses`, and for `reason` if given."""
        for _ in range(400):
            state = self.intake.find(refund)
            if state is not None and state.status in statuses and reason in (None, state.reason):
                return self.see(refund)
            await self.temporal.sleep(0.5)
        raise AssertionError(f"{refund} is {state}, not {statuses}")

    async def bring(self, refund: str, *statuses: RefundStatus, reason: str | None = None) -> dict[str, Any]:
        """Tell the run that something was recorded, and wait for what comes of it."""
        await self.wake(refund)
        return await self.until(refund, *statuses, reason=reason)

    async def skip(self, **duration: float) -> None:
        """Let time pass, for the runs and for the database; then let the runs do what has come due."""
        self.clock.ahead += timedelta(**duration)
        await self.temporal.sleep(timedelta(**duration))
        await self.settle()

    async def result(self, refund: str) -> dict[str, Any]:
        """Let time pass until the run has ended, and return its result."""
        handle = self.handle(refund)
        for _ in range(100):
            if (await self.history(refund))[-1].HasField("workflow_execution_completed_event_attributes"):
                return dict(await handle.result())
            await self.temporal.sleep(timedelta(hours=12))
        raise AssertionError(f"the run of {refund} does not end")

    async def settle(self) -> None:
        """Let every run that has something to do right now do it."""
        for _ in range(4):
            await self.temporal.sleep(0.5)


def chain_hash(name: str) -> str:
    """Name the chain transaction behind a deposit."""
    return "0x" + name.encode().hex().ljust(64, "a")


def make_policy(**handling: Any) -> Policy:
    version = PolicyVersion(version="2026-01", in_force_from=datetime(2026, 1, 1, tzinfo=UTC))
    return Policy(versions=(version,), handling=Handling(**handling))


@asynccontextmanager
async def time_skipping_server(*plugins: SimplePlugin) -> AsyncIterator[WorkflowEnvironment]:
    """Start a Temporal server whose time a test can skip, with the search attributes that runs write."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(Path(sys.executable).parent / "temporal-test-server"),
        data_converter=payloads.converter,
        plugins=plugins,
    ) as env:
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=env.client.namespace,
                search_attributes={
                    key.name: getattr(IndexedValueType, f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")
                    for key in attributes.ALL
                },
            )
        )
        yield env


def write_ledger(path: Path) -> None:
    """Write a ledger with its people and one account to a file, in one piece, so that each test copies its own."""
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    clients = Clients(database)
    for name, role in PEOPLE.items():
        clients.add(name, role, actor="test")
    Feed(database, make_policy()).put_account(AccountRecord(id="acct_1", username="user1"), actor="billing")
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
