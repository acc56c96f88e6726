"""What our database says of payouts, holds and books, for the comparison with card processor and chain."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session

from domain.differences import (
    BookedDeposit,
    BookedPayout,
    BookedRefund,
    Difference,
    Judgement,
    LikelyRefund,
    Moment,
)
from domain.money import NATIVE
from domain.payouts import MAY_STILL_LAND, PAID, PayoutStatus
from domain.policy import Policy
from domain.reconciliation import compare_books, compare_hold, compare_progress, patience
from domain.refunds import END_STATES, RefundStatus, WaitingFor
from domain.transfers import WalletView
from ledger import strays, wallets
from ledger.database import Database
from ledger.tables import ChainTransaction, Deposit, Hold, Payout, Posting, Refund, Wallet

BATCH_DEPOSITS = 500
TO_BE_SEEN = (*MAY_STILL_LAND, PayoutStatus.SUCCEEDED)


class Booked:
    """Reads the books. Only the first sight of a wallet is written: from its nonce on we explain all."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._customer_wait = timedelta(days=policy.handling.customer_wait_days)

    def deposits_of(self, payment_intents: Collection[str]) -> dict[str, BookedDeposit]:
        """Return the deposits that these payments back, by payment; a payment that backs none is left out."""
        with self._database.read() as session:
            query = select(Deposit.payment_intent, Deposit.id).where(Deposit.payment_intent.in_(payment_intents))
            found = {payment: deposit for payment, deposit in session.execute(query) if payment}
            booked = _deposits(session, list(found.values()))
            return {payment: booked[deposit] for payment, deposit in found.items()}

    def deposit(self, deposit_id: str) -> BookedDeposit:
        """Return one deposit as it is now."""
        with self._database.read() as session:
            return _deposits(session, [deposit_id])[deposit_id]

    def places(self, since: datetime) -> list[tuple[str, int | None, str | None]]:
        """List rail, chain and wallet of all payouts that a comparison back to `since` has to look at."""
        is_by_card = (Payout.rail == "card") & (Payout.begun_at >= since) & Payout.status.in_(TO_BE_SEEN)
        is_on_chain = Payout.nonce.is_not(None) & ((Payout.begun_at >= since) | Payout.is_buried.is_(False))
        query = select(Payout.rail, Payout.chain_id, Payout.wallet).where(is_by_card | is_on_chain).distinct()
        with self._database.read() as session:
            return [
                (rail, chain_id, wallet)
                for rail, chain_id, wallet in session.execute(
                    query.order_by(Payout.rail, Payout.chain_id, Payout.wallet)
                )
            ]

    def card_payouts(self, since: datetime, until: datetime | None) -> list[BookedPayout]:
        """List the card payouts begun in [since, until) of which the processor may show something."""
        query = _payouts().where(Payout.rail == "card", Payout.begun_at >= since, Payout.status.in_(TO_BE_SEEN))
        if until is not None:
            query = query.where(Payout.begun_at < until)
        with self._database.read() as session:
            return _read_payouts(session, query)

    def wallet_payouts(
        self, chain_id: int, wallet: str, since: datetime, after_nonce: int | None, limit: int
    ) -> list[BookedPayout]:
        """List a wallet's payouts that have a nonce and were begun since then, or are not buried yet."""
        query = _payouts().where(
            Payout.chain_id == chain_id,
            Payout.wallet == wallet,
            Payout.nonce > (-1 if after_nonce is None else after_nonce),
            (Payout.begun_at >= since) | Payout.is_buried.is_(False),
        )
        with self._database.read() as session:
            return _read_payouts(session, query.order_by(Payout.nonce).limit(limit))

    def watch_wallet(self, chain_id: int, wallet: str, view: WalletView) -> None:
        """Know a wallet from now on; one that is known stays as it is."""
        with self._database.read() as session:
            if session.get(Wallet, (chain_id, wallet)) is not None:
                return
        with self._database.write() as session:
            wallets.register(session, self._database, chain_id, wallet, view)

    def stray_nonces(self, chain_id: int, wallet: str, below: int, limit: int) -> list[int]:
        """List the nonces that the wallet has used and that no payout of ours has, lowest first."""
        with self._database.read() as session:
            return strays.stray_nonces(session, chain_id, wallet, below, limit)

    def known_strays(self, chain_id: int, wallet: str) -> dict[int, Difference]:
        """Return what earlier reconciliations found of such nonces, by nonce."""
        with self._database.read() as session:
            return strays.known_strays(session, chain_id, wallet)

    def likely(self, chain_id: int, to: str | None, asset: str, amount_base_units: int) -> tuple[LikelyRefund, ...]:
        """Find the refunds to this receiver of this asset and amount, the likeliest first."""
        with self._database.read() as session:
            return strays.likely_refunds(session, chain_id, to, asset, amount_base_units)

    def judge_refunds(self, moment: Moment) -> list[Judgement]:
        """Judge holds and progress of every refund that could be amiss; the rest is left out by the query."""
        has_paid = exists().where(Payout.refund_id == Refund.id, Payout.status.in_(list(PAID)))
        is_open = Refund.status.not_in(list(END_STATES))
        is_amiss = (Hold.state == "active") | ((Hold.state == "captured") & ~has_paid)
        query = select(Refund, Hold.state, has_paid).outerjoin(Hold, Hold.refund_id == Refund.id)
        with self._database.read() as session:
            rows = session.execute(query.where(is_open | is_amiss)).yield_per(1000)
            found = [self._refund(row, hold, paid) for row, hold, paid in rows]
        judged = [(compare_hold(it), compare_progress(it, moment)) for it in found]
        return [judgement for pair in judged for judgement in pair]

    def _refund(self, row: Refund, hold_state: str | None, has_paid: bool) -> BookedRefund:
        waiting_for = WaitingFor(row.waiting_for) if row.waiting_for else None
        is_over = row.status in END_STATES
        return BookedRefund(
            refund_id=row.id,
            deposit_id=row.deposit_id,
            status=RefundStatus(row.status),
            hold_state=hold_state,
            has_paid_payout=has_paid,
            updated_at=row.updated_at,
            patience=None if is_over else patience(waiting_for, self._customer_wait),
        )

    def judge_books(self) -> Iterator[Judgement]:
        """Judge the books of every deposit, in batches."""
        last = ""
        while True:
            with self._database.read() as session:
                page = select(Deposit.id, Deposit.amount_minor).where(Deposit.id > last).order_by(Deposit.id)
                credited = dict(session.execute(page.limit(BATCH_DEPOSITS)).all())
                if not credited:
                    return
                judged = _judge_books(session, credited)
            last = list(credited)[-1]  # by the database's own order, which need not be Python's
            yield from judged


def _judge_books(session: Session, credited: dict[str, int]) -> list[Judgement]:
    ids = list(credited)
    sums = (
        select(Posting.deposit_id, Posting.book, func.sum(Posting.amount_minor))
        .where(Posting.deposit_id.in_(ids))
        .group_by(Posting.deposit_id, Posting.book)
    )
    books: dict[str, dict[str, int]] = {deposit: {} for deposit in ids}
    for deposit, book, amount in session.execute(sums):
        books[deposit][book] = int(amount)
    active = select(Hold.deposit_id, func.sum(Hold.amount_minor)).where(Hold.state == "active")
    held = dict(session.execute(active.where(Hold.deposit_id.in_(ids)).group_by(Hold.deposit_id)).all())
    return [compare_books(it, credited[it], books[it], int(held.get(it, 0))) for it in ids]


def _payouts(*where: ColumnElement[bool]) -> Select[Payout, int, str]:
    return (
        select(Payout, Refund.attempt, Hold.state)
        .join(Refund, Refund.id == Payout.refund_id)
        .outerjoin(Hold, Hold.refund_id == Payout.refund_id)
        .where(*where)
    )


def _read_payouts(session: Session, query: Select[Payout, int, str]) -> list[BookedPayout]:
    rows = [(payout, attempt, hold) for payout, attempt, hold in session.execute(query).all()]
    hashes = _hashes(session, [payout for payout, _, _ in rows])
    return [_payout(it, attempt, hold, hashes.get((it.refund_id, it.attempt), ())) for it, attempt, hold in rows]


def _hashes(session: Session, payouts: Sequence[Payout]) -> dict[tuple[str, int], tuple[str, ...]]:
    """Return the hashes of all signed bytes of each payout, the newest first."""
    signed = [it.refund_id for it in payouts if it.nonce is not None]
    if not signed:
        return {}
    rows = session.execute(
        select(ChainTransaction.refund_id, ChainTransaction.attempt, ChainTransaction.tx_hash)
        .where(ChainTransaction.refund_id.in_(signed))
        .order_by(ChainTransaction.refund_id, ChainTransaction.attempt, ChainTransaction.sequence.desc())
    ).all()
    return {key: tuple(row[2] for row in group) for key, group in groupby(rows, key=lambda it: (it[0], it[1]))}


def _deposits(session: Session, ids: Sequence[str]) -> dict[str, BookedDeposit]:
    payouts = _read_payouts(session, _payouts(Payout.deposit_id.in_(ids)).order_by(Payout.attempt))
    asked = session.execute(
        select(Refund.deposit_id, Refund.id).where(Refund.deposit_id.in_(ids)).order_by(Refund.created_at)
    )
    latest = dict(asked.all())
    payments = dict(session.execute(select(Deposit.id, Deposit.tx_hash).where(Deposit.id.in_(ids))).all())
    return {
        it: BookedDeposit(
            deposit_id=it,
            refund_id=latest.get(it),
            payouts=tuple(payout for payout in payouts if payout.deposit_id == it),
            payment_tx_hash=payments.get(it),
        )
        for it in ids
    }


def _payout(row: Payout, current_attempt: int, hold_state: str | None, tx_hashes: tuple[str, ...]) -> BookedPayout:
    return BookedPayout(
        refund_id=row.refund_id,
        attempt=row.attempt,
        deposit_id=row.deposit_id,
        status=PayoutStatus(row.status),
        is_current=row.attempt == current_attempt,
        hold_state=hold_state,
        amount=(row.amount_minor if row.rail == "card" else row.amount_base_units) or 0,
        begun_at=row.begun_at,
        updated_at=row.updated_at,
        currency=row.currency,
        provider_ref=row.provider_ref,
        payment_intent=row.payment_intent,
        chain_id=row.chain_id,
        wallet=row.wallet,
        destination=row.destination,
        asset=row.asset or NATIVE,
        nonce=row.nonce,
        tx_hashes=tx_hashes,
    )
