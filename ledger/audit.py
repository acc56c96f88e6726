"""The append-only trail: who, when, why, in the same database transaction as the change itself."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.changes import Change
from domain.digests import canonical_json
from ledger import changes
from ledger.tables import AuditEntry, AuditHead

GENESIS_HASH = "0" * 64


def append(
    session: Session,
    *,
    at: datetime,
    actor: str,
    event: str,
    refund_id: str | None = None,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one entry behind the last. `detail` holds ids, codes, amounts and sealed hashes only."""
    head = session.get_one(AuditHead, 1)
    entry = AuditEntry(
        seq=head.seq + 1,
        at=at,
        actor=actor,
        event=event,
        refund_id=refund_id,
        subject=subject,
        detail=dict(detail or {}),
        previous_hash=head.hash,
        hash="",
    )
    entry.hash = entry_hash(entry)
    session.add(entry)
    head.seq, head.hash = entry.seq, entry.hash
    session.flush()
    changes.keep(session, Change(event, actor, refund_id, subject, entry.detail))


def entry_hash(entry: AuditEntry) -> str:
    """Return the SHA-256 over the entry's content and the hash of the entry before it."""
    content = [
        entry.seq,
        entry.at.isoformat(),
        entry.actor,
        entry.event,
        entry.refund_id,
        entry.subject,
        entry.detail,
        entry.previous_hash,
    ]
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def new_salt() -> str:
    """Return a fresh key for one sealed text."""
    return secrets.token_hex(16)


def sealed(salt: str, text: str) -> str:
    """Return a keyed hash that proves a text unchanged.

    The key lies beside the text: once both are erased, the hash tells nothing about the person any more.
    """
    return hmac.new(salt.encode(), text.encode(errors="backslashreplace"), hashlib.sha256).hexdigest()


def first_break(entries: Iterable[AuditEntry], head: AuditHead) -> str | None:
    """Return in words where the chain is broken, or None. Entries come in order of `seq`."""
    seq, last = 0, GENESIS_HASH
    for entry in entries:
        seq += 1
        if entry.seq != seq:
            return f"entry {seq} is missing or out of order"
        if entry.previous_hash != last:
            return f"entry {seq} does not follow the entry before it"
        if entry_hash(entry) != entry.hash:
            return f"entry {seq} was changed"
        last = entry.hash
    if (seq, last) != (head.seq, head.hash):
        return f"the trail ends at entry {seq}, its head says {head.seq}"
    return None


def verify(session: Session) -> str | None:
    """Walk the whole chain; return where it is broken, or None."""
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.seq)).yield_per(1000)
    return first_break(entries, session.get_one(AuditHead, 1))
