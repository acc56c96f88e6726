"""The refund's row: what it is, how it moves, and the hold it keeps on its deposit."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.eligibility import AccountStatus, DepositFacts, DepositState
from domain.errors import NotFound
from domain.money import Money
from domain.refunds import ARROWS, END_STATES, RefundState, RefundStatus, StatusReason, WaitingFor
from ledger import audit, books, deadlines
from ledger.billing import payment_of
from ledger.books import Book
from ledger.contests import is_contested
from ledger.database import Database
from ledger.tables import Account, Deposit, Hold, Order, OrderPart, Payout, Refund

SERVICE = "service"


class ImpossibleMoveError(AssertionError):
    """The life of a refund has no such arrow: a bug, so nothing is written."""


def get(session: Session, refund_id: str) -> Refund:
    """Return a refund's row, or raise `NotFound`."""
    row = session.get(Refund, refund_id)
    if row is None:
        raise NotFound("refund", refund_id)
    return row


def state_of(session: Session, row: Refund, *, approved: bool = False, is_ending: bool = False) -> RefundState:
    """Return what a run needs to know of its refund."""
    deposit = session.get(Deposit, row.deposit_id) if row.deposit_id else None
    payout = session.get(Payout, (row.id, row.attempt))
    mark, mark_at = deadlines.next_mark(row, payout) or (None, None)
    return RefundState.model_validate(
        {
            "refund_id": row.id,
            "version": row.version,
            "status": row.status,
            "reason": row.status_reason,
            "waiting_for": row.waiting_for,
            "rail": row.rail,
            "account_id": row.account_id,
            "deposit_id": row.deposit_id,
            "ticket": f"{row.ticket_system}:{row.ticket_id}",
            "amount_minor": deposit.amount_minor if deposit else None,
            "currency": deposit.currency if deposit else None,
            "attempt": row.attempt,
            "approved": approved,
            "is_ending": is_ending,
            "digest": row.digest,
            "chain_id": payout.chain_id if payout else None,
            "wallet": payout.wallet if payout else None,
            # What people wait for is due first; then, until it is paid, the time to pay.
            "due_at": row.due_at or (row.pay_due_at if deadlines.is_unpaid(row, payout) else None),
            "watch_over": row.watch_over,
            "is_contested": is_contested(session, row, payout),
            "pay_mark": mark,
            "pay_mark_at": mark_at,
        }
    )


def move(
    session: Session,
    database: Database,
    row: Refund,
    status: RefundStatus,
    reason: StatusReason | None,
    *,
    waiting_for: WaitingFor | None = None,
    actor: str = SERVICE,
    detail: dict[str, Any] | None = None,
) -> None:
    """Follow one arrow of the refund's life, with its audit entry. The same place again is a new reason."""
    before = RefundStatus(row.status)
    if status != before and status not in ARROWS.get(before, ()):
        raise ImpossibleMoveError(f"{row.id}: {before} → {status}")
    if (row.status, row.status_reason, row.waiting_for) == (status, reason, waiting_for):
        return
    row.status, row.status_reason, row.waiting_for = status.value, reason, waiting_for
    told = {
        "from": before.value,
        "reason": reason,
        "rail": row.rail,
        "deposit_id": row.deposit_id,
        "attempt": row.attempt,
        **(detail or {}),
    }
    note(session, database, row, f"refund.{status}", actor=actor, detail=told | (detail or {}))
    if status in END_STATES:
        deadlines.close_what_an_end_settles(session, database.now(), row)


def note(
    session: Session,
    database: Database,
    row: Refund,
    event: str,
    *,
    actor: str = SERVICE,
    subject: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write a line of the refund's timeline, which counts as a change of the refund."""
    now = database.now()
    row.version += 1
    row.updated_at = now
    audit.append(session, at=now, actor=actor, event=event, refund_id=row.id, subject=subject, detail=detail)


def deposit_facts(session: Session, row: Refund, deposit: Deposit) -> DepositFacts:
    """Return what the books say of a deposit, this refund's own hold left out."""
    used = (
        select(Order.status, func.sum(OrderPart.amount_minor), func.count())
        .join(Order, Order.id == OrderPart.order_id)
        .where(OrderPart.deposit_id == deposit.id)
        .group_by(Order.status)
    )
    by_status = {status: (int(amount), count) for status, amount, count in session.execute(used)}
    charged, pending = by_status.get("charged", (0, 0)), by_status.get("pending", (0, 0))
    holder = holder_of(session, deposit.id)
    is_own = holder is not None and holder.refund_id == row.id
    state = DepositState.OPEN if is_own and deposit.state == DepositState.HELD else DepositState(deposit.state)
    return DepositFacts(
        deposit_id=deposit.id,
        credited=Money(amount_minor=deposit.amount_minor, currency=deposit.currency),
        paid_at=deposit.paid_at,
        payment=payment_of(deposit),
        terms_version=deposit.terms_version,
        account_status=AccountStatus(session.get_one(Account, deposit.account_id).status),
        state=state,
        held_by_other_refund=holder.refund_id if holder and not is_own and holder.state == "active" else None,
        charged_minor=charged[0],
        charged_orders=charged[1],
        pending_minor=pending[0],
        pending_orders=pending[1],
    )


def holder_of(session: Session, deposit_id: str) -> Hold | None:
    """Return the hold that keeps a deposit, still active or captured."""
    kept = select(Hold).where(Hold.deposit_id == deposit_id, Hold.state.in_(("active", "captured")))
    return session.scalar(kept)


def place_hold(session: Session, database: Database, row: Refund, deposit: Deposit) -> None:
    """Reserve the whole deposit for this refund; a second call changes nothing."""
    hold = session.get(Hold, row.id)
    if hold is not None and hold.state == "active":
        return
    if hold is None:
        hold = Hold(
            refund_id=row.id,
            deposit_id=deposit.id,
            amount_minor=deposit.amount_minor,
            currency=deposit.currency,
            state="active",
            moves=0,
        )
        session.add(hold)
    hold.state = "active"
    deposit.state = DepositState.HELD.value
    _shift(session, database, hold, Book.SPENDABLE, Book.HELD)
    note(session, database, row, "hold.placed", detail={"deposit_id": deposit.id, "amount_minor": hold.amount_minor})


def active_hold(session: Session, refund_id: str) -> Hold | None:
    """Return the hold that a refund keeps now, or None."""
    hold = session.get(Hold, refund_id)
    return hold if hold is not None and hold.state == "active" else None


def is_whole(session: Session, hold: Hold | None) -> bool:
    """Tell whether a hold is active and nothing was taken from it."""
    return (
        hold is not None
        and hold.state == "active"
        and books.in_book(session, hold.deposit_id, Book.HELD) == hold.amount_minor
    )


def release_hold(session: Session, database: Database, row: Refund) -> None:
    """Give back what is still held, because the refund ended unpaid; a second call changes nothing."""
    hold = active_hold(session, row.id)
    if hold is not None:
        _carry(session, database, row, hold, (Book.HELD, Book.SPENDABLE), "released", DepositState.OPEN)


def capture_hold(session: Session, database: Database, row: Refund) -> None:
    """Book the held money as refunded; a second call changes nothing."""
    hold = session.get_one(Hold, row.id)
    if hold.state == "captured":
        return
    if not is_whole(session, hold):
        raise books.UnbalancedError(f"{row.id}: the hold to capture is not whole")
    _carry(session, database, row, hold, (Book.HELD, Book.REFUNDED), "captured", DepositState.REFUNDED)


def reopen_hold(session: Session, database: Database, row: Refund) -> None:
    """Hold the money again, because a payout that had succeeded failed later."""
    hold = session.get_one(Hold, row.id)
    if hold.state == "captured":
        _carry(session, database, row, hold, (Book.REFUNDED, Book.HELD), "active", DepositState.HELD)


def charge_back_hold(session: Session, database: Database, row: Refund) -> None:
    """Book the held money as taken back by the customer's bank: it is never spendable again.

    A deposit stands in the books once. Where it was refunded too, the bank's word is the last one about it, and the
    refund besides is our loss, which no account of a customer shows.
    """
    hold = session.get(Hold, row.id)
    if hold is not None and hold.state in ("active", "captured"):
        way = (Book.HELD if hold.state == "active" else Book.REFUNDED, Book.CHARGED_BACK)
        _carry(session, database, row, hold, way, "charged_back", DepositState.CHARGED_BACK)


def charge_back_spendable(session: Session, database: Database, row: Refund) -> None:
    """Book what is left of a deposit that nobody holds as taken back by the customer's bank."""
    deposit = session.get_one(Deposit, row.deposit_id)
    if deposit.state != DepositState.OPEN:
        return
    deposit.state = DepositState.CHARGED_BACK.value
    left = books.in_book(session, deposit.id, Book.SPENDABLE)
    books.move(
        session,
        key=f"charged_back/{deposit.id}",
        at=database.now(),
        account_id=deposit.account_id,
        currency=deposit.currency,
        source=Book.SPENDABLE,
        target=Book.CHARGED_BACK,
        parts={deposit.id: left},
    )
    note(session, database, row, "deposit.charged_back", detail={"deposit_id": deposit.id, "amount_minor": left})


def end_unpaid(
    session: Session,
    database: Database,
    row: Refund,
    status: RefundStatus,
    reason: StatusReason,
    *,
    actor: str = SERVICE,
    detail: dict[str, Any] | None = None,
) -> None:
    """End a refund that paid nothing: the hold is released in the same transaction."""
    release_hold(session, database, row)
    move(session, database, row, status, reason, actor=actor, detail=detail)
    row.due_at = None


def _carry(
    session: Session,
    database: Database,
    row: Refund,
    hold: Hold,
    way: tuple[Book, Book],
    hold_state: str,
    deposit_state: DepositState,
) -> None:
    """Move a hold's money from one book to another, and let hold, deposit and timeline say so."""
    hold.state = hold_state
    session.get_one(Deposit, hold.deposit_id).state = deposit_state.value
    _shift(session, database, hold, *way)
    event = "hold.reopened" if hold_state == "active" else f"hold.{hold_state}"
    note(session, database, row, event, detail={"deposit_id": hold.deposit_id})


def _shift(session: Session, database: Database, hold: Hold, source: Book, target: Book) -> None:
    """Move what stands in `source` for the held deposit; each move of a hold is an effect of its own."""
    hold.moves += 1
    deposit = session.get_one(Deposit, hold.deposit_id)
    books.move(
        session,
        key=f"hold/{hold.refund_id}/{hold.moves}",
        at=database.now(),
        account_id=deposit.account_id,
        currency=deposit.currency,
        source=source,
        target=target,
        parts={deposit.id: books.in_book(session, deposit.id, source)},
    )
