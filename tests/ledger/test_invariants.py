"""Whatever people, billing and providers do in whatever order, as often as they like: the money adds up."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event, func, select

from domain.decisions import Action, ResolutionAction
from domain.disputes import DisputeStage
from domain.errors import Refused
from domain.money import Money
from domain.payouts import DEAD, PAID, PayoutOutcome, PayoutStatus
from domain.refunds import UNPAID_ENDS, RefundStatus, StatusReason
from domain.transfers import ForeignUse, Sighting
from ledger import audit
from ledger.books import Book
from ledger.database import Database
from ledger.tables import AuditHead, Deposit, Hold, Payout, Posting, Refund
from tests.ledger.happenings import CARD_FACTS, CHAIN_FACTS, NEXT_OUTCOMES, SIGHTINGS, disputes, judged
from tests.ledger.scene import (
    CHAIN_ID,
    PAID_CARD,
    PAID_CHAIN,
    PEOPLE,
    WALLET,
    Clock,
    Scene,
    policy,
    raised,
    sign,
    wallet_view,
)

# As many as fit the time that people wait for a test run; a longer run takes its number from the environment.
EXAMPLES = int(os.environ.get("INVARIANT_EXAMPLES", "15"))
STEPS = 30

STATES_OF_HOLD = {
    RefundStatus.AWAITING_APPROVAL: ["active"],
    RefundStatus.PAYING: ["active"],
    RefundStatus.CONFIRMING: ["active", "captured", "charged_back"],  # one more look at what was paid
    RefundStatus.REFUNDED: ["captured", "charged_back"],  # charged back: an operator took the loss
} | {end: [None, "released", "charged_back"] for end in UNPAID_ENDS}
STATES_OF_DEPOSIT = {"active": ["held"], "captured": ["refunded"], None: ["open", "charged_back"]}
ACTIONS = [Action.APPROVE] * 5 + [Action.REJECT]
RAILS = ["card", "crypto"]
STAGES = ["asked", "approvable", "paying", "paying", "paid", "failed"]
some = st.data()


class LedgerMachine(RuleBasedStateMachine):
    """One ledger, used by everybody at once."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        clock = Clock()
        database = Database(f"sqlite:///{path}", clock)
        event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        levels = [{"currency": "USD", "up_to_minor": 2000, "approvals": 1}]
        self.scene = Scene(database, clock, policy(approvals=levels, approvals_default=2))
        self.path, self.numbers = path, count(1)
        self.deposits: list[str] = []
        self.orders: dict[str, dict[str, Any]] = {}
        self.refunds: list[str] = []
        self.calls: list[Callable[[], Any]] = []  # calls whose repetition must never change anything again
        for account in ("a", "b"):
            self.scene.account(account)

    @initialize(
        stages=st.lists(
            st.tuples(st.sampled_from(["card", "crypto"]), st.sampled_from(STAGES)), min_size=2, max_size=4
        )
    )
    def begin_in_the_middle(self, stages: list[tuple[str, str]]) -> None:
        """Let refunds stand at different points of their life already: chance alone seldom gets that far."""
        for rail, stage in stages:
            self.deposit("a", rail, (2000, "USD"))
            self.new_refund(self.deposits[-1], by_mail=False, names_it=True)
            refund, facts = self.refunds[-1], PAID_CHAIN if rail == "crypto" else PAID_CARD
            if stage != "asked":
                self.twice(lambda refund=refund, facts=facts: self.scene.check(refund, facts))
            if stage in ("paying", "paid", "failed"):
                self.pay(self.scene.row(refund))
            if rail == "card" and stage in ("paid", "failed"):
                status = PayoutStatus.SUCCEEDED if stage == "paid" else PayoutStatus.FAILED
                self.twice(lambda refund=refund, status=status: self.scene.outcome(refund, status))
        self.pump()

    def teardown(self) -> None:
        self.scene.database.close()

    # --- billing

    @rule(
        account=st.sampled_from(["a", "b"]),
        rail=st.sampled_from(RAILS),
        money=st.sampled_from([(2000, "USD"), (3000, "USD"), (500, "EUR")]),
    )
    def deposit(self, account: str, rail: str, money: tuple[int, str]) -> None:
        name = f"dep_{next(self.numbers)}"
        self.scene.clock.advance(timedelta(minutes=1))
        credited = Money(amount_minor=money[0], currency=money[1])
        record = self.scene.deposit_record(name, account_id=account, rail=rail, credited=credited)
        self.for_ever(lambda: self.scene.feed.put_deposit(record, actor="billing"))
        self.deposits.append(name)

    @rule(
        account=st.sampled_from(["a", "b"]),
        amount_minor=st.sampled_from([1, 400, 2500]),
        currency=st.sampled_from(["USD", "USD", "EUR"]),
        status=st.sampled_from(["pending", "charged", "cancelled"]),
        is_delivered=st.sampled_from([False, False, True]),
    )
    def order(self, account: str, amount_minor: int, currency: str, status: str, is_delivered: bool) -> None:
        told = {"amount_minor": amount_minor, "currency": currency, "account_id": account}
        self.tell_order(f"o{next(self.numbers)}", told | {"status": status, "is_delivered": is_delivered})

    @precondition(lambda self: self.orders)
    @rule(data=some, status=st.sampled_from(["pending", "charged", "cancelled", "cancelled"]))
    def change_order(self, data: st.DataObject, status: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.orders)))
        self.tell_order(name, self.orders[name] | {"status": status})

    def tell_order(self, name: str, told: dict[str, Any]) -> None:
        if self.twice(lambda: self.scene.order(name, **told)):
            self.orders[name] = told

    # --- the refund's life

    @rule(data=some, by_mail=st.sampled_from([False, False, True]), names_it=st.booleans())
    def request(self, data: st.DataObject, by_mail: bool, names_it: bool) -> None:
        self.new_refund(data.draw(st.sampled_from(self.deposits)), by_mail=by_mail, names_it=names_it)

    def new_refund(self, name: str, *, by_mail: bool, names_it: bool) -> None:
        with self.scene.database.read() as session:
            deposit = session.get_one(Deposit, name)
        fields: dict[str, Any] = {"account": {"id": deposit.account_id}, "rail": deposit.rail}
        if names_it:
            fields["deposit_id"] = deposit.id
        if by_mail:
            fields |= {"channel": "email", "payment_proof": deposit.payment_intent or deposit.tx_hash}
        ticket = str(next(self.numbers))
        self.for_ever(lambda: self.scene.request(ticket, **fields))
        self.refunds.append(self.scene.request(ticket, **fields))

    @rule(data=some)
    def check(self, data: st.DataObject) -> None:
        row = self.draw_refund(data, RefundStatus.CHECKING, RefundStatus.AWAITING_ORDERS)
        facts = self.draw_facts(data, row)
        self.twice(lambda: self.scene.check(row.id, facts))

    @rule(data=some, action=st.sampled_from(["confirm", "confirm", "deny"]), person=st.sampled_from(sorted(PEOPLE)))
    def confirm(self, data: st.DataObject, action: str, person: str) -> None:
        row = self.draw_refund(data, RefundStatus.AWAITING_OWNERSHIP)
        name, deposit = f"c{next(self.numbers)}", data.draw(st.sampled_from(self.deposits))
        fields = {"confirmation_id": name, "action": action, "deposit_id": deposit}
        self.for_ever(lambda: self.scene.record_confirmation(row.id, person, **fields))

    @rule(data=some, action=st.sampled_from(ACTIONS), person=st.sampled_from(sorted(PEOPLE)))
    def decide(self, data: st.DataObject, action: Action, person: str) -> None:
        row = self.draw_refund(data, RefundStatus.AWAITING_APPROVAL)
        fields = {"decision_id": f"d{next(self.numbers)}", "digest": row.digest or ""}
        self.for_ever(lambda: self.scene.decide(row.id, person, action, **fields))

    @rule(data=some)
    def approve_and_begin(self, data: st.DataObject) -> None:
        self.pay(self.draw_refund(data, RefundStatus.AWAITING_APPROVAL))

    def pay(self, row: Refund) -> None:
        for person in ("ann", "bob"):
            fields = {"decision_id": f"d{next(self.numbers)}", "digest": row.digest or ""}
            self.for_ever(lambda person=person, fields=fields: self.scene.decide(row.id, person, **fields))
        self.twice(lambda: self.scene.begin(row.id, PAID_CHAIN if row.rail == "crypto" else PAID_CARD))

    @rule(data=some)
    def withdraw(self, data: st.DataObject) -> None:
        row = self.draw_refund(data, *RefundStatus)
        self.for_ever(lambda: self.scene.withdraw(row.id))

    @rule(data=some)
    def read(self, data: st.DataObject) -> None:
        row = self.draw_refund(data, *RefundStatus)
        self.twice(lambda: self.scene.read(row.id))

    @rule(data=some)
    def begin(self, data: st.DataObject) -> None:
        row = self.draw_refund(data, RefundStatus.AWAITING_APPROVAL)
        facts = self.draw_facts(data, row)
        self.attempt(lambda: self.scene.begin(row.id, facts))
        # Facts that change and change back find the approval of exactly this digest standing, and so may pay now.
        if self.scene.row(row.id).status_reason != StatusReason.DIGEST_CHANGED:
            self.twice(lambda: self.scene.begin(row.id, facts))

    @rule(data=some, urgency=st.sampled_from(["reminder", "expire", "attend"]))
    def time_passes(self, data: st.DataObject, urgency: str) -> None:
        row = self.draw_refund(data, *RefundStatus)
        acts: dict[str, Callable[[], Any]] = {
            "reminder": lambda: self.scene.checking.remind(row.id, urgency),
            "expire": lambda: self.scene.checking.expire(row.id),
            "attend": lambda: self.scene.checking.attend(row.id, StatusReason.FACTS_UNAVAILABLE),
        }
        self.twice(acts[urgency])

    # --- money on its way

    @rule(data=some, has_reason=st.booleans())
    def card_outcome(self, data: st.DataObject, has_reason: bool) -> None:
        payout = self.draw_payout(data, "card")
        if payout is None or payout.status not in NEXT_OUTCOMES:
            return
        status = data.draw(st.sampled_from(NEXT_OUTCOMES[PayoutStatus(payout.status)]))
        reason = StatusReason.PAYOUT_DISPUTED if has_reason and status == PayoutStatus.SUCCEEDED else None
        outcome = PayoutOutcome(status=status, provider_ref="re_1", reason=reason)
        if stages := data.draw(st.lists(st.sampled_from(DisputeStage), max_size=2)) if has_reason else []:
            outcome = outcome.model_copy(update={"disputes": disputes(stages), "reason": judged(status, stages)})
        self.twice(lambda: self.scene.payouts.record_outcome(payout.refund_id, payout.attempt, outcome))

    @rule()
    def pump(self) -> None:
        for queued in self.scene.outbox.queued(CHAIN_ID, WALLET):
            self.twice(lambda queued=queued: self.scene.sign_one(queued, wallet_view()))

    @rule(data=some, sighting=st.sampled_from(SIGHTINGS))
    def look_at_chain(self, data: st.DataObject, sighting: Sighting | None) -> None:
        sent = self.scene.outbox.sent(CHAIN_ID, WALLET)
        if sent:
            payout = data.draw(st.sampled_from(sent))
            transaction = data.draw(st.sampled_from(payout.transactions)) if sighting else None
            self.twice(lambda: self.scene.sightings.record_sighting(payout, transaction, sighting))

    @rule(data=some)
    def outbid(self, data: st.DataObject) -> None:
        """Store bytes with higher fees, or bytes that close the nonce where a person asked for it."""
        sent = self.scene.outbox.sent(CHAIN_ID, WALLET)
        if sent:
            payout = data.draw(st.sampled_from(sent))
            terms = raised(payout.newest.terms)
            store = data.draw(st.sampled_from([self.scene.signing.raise_fee, self.scene.signing.sign_cancel]))
            self.twice(lambda: store(payout, terms, sign))

    @rule(data=some, is_proved=st.booleans())
    def lose_nonce(self, data: st.DataObject, is_proved: bool) -> None:
        sent = self.scene.outbox.sent(CHAIN_ID, WALLET)
        if sent:
            payout = data.draw(st.sampled_from(sent))
            proof = ForeignUse(nonce=payout.nonce, finalized_nonces=(payout.nonce + 1,)) if is_proved else None
            self.attempt(lambda: self.scene.sightings.suspect(payout, proof))
            self.scene.clock.advance(timedelta(minutes=11))
            self.attempt(lambda: self.scene.sightings.suspect(payout, proof))
            self.twice(lambda: self.scene.sightings.suspect(payout, proof))

    @rule(data=some, action=st.sampled_from(ResolutionAction), person=st.sampled_from(sorted(PEOPLE)))
    def resolve(self, data: st.DataObject, action: ResolutionAction, person: str) -> None:
        row = self.draw_refund(data, RefundStatus.NEEDS_ATTENTION)
        fields = {"resolution_id": f"r{next(self.numbers)}", "evidence": "receipt"}
        self.for_ever(lambda: self.scene.record_resolution(row.id, action, person, **fields))
        self.twice(lambda: self.scene.read(row.id))

    @rule(data=some)
    def repeat_any_earlier_call(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        before = self.picture()
        self.attempt(call)
        assert self.picture() == before

    # --- how calls are made

    def attempt(self, call: Callable[[], Any]) -> bool:
        """Call, and tell whether it was taken; a refusal by a rule is an answer and no failure."""
        try:
            call()
        except Refused:
            return False
        return True

    def twice(self, call: Callable[[], Any]) -> bool:
        """Call two times; the second may change nothing, not even the trail."""
        was_taken = self.attempt(call)
        before = self.picture()
        self.attempt(call)
        assert self.picture() == before
        return was_taken

    def for_ever(self, call: Callable[[], Any]) -> None:
        """Call, and keep it as one that may be repeated at any later time."""
        if self.twice(call):
            self.calls.append(call)

    def draw_refund(self, data: st.DataObject, *statuses: RefundStatus) -> Refund:
        """Draw a refund, from those in one of `statuses` where there are any."""
        rows = [self.scene.row(refund) for refund in self.refunds]
        fitting = [row for row in rows if row.status in statuses]
        return data.draw(st.sampled_from(fitting or rows))

    def draw_facts(self, data: st.DataObject, row: Refund) -> Any:
        return data.draw(st.sampled_from(CHAIN_FACTS if row.rail == "crypto" else CARD_FACTS))

    def draw_payout(self, data: st.DataObject, rail: str) -> Payout | None:
        with self.scene.database.read() as session:
            payouts = session.scalars(select(Payout).where(Payout.rail == rail)).all()
        return data.draw(st.sampled_from(payouts)) if payouts else None

    def picture(self) -> Any:
        """Everything that a repeated call must leave as it is: books, states and the length of the trail."""
        with self.scene.database.read() as session:
            books = session.execute(
                select(Posting.deposit_id, Posting.book, func.sum(Posting.amount_minor)).group_by(
                    Posting.deposit_id, Posting.book
                )
            ).all()
            states = session.execute(select(Refund.id, Refund.status, Refund.status_reason, Refund.attempt)).all()
            return sorted(map(tuple, books)), sorted(map(tuple, states)), session.get_one(AuditHead, 1).seq

    # --- what always holds

    @invariant()
    def the_books_balance(self) -> None:
        totals: Counter[tuple[str, str]] = Counter()
        with self.scene.database.read() as session:
            for deposit in session.scalars(select(Deposit)):
                by_book = select(Posting.book, func.sum(Posting.amount_minor)).group_by(Posting.book)
                rows = session.execute(by_book.where(Posting.deposit_id == deposit.id)).all()
                books = {Book(book): int(amount) for book, amount in rows}
                assert -books.pop(Book.DEPOSITED) == deposit.amount_minor == sum(books.values())
                assert min(books.values()) >= 0
                totals[deposit.account_id, deposit.currency] += deposit.amount_minor
        for (account, currency), total in totals.items():
            told = next(it for it in self.scene.views.balance(account) if it["currency"] == currency)
            amounts = {name: amount for name, amount in told.items() if name.endswith("_minor")}
            assert amounts.pop("deposited_minor") == total == sum(amounts.values())

    @invariant()
    def a_deposit_is_paid_back_at_most_once(self) -> None:
        with self.scene.database.read() as session:
            payouts = session.scalars(select(Payout)).all()
        paid = Counter(payout.deposit_id for payout in payouts if payout.status in PAID)
        live = Counter(payout.deposit_id for payout in payouts if payout.status not in DEAD)
        assert max([*paid.values(), *live.values()], default=0) <= 1

    @invariant()
    def money_is_held_exactly_while_its_refund_may_pay(self) -> None:
        with self.scene.database.read() as session:
            holds = {hold.refund_id: hold for hold in session.scalars(select(Hold))}
            for row in session.scalars(select(Refund)):
                hold = holds.get(row.id)
                may_be = STATES_OF_HOLD.get(RefundStatus(row.status), [None, "active", "captured", "charged_back"])
                assert (hold.state if hold else None) in may_be
            paid = set(session.scalars(select(Payout.refund_id).where(Payout.status.in_(PAID))))
            assert paid >= {hold.refund_id for hold in holds.values() if hold.state == "captured"}
            # What was paid and then taken back by the bank is charged back: it stands in no book twice.
            assert {holds[it].state for it in paid} <= {"captured", "charged_back"}
            active = {hold.deposit_id: hold for hold in holds.values() if hold.state in ("active", "captured")}
            for deposit in session.scalars(select(Deposit)):
                kept = active.get(deposit.id)
                assert deposit.state in STATES_OF_DEPOSIT[kept.state if kept else None]

    @invariant()
    def the_trail_holds_together(self) -> None:
        with self.scene.database.read() as session:
            assert audit.verify(session) is None


@pytest.mark.timeout(300)  # half a minute on an idle machine
def test_the_ledger_keeps_its_promises_whatever_happens(sqlite_template: Path, tmp_path: Path) -> None:
    numbers = count(1)

    def fresh() -> LedgerMachine:
        path = tmp_path / f"{next(numbers)}.sqlite"
        shutil.copy(sqlite_template, path)
        return LedgerMachine(path)

    run_state_machine_as_test(
        fresh,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=[Phase.generate],  # shrinking would outlast the time limit of a test and show nothing at all
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
