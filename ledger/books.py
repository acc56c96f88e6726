"""Double-entry books: every entry's postings sum to zero, every balance is a sum of postings."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from ledger.tables import Entry, Posting


class Book(StrEnum):
    """Where a deposit's money is. `deposited` is the other side of all: what came in, as a negative sum."""

    DEPOSITED = "deposited"
    SPENDABLE = "spendable"
    RESERVED = "reserved"  # by pending orders
    HELD = "held"  # by an open refund
    USED = "used"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged_back"


class UnbalancedError(AssertionError):
    """A movement would take more from a book than is in it: a bug, so nothing is written."""


def move(
    session: Session,
    *,
    key: str,
    at: datetime,
    account_id: str,
    currency: str,
    source: Book,
    target: Book,
    parts: dict[str, int],
) -> None:
    """Move `parts` (deposit id → amount in minor units) from one book to another, as one entry.

    `key` names the effect; booking the same effect twice violates the schema and is a bug of the caller.
    """
    parts = {deposit_id: amount for deposit_id, amount in parts.items() if amount}
    if not parts:
        return
    for deposit_id, amount in parts.items():
        available = in_book(session, deposit_id, source) if source != Book.DEPOSITED else amount
        if not 0 < amount <= available:
            raise UnbalancedError(f"{key}: {amount} of {deposit_id} from {source}, which holds {available}")
    entry = Entry(key=key, at=at)
    session.add(entry)
    session.flush()
    whose = {"entry_id": entry.id, "account_id": account_id, "currency": currency}
    postings = [
        {**whose, "deposit_id": deposit_id, "book": book.value, "amount_minor": signed}
        for deposit_id, amount in parts.items()
        for book, signed in ((source, -amount), (target, amount))
    ]
    session.execute(insert(Posting), postings)


def in_book(session: Session, deposit_id: str, book: Book) -> int:
    """Return how much of a deposit stands in a book, in minor units."""
    total = select(func.sum(Posting.amount_minor)).where(Posting.deposit_id == deposit_id, Posting.book == book)
    with session.no_autoflush:  # a posting never waits to be written
        return int(session.scalar(total) or 0)


def balances(session: Session, account_id: str) -> dict[str, dict[Book, int]]:
    """Return currency → book → amount in minor units, every book named."""
    totals = (
        select(Posting.currency, Posting.book, func.sum(Posting.amount_minor))
        .where(Posting.account_id == account_id)
        .group_by(Posting.currency, Posting.book)
    )
    result: dict[str, dict[Book, int]] = {}
    for currency, book, amount in session.execute(totals):
        result.setdefault(currency, dict.fromkeys(Book, 0))[Book(book)] = int(amount)
    return result
