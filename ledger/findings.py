"""What a person must look at, with its evidence."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger import audit
from ledger.database import Database
from ledger.tables import Finding


def open_finding(
    session: Session,
    database: Database,
    *,
    kind: str,
    key: str,
    evidence: dict[str, Any],
    refund_id: str | None = None,
) -> None:
    """Open a finding, once per matter; evidence holds ids, codes and amounts."""
    if session.scalar(select(Finding.id).where(Finding.key == key)) is not None:
        return
    now = database.now()
    session.add(Finding(key=key, kind=kind, refund_id=refund_id, evidence=evidence, opened_at=now))
    audit.append(
        session,
        at=now,
        actor="service",
        event="finding.opened",
        refund_id=refund_id,
        subject=key[:160],  # a long id must not make the entry fail; the evidence names it whole
        detail={"kind": kind, **evidence},
    )
