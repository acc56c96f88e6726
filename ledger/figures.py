"""Figures for those who watch the service: how many, how old, how much, and whether the books balance."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.payouts import MAY_STILL_LAND
from domain.policy import Policy
from domain.refunds import RefundStatus
from ledger.books import Book
from ledger.database import Database
from ledger.tables import CardEventRow, Deposit, Finding, Payout, Posting, RailStop, Refund, Wallet

_OPEN_FINDINGS = (
    select(Finding.kind, func.count().label("number")).where(Finding.closed_at.is_(None)).group_by(Finding.kind)
)


@dataclass(frozen=True)
class Standing:
    """How the cases stand now. Ages are in seconds, by rail, and missing where nothing waits."""

    refunds: dict[tuple[str, str], int]
    """By rail and status."""
    approval_age_seconds: dict[str, float]
    payout_age_seconds: dict[str, float]
    findings: dict[str, int]
    stopped_rails: frozenset[str]
    paused_wallets: frozenset[tuple[int, str]]
    untold: int
    untold_age_seconds: float
    event_age_seconds: float | None
    """Of the newest event of the card processor; None before the first."""


@dataclass(frozen=True)
class Balance:
    """What the books say, by currency, in the smallest unit."""

    held_minor: dict[str, int]
    unbalanced_minor: dict[str, int]
    """The sum of all postings: not 0 means that an entry has one side only."""
    undeposited_minor: dict[str, int]
    """What deposits were credited with, less what the books say came in: not 0 means that one is booked wrongly."""


class Figures:
    """Reads them from the database; changes nothing."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._approval_seconds = policy.handling.remind_hours * 3600

    def standing(self) -> Standing:
        """Count what stands where; reads open cases and one index over all of them."""
        with self._database.read() as session:
            return Standing(
                refunds={
                    (rail, status): count
                    for rail, status, count in session.execute(
                        select(Refund.rail, Refund.status, func.count()).group_by(Refund.status, Refund.rail)
                    )
                },
                approval_age_seconds=self._approval_ages(session),
                payout_age_seconds=self._payout_ages(session),
                findings={row.kind: row.number for row in session.execute(_OPEN_FINDINGS)},
                stopped_rails=frozenset(session.scalars(select(RailStop.rail))),
                paused_wallets=frozenset(
                    session.execute(select(Wallet.chain_id, Wallet.address).where(Wallet.pause_reason.is_not(None)))
                ),
                untold=session.scalar(select(func.count()).where(Refund.news_at.is_not(None))) or 0,
                untold_age_seconds=self._untold_age(session),
                event_age_seconds=self._event_age(session),
            )

    def balance(self) -> Balance:
        """Add up the books: this reads every posting, so it is asked for now and then only."""
        with self._database.read() as session:
            by_book = session.execute(
                select(Posting.currency, Posting.book, func.sum(Posting.amount_minor)).group_by(
                    Posting.currency, Posting.book
                )
            )
            credited = session.execute(
                select(Deposit.currency, func.sum(Deposit.amount_minor)).group_by(Deposit.currency)
            )
            held, unbalanced, undeposited = {}, dict[str, int](), {it: int(amount) for it, amount in credited}
            for currency, book, amount in by_book:
                unbalanced[currency] = unbalanced.get(currency, 0) + int(amount)
                if book == Book.HELD:
                    held[currency] = int(amount)
                if book == Book.DEPOSITED:  # a negative sum
                    undeposited[currency] = undeposited.get(currency, 0) + int(amount)
            return Balance(held_minor=held, unbalanced_minor=unbalanced, undeposited_minor=undeposited)

    def _approval_ages(self, session: Session) -> dict[str, float]:
        """Approval falls due a fixed time after it was asked for, so the earliest due was asked for first."""
        waiting = Refund.status == RefundStatus.AWAITING_APPROVAL
        oldest = select(Refund.rail, func.min(Refund.due_at)).where(waiting, Refund.due_at.is_not(None))
        return {
            rail: max(0.0, (self._database.now() - due_at).total_seconds() + self._approval_seconds)
            for rail, due_at in session.execute(oldest.group_by(Refund.rail))
            if due_at is not None
        }

    def _payout_ages(self, session: Session) -> dict[str, float]:
        oldest = select(Payout.rail, func.min(Payout.begun_at)).where(Payout.status.in_(MAY_STILL_LAND))
        return {
            rail: max(0.0, (self._database.now() - begun_at).total_seconds())
            for rail, begun_at in session.execute(oldest.group_by(Payout.rail))
        }

    def _untold_age(self, session: Session) -> float:
        since = session.scalar(select(func.min(Refund.news_at)))
        return 0.0 if since is None else max(0.0, (self._database.now() - since).total_seconds())

    def _event_age(self, session: Session) -> float | None:
        newest = session.scalar(select(func.max(CardEventRow.received_at)))
        return None if newest is None else max(0.0, (self._database.now() - newest).total_seconds())
