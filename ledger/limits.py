"""Limits on what leaves a wallet, read in the database transaction that assigns the nonce."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.limits import Breach, Cap, Limits
from domain.money import NATIVE
from domain.payouts import DEAD
from domain.refunds import RefundStatus, StatusReason, WaitingFor
from ledger import cases
from ledger.database import Database
from ledger.findings import close_finding, open_finding
from ledger.tables import ChainTransaction, Finding, Payout, Refund


class Spending:
    """What has left on a UTC day, summed once per database transaction."""

    def __init__(self, session: Session, now: datetime, limits: Limits) -> None:
        self._session = session
        self._limits = limits
        self._midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
        self._sums: dict[tuple[int, str, str | None], int] = {}

    def breach(self, payout: Payout, account_id: str) -> Breach | None:
        """Return the limit that assigning a nonce to this payout would break now, or None."""
        chain_id, asset, amount = payout.chain_id or 0, payout.asset or NATIVE, payout.amount_base_units or 0
        limits = self._limits.of(chain_id, asset)
        if limits.refund_max is not None and amount > limits.refund_max:
            return Breach(cap=Cap.REFUND, limit_base_units=limits.refund_max, used_base_units=0)
        for cap, limit, account in (
            (Cap.ASSET_DAY, limits.asset_day_max, None),
            (Cap.ACCOUNT_DAY, limits.account_day_max, account_id),
        ):
            if limit is None:
                continue
            used = self._used(chain_id, asset, account)
            if used + amount > limit:
                # More than a whole day may hold is never free by itself.
                free_at = self._midnight + timedelta(days=1) if amount <= limit else None
                return Breach(cap=cap, limit_base_units=limit, used_base_units=used, free_at=free_at)
        return None

    def add(self, payout: Payout, account_id: str) -> None:
        """Count a payout that got its nonce in this database transaction, whether it is written yet or not.

        Only what was summed before is counted up: `breach` has summed all that a limit of this payout needs.
        """
        for account in (None, account_id):
            key = (payout.chain_id or 0, payout.asset or NATIVE, account)
            if key in self._sums:
                self._sums[key] += payout.amount_base_units or 0

    def _used(self, chain_id: int, asset: str, account_id: str | None) -> int:
        key = (chain_id, asset, account_id)
        if key not in self._sums:
            query = (
                select(Payout.amount_base_units)
                .join(Refund, Refund.id == Payout.refund_id)
                .join(
                    ChainTransaction,
                    (ChainTransaction.refund_id == Payout.refund_id) & (ChainTransaction.attempt == Payout.attempt),
                )
                .where(
                    Payout.chain_id == chain_id,
                    Payout.asset == asset,
                    Payout.status.not_in(list(DEAD)),
                    ChainTransaction.sequence == 1,
                    ChainTransaction.signed_at >= self._midnight,
                )
            )
            if account_id is not None:
                query = query.where(Refund.account_id == account_id)
            # Summed here: as text, in which SQLite keeps them, amounts of 78 digits would be added as floats.
            self._sums[key] = sum(amount or 0 for amount in self._session.scalars(query))
        return self._sums[key]


def hold_back(session: Session, database: Database, row: Refund, payout: Payout, breach: Breach) -> None:
    """Let a refund wait where it is until the limit is free again: nothing failed, and people are told."""
    if row.attempt == payout.attempt and row.status == RefundStatus.PAYING:
        reason, who = StatusReason.LIMIT_REACHED, WaitingFor.OPERATOR
        cases.move(session, database, row, RefundStatus.PAYING, reason, waiting_for=who)
    open_finding(
        session,
        database,
        kind=FindingKind.LIMIT_REACHED,
        key=_key(payout, breach.cap, row),
        evidence={
            "chain_id": payout.chain_id,
            "asset": payout.asset,
            "cap": breach.cap.value,
            "limit_base_units": str(breach.limit_base_units),
            "used_base_units": str(breach.used_base_units),
            "free_at": breach.free_at.isoformat() if breach.free_at else None,
        },
        refund_id=row.id if breach.cap == Cap.REFUND else None,
    )


def is_told(session: Session, row: Refund, payout: Payout, breach: Breach) -> bool:
    """Tell whether people know already that this limit keeps this payout back."""
    told = select(Finding.id).where(Finding.key == _key(payout, breach.cap, row), Finding.closed_at.is_(None))
    return row.status_reason == StatusReason.LIMIT_REACHED and session.scalar(told) is not None


def findings_of(session: Session, payouts: Sequence[tuple[Refund, Payout]]) -> Sequence[Finding]:
    """Return the open findings that say that a limit keeps one of these payouts back."""
    keys = {_key(payout, cap, row) for row, payout in payouts for cap in Cap}
    return session.scalars(select(Finding).where(Finding.key.in_(keys), Finding.closed_at.is_(None))).all()


def let_go(session: Session, database: Database, row: Refund, payout: Payout, told: Sequence[Finding]) -> None:
    """Note that no limit keeps this payout back any more, and close those of the findings that said so."""
    if row.status == RefundStatus.PAYING and row.status_reason == StatusReason.LIMIT_REACHED:
        reason = StatusReason.PAYOUT_SENDING
        cases.move(session, database, row, RefundStatus.PAYING, reason, waiting_for=WaitingFor.CHAIN)
    keys = {_key(payout, cap, row) for cap in Cap}
    for finding in [it for it in told if it.key in keys and it.closed_at is None]:
        close_finding(session, database.now(), finding, operator=None, reason="the limit is free again")


def _key(payout: Payout, cap: Cap, row: Refund) -> str:
    whose = {Cap.REFUND: f"/{row.id}/{payout.attempt}", Cap.ASSET_DAY: "", Cap.ACCOUNT_DAY: f"/{row.account_id}"}
    return f"limit/{cap}/{payout.chain_id}/{payout.asset}{whose[cap]}"
