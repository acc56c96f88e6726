"""A refund service in one process: the real ledger, worker and workflow, and people played by the test."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.decisions import Action, ResolutionAction
from domain.money import Money
from domain.payments import CardPaymentRef, ChainPaymentRef
from domain.policy import Handling, Policy, PolicyVersion
from domain.refunds import TASK_QUEUE, RefundRequest, RefundStatus, refund_id, workflow_id
from ledger.billing import AccountRecord, DepositRecord, OrderRecord
from ledger.clients import Clients, Role
from ledger.database import Database
from ledger.feed import Feed
from ledger.intake import Intake, Requester
from ledger.records import NewConfirmation, NewDecision, NewResolution, Records
from ledger.views import Views
from tests.fakes import CHAIN_ID, WALLET, FakeCardProcessor, FakeChain
from worker import build_worker

DESK = Requester(name="desk", is_helpdesk=True)
TX = "0x" + "ab" * 32


@dataclass
class House:
    """Everything a test needs to play the people around a refund."""

    env: WorkflowEnvironment
    database: Database
    policy: Policy
    card: FakeCardProcessor = field(default_factory=FakeCardProcessor)
    chain: FakeChain = field(default_factory=FakeChain)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.feed = Feed(self.database, self.policy)
        self.intake = Intake(self.database, self.policy)
        self.records = Records(self.database, self.policy)
        self.views = Views(self.database)
        clients = Clients(self.database)
        for name, role in (
            ("desk", Role.HELPDESK),
            ("ann", Role.APPROVER),
            ("bob", Role.APPROVER),
            ("root", Role.ADMIN),
        ):
            clients.add(name, role, actor="test")
        self.feed.put_account(AccountRecord(id="acct_1", username="user1"), actor="billing")

    def worker(self) -> Worker:
        return build_worker(
            self.env.client,
            self.database,
            self.policy,
            card=self.card,
            chains={CHAIN_ID: self.chain},
            wallets={CHAIN_ID: WALLET},
        )

    def deposit(self, name: str = "dep_1", *, rail: str = "card", days_ago: float = 2, amount: int = 2000) -> None:
        paid_at = self.now - timedelta(days=days_ago)
        payment: CardPaymentRef | ChainPaymentRef
        if rail == "card":
            payment = CardPaymentRef(payment_intent=f"pi_{name}", amount_minor=amount, currency="USD")
            self.card.add_payment(payment.payment_intent, amount)
        else:
            payment = ChainPaymentRef(chain_id=CHAIN_ID, tx_hash=TX, amount_base_units=10**16)
            self.chain.add_deposit(TX, 10**16)
        credited = Money(amount_minor=amount, currency="USD")
        record = DepositRecord(id=name, account_id="acct_1", credited=credited, paid_at=paid_at, payment=payment)
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

    def body(self, ticket: str = "1", **changes: Any) -> dict[str, Any]:
        return {
            "ticket": {"system": "zammad", "id": ticket},
            "channel": "ticket",
            "account": {"id": "acct_1"},
            "rail": "card",
            "requested_at": self.now.isoformat(),
        } | changes

    async def request(self, ticket: str = "1", **changes: Any) -> str:
        """Do what the API does: write the row, then wake or start the run."""
        request = RefundRequest.parse(self.body(ticket, **changes))
        self.intake.accept(request, DESK)
        await self.wake(refund_id(request.ticket), ticket)
        return refund_id(request.ticket)

    async def wake(self, refund: str, ticket: str = "1") -> None:
        await self.env.client.start_workflow(
            "RefundWorkflow",
            {"ticket": {"system": "zammad", "id": ticket}},
            id=workflow_id(refund),
            task_queue=TASK_QUEUE,
            start_signal="wake",
        )

    def handle(self, refund: str) -> WorkflowHandle[Any, Any]:
        return self.env.client.get_workflow_handle(workflow_id(refund))

    def see(self, refund: str) -> dict[str, Any]:
        return self.views.refund(refund)

    def status(self, refund: str) -> str:
        return str(self.see(refund)["status"])

    def reason(self, refund: str) -> str:
        return str(self.see(refund)["status_reason"])

    def books(self) -> dict[str, int]:
        return next(iter(self.views.balance("acct_1")))

    def approve(self, refund: str, operator: str = "ann", *, digest: str | None = None, **more: Any) -> str:
        return self._decide(refund, operator, Action.APPROVE, digest, more)

    def reject(self, refund: str, operator: str = "bob") -> str:
        return self._decide(refund, operator, Action.REJECT, None, {"reason": "no"})

    def _decide(self, refund: str, operator: str, action: Action, digest: str | None, more: dict[str, Any]) -> str:
        seen = self.see(refund)
        decision_id = f"{action}-{operator}-{seen['attempt']}-{(digest or seen['digest'])[-6:]}"
        decision = NewDecision(decision_id=decision_id, action=action, digest=digest or seen["digest"], **more)
        self.records.decide(refund, decision, operator=operator)
        return decision_id

    def confirm(self, refund: str, operator: str = "bob", *, action: str = "confirm", **more: Any) -> str:
        confirmation = NewConfirmation(
            confirmation_id=f"{action}-{operator}-{len(str(more))}", action=action, evidence="a mail", **more
        )
        self.records.confirm_ownership(refund, confirmation, operator=operator)
        return confirmation.confirmation_id

    def resolve(self, refund: str, action: ResolutionAction, operator: str = "root", **more: Any) -> str:
        seen = self.see(refund)
        resolution_id = f"{action}-{operator}-{len(seen['timeline'])}"
        resolution = NewResolution(resolution_id=resolution_id, action=action, reason="looked into it", **more)
        self.records.resolve(refund, resolution, operator=operator)
        return resolution_id

    async def until(self, refund: str, *statuses: RefundStatus) -> dict[str, Any]:
        """Let the run go on until the refund's row stands in one of `statuses`."""
        for _ in range(600):
            seen = self.see(refund)
            if seen["status"] in statuses:
                return seen
            await self.env.sleep(0.5)
        raise AssertionError(f"{refund} is {seen['status']} ({seen['status_reason']}), not {statuses}")


def make_policy(**handling: Any) -> Policy:
    version = PolicyVersion(version="2026-01", in_force_from=datetime(2026, 1, 1, tzinfo=UTC))
    return Policy(versions=(version,), handling=Handling(**handling))
