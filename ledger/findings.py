"""What a person must look at, with its evidence: found once per matter, closed by a person, found again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import Conflict, NotFound
from domain.findings import DEADLINES, FindingKind, kind_of
from domain.payouts import PAID, PayoutStatus
from domain.people import DECIDING
from domain.refunds import END_STATES, WaitingFor
from ledger import audit
from ledger.clients import require_role
from ledger.database import Database
from ledger.switches import switch_of
from ledger.tables import Finding, Payout, RailStop, Refund, Wallet

SUBJECT_LENGTH_MAX = 160  # characters, as the column has


def open_finding(
    session: Session,
    database: Database,
    *,
    kind: FindingKind,
    key: str,
    evidence: dict[str, Any],
    refund_id: str | None = None,
) -> None:
    """Open a finding, once per matter, or again if it was closed; evidence holds ids, codes and amounts."""
    finding = session.scalar(select(Finding).where(Finding.key == key))
    if finding is not None and finding.closed_at is None:
        return
    now = database.now()
    event = "finding.opened" if finding is None else "finding.reopened"
    if finding is None:
        finding = Finding(key=key, kind=kind.value, refund_id=refund_id, openings=0)
        session.add(finding)
    finding.evidence, finding.opened_at, finding.openings = evidence, now, finding.openings + 1
    finding.closed_at = finding.closed_by = finding.closed_reason = finding.salt = None
    session.flush()
    detail = {"kind": kind.value, **evidence}
    audit.append(
        session, at=now, actor="service", event=event, refund_id=refund_id, subject=subject_of(key), detail=detail
    )


def close_finding(session: Session, at: datetime, finding: Finding, *, operator: str | None, reason: str) -> None:
    """Close a finding with its audit entry, in the caller's transaction; `operator` None is the service itself."""
    finding.closed_at, finding.closed_by, finding.closed_reason = at, operator, reason
    finding.salt = audit.new_salt()
    session.flush()
    audit.append(
        session,
        at=at,
        actor=operator or "service",
        event="finding.closed",
        refund_id=finding.refund_id,
        subject=subject_of(finding.key),
        detail={"kind": finding.kind, "reason_sealed": audit.sealed(finding.salt, reason)},
    )


def close_findings_of(
    session: Session, at: datetime, row: Refund, kinds: Iterable[FindingKind], *, operator: str | None, reason: str
) -> None:
    """Close what is open of these kinds about a refund."""
    mine = Finding.refund_id == row.id, Finding.kind.in_([it.value for it in kinds])
    with session.no_autoflush:  # a finding never waits to be written
        found = session.scalars(select(Finding).where(*mine, Finding.closed_at.is_(None))).all()
    for finding in found:
        close_finding(session, at, finding, operator=operator, reason=reason)


def subject_of(key: str) -> str:
    """Shorten a key for the audit trail: a long id must not make the entry fail, and the evidence names it whole."""
    return key[:SUBJECT_LENGTH_MAX]


class Findings:
    """Closes findings. What still stands by the ledger's own knowledge stays open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self, finding_id: int, reason: str, *, operator: str) -> None:
        """Close a finding; a second call changes nothing. Raise `Conflict` while the matter stands."""
        with self._database.write() as session:
            finding = session.get(Finding, finding_id)
            if finding is None:
                raise NotFound("finding", str(finding_id))
            require_role(session, operator, DECIDING)
            if finding.closed_at is not None:
                return
            standing = still_stands(session, finding)
            if standing is not None:
                raise Conflict(f"The matter still stands: {standing}.", field="id", rule="matter_settled")
            close_finding(session, self._database.now(), finding, operator=operator, reason=reason)


def still_stands(session: Session, finding: Finding) -> str | None:
    """Return in words why the matter is not settled as far as the ledger itself can tell, or None."""
    kind, evidence = FindingKind(finding.kind), finding.evidence
    match kind:
        case FindingKind.RAIL_STOP:
            switch = switch_of(evidence["rail"], evidence.get("chain_id"))
            return "the rail is stopped" if session.get(RailStop, switch) is not None else None
        case FindingKind.WALLET_PAUSED:
            wallet = session.get(Wallet, (evidence["chain_id"], evidence["wallet"]))
            return "the wallet is paused" if wallet is not None and wallet.pause_reason is not None else None
        case FindingKind.PAYOUT_STUCK:
            payout = session.get(Payout, (finding.refund_id, evidence["attempt"]))
            is_stuck = payout is not None and payout.block_number is None and not payout.is_buried
            return "the payout is in no block" if is_stuck else None
        case FindingKind.PAYOUT_DELAYED:
            payout = session.get(Payout, (finding.refund_id, evidence["attempt"]))
            return "the payout is queued" if payout is not None and payout.status == PayoutStatus.QUEUED else None
    row = session.get(Refund, finding.refund_id) if finding.refund_id is not None else None
    if row is None:
        return None
    if kind in DEADLINES:
        payout = session.get(Payout, (row.id, row.attempt))
        is_paid = row.status in END_STATES or (payout is not None and payout.status in PAID)
        return None if is_paid else f"the refund is {row.status} and unpaid"
    if kind == FindingKind.BALANCE_SHORT:
        payout = session.get(Payout, (row.id, evidence["attempt"]))
        return "the payout waits for money" if payout is not None and payout.status == PayoutStatus.PENDING else None
    if kind in (FindingKind.OVERDUE_REMINDER, FindingKind.OVERDUE_ESCALATION):
        same = (row.status, row.attempt) == (evidence["status"], evidence["attempt"])
        return f"the refund is {row.status}" if same else None
    if row.waiting_for == WaitingFor.OPERATOR and kind_of(row.status_reason) == kind:
        return f"the refund is {row.status} ({row.status_reason})"
    return None
