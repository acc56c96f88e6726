"""The append-only trail: who, when, why, in the same database transaction as the change itself."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from domain.changes import Change
from ledger import changes
from ledger.audit_chain import entry_hash, prove
from ledger.tables import AuditEntry, AuditHead


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
    """Add one entry behind the last. `detail` holds ids, codes, amounts and sealed hashes only.

    It is written with whatever is written next, at the latest by the commit: all entries at once, the head once.
    """
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
    changes.keep(session, Change(event, actor, refund_id, subject, entry.detail))


def new_salt() -> str:
    """Return a fresh key for one sealed text."""
    return secrets.token_hex(16)


def sealed(salt: str, text: str) -> str:
    """Return a keyed hash that proves a text unchanged.

    The key lies beside the text: once both are erased, the hash tells nothing about the person any more.
    """
    return hmac.new(salt.encode(), text.encode(errors="backslashreplace"), hashlib.sha256).hexdigest()


def verify(session: Session) -> str | None:
    """Walk the whole chain; return in words where it is broken, or None."""
    broken = prove(session).broken
    return None if broken is None else str(broken)
