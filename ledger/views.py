"""Read-only pictures of refunds and balances, as plain data for the layers above."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from domain.errors import NotFound
from domain.findings import FindingKind
from domain.refunds import RefundStatus
from ledger import books, cases
from ledger.billing import payment_of
from ledger.books import Book
from ledger.contests import disputes_of
from ledger.database import Database
from ledger.tables import Account, AuditEntry, Decision, Deposit, Finding, Message, PaymentWarning, Payout, Refund

Picture = dict[str, Any]


class Views:
    """Answers questions and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def refund(self, refund_id: str) -> Picture:
        """Return the whole refund with verdict, decisions, payouts, messages and timeline."""
        with self._database.read() as session:
            return _whole(session, cases.get(session, refund_id))

    def refunds(
        self,
        *,
        status: RefundStatus | None = None,
        ticket: str | None = None,
        account: str | None = None,
        deposit: str | None = None,
        after: tuple[datetime, str] | None = None,
        limit: int = 50,
    ) -> list[Picture]:
        """List refunds without their timelines, newest first; `after` is the last row already seen."""
        query: Select[Refund] = select(Refund).order_by(Refund.created_at.desc(), Refund.id.desc())
        if status is not None:
            query = query.where(Refund.status == status)
        if ticket is not None:
            system, _, identifier = ticket.partition(":")  # a system holds no colon, a ticket's id may
            named = and_(Refund.ticket_system == system, Refund.ticket_id == identifier)
            query = query.where(or_(named, Refund.ticket_id == ticket))
        if account is not None:
            query = query.where(Refund.account_id == account)
        if deposit is not None:
            query = query.where(Refund.deposit_id == deposit)
        if after is not None:
            moment, identifier = after
            query = query.where(
                (Refund.created_at < moment) | ((Refund.created_at == moment) & (Refund.id < identifier))
            )
        with self._database.read() as session:
            return [_summary(session, row) for row in session.scalars(query.limit(limit))]

    def balance(self, account_id: str) -> list[Picture]:
        """Return spendable, held, used, refunded and charged back per currency, and what was deposited.

        Money reserved by pending orders counts as held: it cannot be spent and it is not used.
        """
        with self._database.read() as session:
            if session.get(Account, account_id) is None:
                raise NotFound("account", account_id)
            return [
                {
                    "currency": currency,
                    "deposited_minor": -amounts[Book.DEPOSITED],
                    "spendable_minor": amounts[Book.SPENDABLE],
                    "held_minor": amounts[Book.HELD] + amounts[Book.RESERVED],
                    "used_minor": amounts[Book.USED],
                    "refunded_minor": amounts[Book.REFUNDED],
                    "charged_back_minor": amounts[Book.CHARGED_BACK],
                }
                for currency, amounts in sorted(books.balances(session, account_id).items())
            ]

    def open_findings(self) -> list[Picture]:
        """List all that a person must look at now, oldest first."""
        return self.findings()

    def findings(
        self,
        *,
        kind: FindingKind | None = None,
        refund_id: str | None = None,
        is_open: bool = True,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Picture]:
        """List findings, oldest first; `after` is the id of the last one already seen."""
        query = _FOUND.where(Finding.id > after).order_by(Finding.id).limit(limit)
        query = query.where(Finding.closed_at.is_(None) if is_open else Finding.closed_at.is_not(None))
        if kind is not None:
            query = query.where(Finding.kind == kind)
        if refund_id is not None:
            query = query.where(Finding.refund_id == refund_id)
        with self._database.read() as session:
            return [_finding(*row) for row in session.execute(query)]

    def finding(self, finding_id: int) -> Picture:
        """Return one finding, open or closed."""
        with self._database.read() as session:
            row = session.execute(_FOUND.where(Finding.id == finding_id)).one_or_none()
            if row is None:
                raise NotFound("finding", str(finding_id))
            return _finding(*row)


_FOUND = select(Finding, Refund.status, Refund.status_reason).outerjoin(Refund, Refund.id == Finding.refund_id)


def _finding(row: Finding, refund_status: str | None, status_reason: str | None) -> Picture:
    return {
        "id": row.id,
        "kind": row.kind,
        "refund_id": row.refund_id,
        "refund_status": refund_status,
        "status_reason": status_reason,
        "evidence": row.evidence,
        "openings": row.openings,
        "opened_at": row.opened_at,
        "closed_at": row.closed_at,
        "closed_by": row.closed_by,
        "closed_reason": row.closed_reason,
    }


def _summary(session: Session, row: Refund) -> Picture:
    deposit = session.get(Deposit, row.deposit_id) if row.deposit_id else None
    return {
        "id": row.id,
        "status": row.status,
        "status_reason": row.status_reason,
        "waiting_for": row.waiting_for,
        "rail": row.rail,
        "channel": row.channel,
        "ticket": {"system": row.ticket_system, "id": row.ticket_id, "url": row.ticket_url},
        "account_id": row.account_id,
        "deposit_id": row.deposit_id,
        "duplicate_of": row.duplicate_of,
        "amount_minor": deposit.amount_minor if deposit else None,
        "currency": deposit.currency if deposit else None,
        "ownership": row.ownership,
        "attempt": row.attempt,
        "digest": row.digest,
        "approvals_needed": row.approvals_needed,
        "requested_at": row.requested_at,
        "pay_due_at": row.pay_due_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _whole(session: Session, row: Refund) -> Picture:
    decisions = session.scalars(select(Decision).where(Decision.refund_id == row.id).order_by(Decision.seq))
    payouts = session.scalars(select(Payout).where(Payout.refund_id == row.id).order_by(Payout.attempt))
    messages = session.scalars(select(Message).where(Message.refund_id == row.id).order_by(Message.written_at))
    entries = session.scalars(select(AuditEntry).where(AuditEntry.refund_id == row.id).order_by(AuditEntry.seq))
    deposit = session.get(Deposit, row.deposit_id) if row.deposit_id else None
    return _summary(session, row) | {
        "payment": payment_of(deposit).model_dump(mode="json") if deposit else None,
        "verdict": row.verdict,
        "decisions": [
            {
                "decision_id": it.decision_id,
                "operator": it.operator,
                "action": it.action,
                "digest": it.digest,
                "reason": it.reason,
                "acknowledge": it.acknowledge["codes"],
                "recorded_at": it.recorded_at,
            }
            for it in decisions
        ],
        "payouts": [_payout(it) for it in payouts],
        "disputes": [
            {
                "dispute_id": it.dispute_id,
                "stage": it.stage,
                "status": it.status,
                "amount_minor": it.amount_minor,
                "currency": it.currency,
                "withdrawn_minor": it.withdrawn_minor,
                "is_accepted": it.is_accepted,
                "seen_at": it.seen_at,
            }
            for it in disputes_of(session, row)
        ],
        "fraud_warnings": [
            {
                "warning_id": it.warning_id,
                "fraud_type": it.fraud_type,
                "is_actionable": it.is_actionable,
                "seen_at": it.seen_at,
            }
            for it in session.scalars(_warnings_of(row))
        ],
        "messages": [{"kind": it.kind, "text": it.text, "written_at": it.written_at} for it in messages],
        "timeline": [
            {"at": it.at, "actor": it.actor, "event": it.event, "subject": it.subject, "detail": it.detail}
            for it in entries
        ],
    }


def _warnings_of(row: Refund) -> Select[PaymentWarning]:
    mine = select(PaymentWarning).where(PaymentWarning.refund_id == row.id)
    return mine.order_by(PaymentWarning.seen_at, PaymentWarning.warning_id)


def _payout(row: Payout) -> Picture:
    common = {"attempt": row.attempt, "rail": row.rail, "status": row.status, "detail": row.detail}
    if row.rail == "card":
        return common | {
            "provider_ref": row.provider_ref,
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            "destination_type": row.destination_type,
            "reference": row.reference,
            "reference_status": row.reference_status,
            "reference_type": row.reference_type,
        }
    return common | {
        "chain_id": row.chain_id,
        "tx_hash": row.tx_hash,
        "to": row.destination,
        "asset": row.asset,
        "amount_base_units": None if row.amount_base_units is None else str(row.amount_base_units),
        "nonce": row.nonce,
    }
