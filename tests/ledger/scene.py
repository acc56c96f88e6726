"""One ledger with its people and its clock, and the short ways to bring a refund where a test begins."""

import hashlib
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select, update

from domain.decisions import Action, ResolutionAction
from domain.eligibility import AccountStatus
from domain.limits import Limits
from domain.money import NATIVE, Money
from domain.outbox import QueuedPayout, QuotedPayout, Sign
from domain.payments import CardPayment, CardPaymentRef, ChainPayment, ChainPaymentRef, Dispute, Settlement
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.people import Role
from domain.policy import Policy
from domain.refunds import RefundRequest, RefundState, RefundStatus, StatusReason
from domain.transfers import SignedTransfer, Transfer, TransferTerms, WalletView
from ledger import audit, books
from ledger.billing import AccountRecord, DepositRecord, OrderRecord
from ledger.books import Book
from ledger.checking import Checking
from ledger.clients import Clients
from ledger.database import Database
from ledger.feed import Feed
from ledger.findings import Findings
from ledger.intake import Intake, Requester
from ledger.messages import Messages
from ledger.news import News
from ledger.outbox import NO_LIMITS, Outbox
from ledger.payouts import Payouts
from ledger.previews import Previews
from ledger.progress import Progress
from ledger.rails import Rails
from ledger.records import NewConfirmation, NewDecision, NewResolution, Records
from ledger.sightings import Sightings
from ledger.signing import Signing
from ledger.tables import Client, Deposit, Finding, Hold, Payout, Refund
from ledger.views import Picture, Views
from ledger.wallets import Wallets

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CHAIN_ID = 31337
WALLET = "0x" + "aa" * 20
SENDER = "0x" + "5e" * 20
COIN = 10**18  # base units of one coin of 18 decimals: more than 64 bits hold after ten of them

HELPDESK = Requester(name="desk", is_helpdesk=True)
TERMS = TransferTerms(gas=21_000, max_fee_per_gas_wei=10**9, max_priority_fee_per_gas_wei=10**8)

PEOPLE = {
    "desk": Role.HELPDESK,
    "vera": Role.VIEWER,
    "ann": Role.APPROVER,
    "bob": Role.APPROVER,
    "cleo": Role.APPROVER,
    "ada": Role.ADMIN,
}

PAID_CARD = CardPayment(
    found=True, status="succeeded", is_captured=True, is_card=True, amount_minor=2000, currency="USD"
)
PAID_CHAIN = ChainPayment(settlement=Settlement.FINAL, block_number=7, sender=SENDER, amount_base_units=25 * COIN)
DISPUTED_CARD = PAID_CARD.model_copy(update={"dispute": Dispute.OPEN})


def policy(**handling: Any) -> Policy:
    """The published policy, with other handling where a test asks for it."""
    versions = [{"version": "2026-01", "in_force_from": "2026-01-01T00:00:00Z"}]
    return Policy.model_validate({"versions": versions, "handling": handling})


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


class Scene:
    """A ledger in use. Every short way goes through the ledger's own public calls."""

    def __init__(self, database: Database, clock: Clock, rules: Policy | None = None) -> None:
        self.database, self.clock = database, clock
        self._numbers = count(1)
        self.limits = NO_LIMITS
        self.govern(rules or policy())
        self.clients = Clients(database)
        self.findings_desk, self.rails = Findings(database), Rails(database)
        self.views, self.news, self.messages = Views(database), News(database), Messages(database)

    def govern(self, rules: Policy) -> None:
        """Go on under another policy."""
        self.policy, database = rules, self.database
        self.feed, self.intake = Feed(database, rules), Intake(database, rules)
        self.checking, self.records = Checking(database, rules), Records(database, rules)
        self.previews = Previews(database, rules)
        self.progress, self.payouts = Progress(database, rules), Payouts(database, rules, {CHAIN_ID: WALLET})
        self.limit(self.limits)

    def limit(self, limits: Limits) -> None:
        """Go on under other limits on what leaves a wallet."""
        self.limits, database, rules = limits, self.database, self.policy
        self.outbox, self.signing = Outbox(database, limits), Signing(database, rules, limits)
        self.sightings, self.wallets = Sightings(database, rules), Wallets(database, rules)

    # --- billing

    def account(self, id: str = "acct", status: AccountStatus = AccountStatus.ACTIVE) -> str:
        self.feed.put_account(AccountRecord(id=id, username=f"user-{id}", status=status), actor="billing")
        return id

    def deposit(self, id: str = "dep", **changes: Any) -> str:
        """Feed a card deposit of 20 USD paid an hour ago, or what `changes` make of it."""
        self.feed.put_deposit(self.deposit_record(id, **changes), actor="billing")
        return id

    def deposit_record(self, id: str = "dep", **changes: Any) -> DepositRecord:
        payment: CardPaymentRef | ChainPaymentRef
        if changes.pop("rail", "card") == "card":
            payment = CardPaymentRef(payment_intent=f"pi_{id}", amount_minor=2000, currency="USD")
        else:
            tx_hash = "0x" + id.encode().hex().rjust(64, "0")
            payment = ChainPaymentRef(chain_id=CHAIN_ID, tx_hash=tx_hash, asset=NATIVE, amount_base_units=25 * COIN)
        fields: dict[str, Any] = {
            "id": id,
            "account_id": "acct",
            "credited": Money(amount_minor=2000, currency="USD"),
            "paid_at": self.clock() - timedelta(hours=1),
            "payment": payment,
        }
        return DepositRecord(**(fields | changes))

    def order(self, id: str, amount_minor: int, status: str = "charged", **changes: Any) -> None:
        self.feed.put_order(self.order_record(id, amount_minor, status, **changes), actor="billing")

    def order_record(self, id: str, amount_minor: int, status: str, **changes: Any) -> OrderRecord:
        currency = changes.pop("currency", "USD")
        fields = {"account_id": "acct", "product": "sms", "created_at": self.clock()} | changes
        return OrderRecord(id=id, amount=Money(amount_minor=amount_minor, currency=currency), status=status, **fields)

    def funded(self, **changes: Any) -> str:
        """One account with one deposit."""
        self.account()
        return self.deposit(**changes)

    # --- the refund's life, one step each

    def request(self, ticket: str = "1", requester: Requester = HELPDESK, **changes: Any) -> str:
        """Hand a request in and return the refund's id."""
        return self.intake.accept(self.request_body(ticket, **changes), requester).refund_id

    def request_body(self, ticket: str = "1", **changes: Any) -> RefundRequest:
        body = {
            "ticket": {"system": "desk", "id": ticket},
            "channel": "ticket",
            "account": {"id": "acct"},
            "rail": "card",
            "requested_at": self.clock().isoformat(),
        }
        return RefundRequest.parse(body | changes)

    def check(self, refund: str, facts: CardPayment | ChainPayment = PAID_CARD) -> RefundState:
        """Identify the deposit and judge it, as the run does."""
        state, payment = self.checking.identify(refund)
        return state if payment is None else self.checking.judge(refund, facts)

    def awaiting_approval(
        self, ticket: str = "1", facts: CardPayment | ChainPayment = PAID_CARD, **changes: Any
    ) -> str:
        """Bring a new refund before the approvers."""
        refund = self.request(ticket, **changes)
        assert self.check(refund, facts).status == RefundStatus.AWAITING_APPROVAL
        return refund

    def decide(self, refund: str, operator: str = "ann", action: Action = Action.APPROVE, **changes: Any) -> str:
        """Record a decision on what the refund shows now, and return its id."""
        fields = {"decision_id": f"d{next(self._numbers)}", "digest": self.row(refund).digest} | changes
        if action == Action.REJECT:
            fields = {"reason": "looks wrong"} | fields
        decision = NewDecision(action=action, **fields)
        self.records.decide(refund, decision, operator=operator)
        return decision.decision_id

    def confirm(self, refund: str, operator: str = "bob", **changes: Any) -> RefundState:
        """Record an operator's word on the ownership and let the run read it."""
        self.record_confirmation(refund, operator, **changes)
        return self.read(refund)

    def record_confirmation(self, refund: str, operator: str = "bob", **changes: Any) -> None:
        fields = {"confirmation_id": f"c{next(self._numbers)}", "action": "confirm", "evidence": "seen"} | changes
        self.records.confirm_ownership(refund, NewConfirmation(**fields), operator=operator)

    def resolve(self, refund: str, action: ResolutionAction, operator: str = "ann", **changes: Any) -> RefundState:
        """Record a resolution and let the run read it."""
        self.record_resolution(refund, action, operator, **changes)
        return self.read(refund)

    def record_resolution(self, refund: str, action: ResolutionAction, operator: str = "ann", **changes: Any) -> None:
        fields = {"resolution_id": f"r{next(self._numbers)}", "action": action, "reason": "because"} | changes
        self.records.resolve(refund, NewResolution(**fields), operator=operator)

    def withdraw(self, refund: str) -> None:
        self.records.withdraw(refund, "changed their mind", client="desk")

    def read(self, refund: str, *told: str, facts: CardPayment | ChainPayment = PAID_CARD) -> RefundState:
        """Do what the run does: apply the records, and read the payment where the refund is to end unpaid."""
        state = self.progress.read_records(refund, told)
        return self.progress.read_records(refund, (), facts) if state.is_ending else state

    def begin(self, refund: str, facts: CardPayment | ChainPayment = PAID_CARD) -> RefundState:
        return self.payouts.begin(refund, facts)

    def paying(self, ticket: str = "1", facts: CardPayment | ChainPayment = PAID_CARD, **changes: Any) -> str:
        """Bring a new refund to a payout that is recorded and not sent."""
        refund = self.awaiting_approval(ticket, facts, **changes)
        self.decide(refund, "ann")
        assert self.begin(refund, facts).status == RefundStatus.PAYING
        return refund

    def outcome(
        self, refund: str, status: PayoutStatus, reason: StatusReason | None = None, attempt: int = 1
    ) -> RefundState:
        told = PayoutOutcome(status=status, provider_ref="re_1", reason=reason)
        return self.payouts.record_outcome(refund, attempt, told)

    def refunded(self, ticket: str = "1", **changes: Any) -> str:
        """Bring a new refund to its paid end."""
        refund = self.paying(ticket, **changes)
        assert self.outcome(refund, PayoutStatus.SUCCEEDED).status == RefundStatus.REFUNDED
        return refund

    def failed(self, ticket: str = "1", **changes: Any) -> str:
        """Bring a new refund before an operator, its payout dead."""
        refund = self.paying(ticket, **changes)
        state = self.outcome(refund, PayoutStatus.FAILED, StatusReason.PAYOUT_FAILED)
        assert state.status == RefundStatus.NEEDS_ATTENTION
        return refund

    def sign(self, refund: str, view: WalletView | None = None, attempt: int = 1) -> SignedTransfer | None:
        """Let the wallet sign one queued payout."""
        queued = next(it for it in self.outbox.queued(CHAIN_ID, WALLET) if it.refund_id == refund)
        return self.sign_one(queued, view or wallet_view())

    def sign_one(self, queued: QueuedPayout, view: WalletView, by: Sign | None = None) -> SignedTransfer | None:
        """Let the wallet sign one payout, as it was read from the queue."""
        (answer,) = self.signing.sign([QuotedPayout(queued=queued, terms=TERMS)], view, by or sign)
        if isinstance(answer, Exception):
            raise answer
        return answer

    # --- looking

    def row(self, refund: str) -> Refund:
        with self.database.read() as session:
            return session.get_one(Refund, refund)

    def payout(self, refund: str, attempt: int = 1) -> Payout:
        with self.database.read() as session:
            return session.get_one(Payout, (refund, attempt))

    def hold_state(self, refund: str) -> str | None:
        with self.database.read() as session:
            hold = session.get(Hold, refund)
            return hold.state if hold else None

    def deposit_state(self, deposit: str = "dep") -> str:
        with self.database.read() as session:
            return session.get_one(Deposit, deposit).state

    def in_book(self, book: Book, deposit: str = "dep") -> int:
        with self.database.read() as session:
            return books.in_book(session, deposit, book)

    def balance(self, account: str = "acct") -> Picture:
        """The account's balance in its only currency."""
        (balance,) = self.views.balance(account)
        return balance

    def findings(self) -> list[str]:
        with self.database.read() as session:
            return [finding.kind for finding in session.scalars(select(Finding).order_by(Finding.id))]

    def events(self, refund: str) -> list[str]:
        return [entry["event"] for entry in self.views.refund(refund)["timeline"]]

    def audit_break(self) -> str | None:
        with self.database.read() as session:
            return audit.verify(session)

    def dismiss(self, person: str) -> None:
        """Take a person's rights away."""
        with self.database.write() as session:
            session.execute(update(Client).where(Client.name == person).values(is_active=False))


def enlist_people(database: Database) -> None:
    """Add everybody whom tests call by name."""
    for name, role in PEOPLE.items():
        Clients(database).add(name, role, actor="setup")


def wallet_view(
    *,
    nonce: int = 0,
    nonce_finalized: int = 0,
    nonce_latest: int | None = None,
    balance: int = 1000 * COIN,
    head: int = 9,
    first_nonce: int = 0,
) -> WalletView:
    return WalletView(
        nonce_pending=nonce,
        nonce_finalized=nonce_finalized,
        nonce_latest=nonce if nonce_latest is None else nonce_latest,
        balance_base_units=balance,
        head_block=head,
        final_block=head,
        buried_block=head,
        first_nonce=first_nonce,
    )


def sign(transfer: Transfer) -> SignedTransfer:
    """Make bytes that name all that moves and what it may cost, as a real signature would bind them."""
    raw = transfer.model_dump_json().encode()
    return SignedTransfer(tx_hash="0x" + hashlib.sha256(raw).hexdigest(), raw=raw)


def raised(terms: TransferTerms) -> TransferTerms:
    """Make terms that outbid others."""
    return terms.model_copy(update={"max_fee_per_gas_wei": terms.max_fee_per_gas_wei + 1})
