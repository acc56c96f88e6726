"""Reconciliations that were asked for, what they found, and the findings that they open and close."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.book_runs import BooksOutcome, CloseBooks, OpenBooks
from domain.differences import KEY_PREFIX, Difference
from domain.errors import Conflict, NotFound, TryAgain
from domain.findings import FindingKind
from ledger import audit
from ledger.database import Database
from ledger.findings import close_finding, open_finding, subject_of
from ledger.tables import Finding, Reconciliation

SCHEDULE = "schedule"
KEYS_ASKED_AT_ONCE = 500  # databases bound how many values a query may bring

# Each takes one of the worker's threads while it runs, and refunds need the others.
REQUESTED_TOGETHER_MAX = 3
START_MAX = timedelta(minutes=5)  # one that did not begin by then waits for a worker or Temporal that is away
RUN_MAX = timedelta(hours=6)  # one that did not end by then was lost


class Reconciliations:
    """Every step may run twice: a matter has one finding, a reconciliation one report."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(self, asked: OpenBooks, *, requested_by: str) -> dict[str, Any]:
        """Record that somebody wants to reconcile; the same id again is the same reconciliation."""
        with self._database.write() as session:
            row = session.get(Reconciliation, asked.reconciliation_id)
            if row is None:
                self._refuse_more(session)
                row = _new(session, self._database, asked, requested_by)
            elif (row.days, row.grace_seconds) != (asked.days, asked.grace_seconds):
                raise Conflict(
                    "This reconciliation was asked for with other values.",
                    field="reconciliation_id",
                    rule="same_values",
                )
            return _picture(row)

    def _refuse_more(self, session: Session) -> None:
        """Let a few run together. The schedule's does not ask, and what never began or ended does not count."""
        now, it = self._database.now(), Reconciliation
        is_waiting = it.started_at.is_(None) & (it.requested_at > now - START_MAX)
        is_running = it.started_at > now - RUN_MAX
        unfinished = select(func.count()).where(it.finished_at.is_(None), is_waiting | is_running)
        if (session.scalar(unfinished.where(it.requested_by != SCHEDULE)) or 0) >= REQUESTED_TOGETHER_MAX:
            raise TryAgain("other reconciliations are under way", after_seconds=60)

    def open(self, asked: OpenBooks) -> tuple[datetime, datetime]:
        """Begin; return from when on and up to when is compared. One by schedule gets its row here."""
        with self._database.write() as session:
            row = session.get(Reconciliation, asked.reconciliation_id)
            row = row or _new(session, self._database, asked, SCHEDULE)
            row.started_at = row.started_at or self._database.now()
            if row.finished_at is None:
                row.status = "running"
            return row.started_at - timedelta(days=row.days), row.started_at

    def note(self, scope: str, differences: Sequence[Difference]) -> None:
        """Open a finding for each difference that has none.

        One that a person closed stays closed as long as the difference is the one that they saw.
        """
        if not differences:
            return
        with self._database.write() as session:
            for difference in differences:
                found = session.scalar(select(Finding).where(Finding.key == difference.key))
                evidence = _evidence(scope, difference)
                if found is not None and found.closed_by is not None and found.evidence == evidence:
                    continue
                open_finding(
                    session,
                    self._database,
                    kind=FindingKind(difference.kind),
                    key=difference.key,
                    evidence=evidence,
                    refund_id=difference.refund_id,
                )

    def still_open(self, keys: Collection[str]) -> list[str]:
        """Return those of the keys that have an open finding."""
        asked, found = list(keys), list[str]()
        with self._database.read() as session:
            for begin in range(0, len(asked), KEYS_ASKED_AT_ONCE):
                some = Finding.key.in_(asked[begin : begin + KEYS_ASKED_AT_ONCE])
                found += session.scalars(select(Finding.key).where(some, Finding.closed_at.is_(None)))
        return found

    def close(self, asked: CloseBooks) -> BooksOutcome:
        """Close the findings whose difference is gone, and write the report; a second call returns the first's."""
        with self._database.write() as session:
            row = session.get_one(Reconciliation, asked.plan.reconciliation_id)
            if row.report is None:
                closed = self._close_gone(session, asked, row)
                row.report = _report(session, asked, closed)
                row.status, row.finished_at = row.report["outcome"], self._database.now()
                told = {name: row.report[name] for name in ("outcome", "compared", "under_way_count")}
                audit.append(
                    session,
                    at=row.finished_at,
                    actor="service",
                    event="reconciliation.finished",
                    subject=subject_of(row.id),
                    detail=told,
                )
            return BooksOutcome(
                reconciliation_id=row.id,
                outcome=row.report["outcome"],
                differences=sum(it["is_open"] for it in row.report["differences"]),
                under_way=row.report["under_way_count"],
                compared=row.report["compared"],
            )

    def _close_gone(self, session: Session, asked: CloseBooks, row: Reconciliation) -> list[int]:
        """Close what this run looked for and did not find again. What lies outside its window it did not look for."""
        seen = {key for scope in asked.scopes for key in (*scope.keys, *scope.kept)}
        looked_at = {scope.scope for scope in asked.scopes if scope.is_read and scope.is_whole}
        mine = select(Finding).where(Finding.key.startswith(KEY_PREFIX), Finding.closed_at.is_(None))
        closed = []
        for finding in session.scalars(mine.order_by(Finding.id)):
            at = finding.evidence.get("at")
            is_outside = at is not None and datetime.fromisoformat(at) < asked.plan.since
            is_newer = finding.opened_at >= (row.started_at or finding.opened_at)
            if finding.key in seen or finding.evidence.get("scope") not in looked_at or is_outside or is_newer:
                continue
            reason = f"gone at reconciliation {row.id}"
            close_finding(session, self._database.now(), finding, operator=None, reason=reason)
            closed.append(finding.id)
        return closed

    def get(self, reconciliation_id: str) -> dict[str, Any]:
        """Return one reconciliation with its report, or raise `NotFound`."""
        with self._database.read() as session:
            row = session.get(Reconciliation, reconciliation_id)
            if row is None:
                raise NotFound("reconciliation", reconciliation_id)
            return _picture(row)

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """List reconciliations, newest first."""
        query = select(Reconciliation).order_by(Reconciliation.requested_at.desc(), Reconciliation.id.desc())
        with self._database.read() as session:
            return [_picture(row) for row in session.scalars(query.limit(limit))]


def _new(session: Session, database: Database, asked: OpenBooks, requested_by: str) -> Reconciliation:
    now = database.now()
    row = Reconciliation(
        id=asked.reconciliation_id,
        requested_by=requested_by,
        status="requested",
        days=asked.days,
        grace_seconds=asked.grace_seconds,
        requested_at=now,
    )
    session.add(row)
    audit.append(
        session,
        at=now,
        actor=requested_by,
        event="reconciliation.requested",
        subject=row.id,
        detail={"days": row.days, "grace_seconds": row.grace_seconds},
    )
    return row


def _evidence(scope: str, difference: Difference) -> dict[str, Any]:
    at = None if difference.at is None else difference.at.astimezone(UTC).isoformat()
    return dict(difference.evidence) | {"scope": scope, "deposit_id": difference.deposit_id, "at": at}


def _report(session: Session, asked: CloseBooks, closed: list[int]) -> dict[str, Any]:
    keys = list(dict.fromkeys(key for scope in asked.scopes for key in (*scope.keys, *scope.kept)))
    found = [it for key in keys if (it := session.scalar(select(Finding).where(Finding.key == key))) is not None]
    differences = [
        {
            "finding_id": it.id,
            "kind": it.kind,
            "refund_id": it.refund_id,
            "deposit_id": it.evidence.get("deposit_id"),
            "is_open": it.closed_at is None,
        }
        for it in found
    ]
    is_whole = all(scope.is_read and scope.is_whole for scope in asked.scopes)
    has_open = any(it["is_open"] for it in differences)
    return {
        "outcome": ("differences" if has_open else "clean") if is_whole else "incomplete",
        "since": asked.plan.since.isoformat(),
        "compared": sum(scope.compared for scope in asked.scopes),
        "under_way_count": sum(scope.under_way_count for scope in asked.scopes),
        "scopes": [
            {
                "scope": it.scope,
                "is_read": it.is_read,
                "is_whole": it.is_whole,
                "compared": it.compared,
                "under_way_count": it.under_way_count,
                "under_way": list(it.under_way),
            }
            for it in asked.scopes
        ],
        "differences": differences,
        "closed_findings": closed,
    }


def _picture(row: Reconciliation) -> dict[str, Any]:
    return {
        "id": row.id,
        "status": row.status,
        "requested_by": row.requested_by,
        "days": row.days,
        "grace_seconds": row.grace_seconds,
        "requested_at": row.requested_at,
        "finished_at": row.finished_at,
        "report": row.report,
    }
