"""The billing feed: accounts, deposits and orders, idempotent, applied as they come."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from domain.allocation import Source, allocate
from domain.eligibility import DepositState
from domain.errors import Conflict, InsufficientBalance, InvalidRequest, PaymentTaken
from domain.findings import FindingKind
from domain.payments import CardPaymentRef, PaymentRef
from domain.payouts import DEAD
from domain.policy import Policy
from domain.refunds import RefundStatus
from ledger import audit, books
from ledger.billing import AccountRecord, DepositRecord, OrderRecord, deposit_row
from ledger.books import Book
from ledger.database import Database
from ledger.findings import open_finding
from ledger.tables import Account, Deposit, Order, OrderPart, Payout, Refund

PENDING, CHARGED, CANCELLED = "pending", "charged", "cancelled"

# Who pays for an order in each of its states.
# Where a cancelled order's money goes back to: never into spendable while its deposit is not the customer's.
FREED_TO = {DepositState.HELD: Book.HELD, DepositState.CHARGED_BACK: Book.CHARGED_BACK}

BOOK_OF_ORDER = {PENDING: Book.RESERVED, CHARGED: Book.USED}


class Feed:
    """Books what billing tells. The same record again changes nothing; a contradiction is a conflict."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def put_account(self, record: AccountRecord, *, actor: str) -> None:
        """Create or change an account. A username belongs to one account."""
        with self._database.write() as session:
            holder = session.scalar(select(Account.id).where(Account.username == record.username))
            if holder not in (None, record.id):
                raise Conflict("Another account has this username.", field="username", rule="unique")
            row = session.get(Account, record.id)
            values = record.model_dump(mode="json")
            if row is not None and all(getattr(row, name) == value for name, value in values.items()):
                return
            before = row.status if row else None
            session.merge(Account(**values))
            session.flush()
            detail = {"status": record.status.value, "status_before": before}
            self._audit(session, actor, "account.recorded", record.id, detail)

    def put_deposit(self, record: DepositRecord, *, actor: str) -> None:
        """Credit a deposit. Its account, amounts, time and payment never change afterwards."""
        if record.terms_version is not None and not self._policy.knows(record.terms_version):
            raise InvalidRequest("terms_version", "known_version", "is not a version of the policy")
        with self._database.write() as session:
            row = deposit_row(record)
            existing = session.get(Deposit, record.id)
            if existing is not None:
                _refuse_changes(existing, row)
                return
            if session.get(Account, record.account_id) is None:
                raise InvalidRequest("account_id", "known_account", "is not a known account")
            taken = session.scalar(select(Deposit.id).where(_same_payment(record.payment)))
            if taken is not None:
                raise PaymentTaken(taken)
            session.add(row)
            session.flush()
            books.move(
                session,
                key=f"deposit/{record.id}",
                at=self._database.now(),
                account_id=record.account_id,
                currency=record.credited.currency,
                source=Book.DEPOSITED,
                target=Book.SPENDABLE,
                parts={record.id: record.credited.amount_minor},
            )
            self._audit(session, actor, "deposit.recorded", record.id, record.credited.model_dump())

    def put_order(self, record: OrderRecord, *, actor: str) -> None:
        """Book an order or its change of status; raise `InsufficientBalance` where it must not be sold."""
        with self._database.write() as session:
            order = session.get(Order, record.id)
            if order is None:
                if session.get(Account, record.account_id) is None:
                    raise InvalidRequest("account_id", "known_account", "is not a known account")
                order = Order(
                    id=record.id,
                    account_id=record.account_id,
                    product=record.product,
                    amount_minor=record.amount.amount_minor,
                    currency=record.amount.currency,
                    status=CANCELLED,
                    created_at=record.created_at,
                    moves=0,
                )
                session.add(order)
                session.flush()
                before = None
            else:
                _refuse_order_changes(order, record)
                before = order.status
            if before == record.status:
                return
            self._change_status(session, order, record)
            # A refund that waits for this account's orders should look again now, not at its next timer.
            waiting = update(Refund).where(
                Refund.account_id == record.account_id, Refund.status == RefundStatus.AWAITING_ORDERS
            )
            session.execute(waiting.values(news_at=self._database.now()))
            self._audit(
                session,
                actor,
                f"order.{record.status}",
                record.id,
                {"status_before": before, **record.amount.model_dump()},
            )

    def _change_status(self, session: Session, order: Order, record: OrderRecord) -> None:
        """Follow the order's arrows: pending → charged or cancelled, charged → cancelled, cancelled → a new spend."""
        if record.status == order.status:
            return
        if record.status == CANCELLED:
            self._free(session, order)
        elif order.status == CANCELLED:
            self._spend(session, order, record)
        elif (order.status, record.status) == (PENDING, CHARGED):
            parts = session.scalars(select(OrderPart).where(OrderPart.order_id == order.id))
            self._shift(
                session,
                order,
                Book.RESERVED,
                Book.USED,
                {part.deposit_id: part.amount_minor for part in parts},
            )
        else:
            raise Conflict(
                "A charged order cannot become pending again.", field="status", rule="pending_before_charged"
            )
        order.status = record.status
        session.flush()

    def _spend(self, session: Session, order: Order, record: OrderRecord) -> None:
        sources = self._sources(session, order)
        spendable = sum(source.free_minor for source in sources if not source.is_held)
        parts, missing = allocate(order.amount_minor, sources, may_take_held=record.is_delivered)
        if missing and not record.is_delivered:
            raise InsufficientBalance(order.amount_minor, spendable, order.currency)
        held = {source.deposit_id for source in sources if source.is_held}
        target = BOOK_OF_ORDER[record.status]
        for source_book, is_from_hold in ((Book.SPENDABLE, False), (Book.HELD, True)):
            taken = {
                part.deposit_id: part.amount_minor for part in parts if (part.deposit_id in held) == is_from_hold
            }
            self._shift(session, order, source_book, target, taken)
        for part in parts:
            session.add(OrderPart(order_id=order.id, deposit_id=part.deposit_id, amount_minor=part.amount_minor))
        session.flush()
        if missing:
            open_finding(
                session,
                self._database,
                kind=FindingKind.ORDER_SHORTFALL,
                key=f"order_shortfall/{order.id}/{order.moves}",
                evidence={"order_id": order.id, "missing_minor": missing, "currency": order.currency},
            )

    def _free(self, session: Session, order: Order) -> None:
        """Give the order's money back to where its deposits now stand: spendable, or held by a refund."""
        source = BOOK_OF_ORDER[order.status]
        for part in session.scalars(select(OrderPart).where(OrderPart.order_id == order.id)).all():
            deposit = session.get_one(Deposit, part.deposit_id)
            target = FREED_TO.get(DepositState(deposit.state), Book.SPENDABLE)
            self._shift(session, order, source, target, {part.deposit_id: part.amount_minor})
            session.delete(part)

    def _sources(self, session: Session, order: Order) -> list[Source]:
        """List the account's deposits that may still pay: held ones only while no payout can be under way."""
        deposits = session.scalars(
            select(Deposit).where(Deposit.account_id == order.account_id, Deposit.currency == order.currency)
        )
        sources = []
        for deposit in deposits:
            is_held = deposit.state == DepositState.HELD
            if deposit.state not in (DepositState.OPEN, DepositState.HELD):
                continue
            if is_held and _has_live_payout(session, deposit.id):
                continue
            free = books.in_book(session, deposit.id, Book.HELD if is_held else Book.SPENDABLE)
            sources.append(Source(deposit_id=deposit.id, paid_at=deposit.paid_at, free_minor=free, is_held=is_held))
        return sources

    def _shift(self, session: Session, order: Order, source: Book, target: Book, parts: dict[str, int]) -> None:
        order.moves += 1
        books.move(
            session,
            key=f"order/{order.id}/{order.moves}",
            at=self._database.now(),
            account_id=order.account_id,
            currency=order.currency,
            source=source,
            target=target,
            parts=parts,
        )

    def _audit(self, session: Session, actor: str, event: str, subject: str, detail: Mapping[str, object]) -> None:
        audit.append(session, at=self._database.now(), actor=actor, event=event, subject=subject, detail=detail)


def _same_payment(payment: PaymentRef) -> ColumnElement[bool]:
    if isinstance(payment, CardPaymentRef):
        return Deposit.payment_intent == payment.payment_intent
    return and_(
        Deposit.chain_id == payment.chain_id,
        Deposit.tx_hash == payment.tx_hash,
        or_(Deposit.log_index == payment.log_index, Deposit.claimed_log_index == payment.log_index),
    )


UNCHANGING = (
    ("account_id", "account_id"),
    ("amount_minor", "amount_minor"),
    ("currency", "currency"),
    ("paid_at", "paid_at"),
    ("terms_version", "terms_version"),
    *((name, "payment") for name in ("rail", "payment_intent", "payment_amount_minor", "payment_currency")),
    *((name, "payment") for name in ("chain_id", "tx_hash", "log_index", "asset", "amount_base_units")),
)


def _refuse_changes(existing: Deposit, row: Deposit) -> None:
    for column, field in UNCHANGING:
        if getattr(existing, column) != getattr(row, column):
            raise Conflict(
                f"Deposit {existing.id!r} is known with another {field}.", field=field, rule="never_changes"
            )


def _refuse_order_changes(order: Order, record: OrderRecord) -> None:
    known = (order.account_id, order.amount_minor, order.currency, order.product)
    told = (record.account_id, record.amount.amount_minor, record.amount.currency, record.product)
    for field, before, now in zip(("account_id", "amount_minor", "currency", "product"), known, told, strict=True):
        if before != now:
            raise Conflict(f"Order {order.id!r} is known with another {field}.", field=field, rule="never_changes")


def _has_live_payout(session: Session, deposit_id: str) -> bool:
    live = select(Payout.attempt).where(Payout.deposit_id == deposit_id, Payout.status.not_in(DEAD))
    return session.scalar(live.limit(1)) is not None
