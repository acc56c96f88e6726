"""The first answer to a call that brought an `Idempotency-Key`: claimed before the work, kept after it."""

import hashlib
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete
from sqlalchemy.orm import Session

from domain.errors import KeyInUse, KeyReused
from ledger import audit
from ledger.database import Database
from ledger.tables import KeyedAnswer

KEPT = timedelta(hours=24)

# Longer than any call may take. After it the process that worked on the call is dead, and the same call may be
# made again: what a call changes has a key of its own, so that it is changed once.
LEASE = timedelta(seconds=120)


class Claim(BaseModel):
    """The right to work on a call and to keep its answer, as long as nobody else took it over."""

    model_config = ConfigDict(frozen=True)

    caller: str
    route: str
    key_hash: str
    claim: str


class KeptAnswer(BaseModel):
    """What a call was answered the first time."""

    model_config = ConfigDict(frozen=True)

    status: int
    body: str


class KeyedAnswers:
    """Remembers first answers by caller, route and key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, caller: str, route: str, key: str, said: str) -> Claim | KeptAnswer:
        """Take the call on, or return its first answer; `said` is all that the caller said, in one form.

        Raise `KeyReused` where the key came with something else, `KeyInUse` while somebody works on it.
        """
        key_hash = hashlib.sha256(key.encode()).hexdigest()
        with self._database.write() as session:
            now = self._database.now()
            _forget(session, now - KEPT)
            row = session.get(KeyedAnswer, (caller, route, key_hash))
            if row is None:
                row = KeyedAnswer(caller=caller, route=route, key_hash=key_hash, salt=audit.new_salt())
                row.said_hash = audit.sealed(row.salt, said)
                session.add(row)
            elif row.said_hash != audit.sealed(row.salt, said):
                raise KeyReused
            elif row.status is not None:
                return KeptAnswer(status=row.status, body=row.body or "")
            elif now - row.claimed_at < LEASE:
                raise KeyInUse
            row.claim, row.claimed_at = audit.new_salt(), now
            session.flush()
            return Claim(caller=caller, route=route, key_hash=key_hash, claim=row.claim)

    def keep(self, claim: Claim, status: int, body: str) -> None:
        """Write the answer, unless the call was taken over by another one, whose answer then counts."""
        with self._database.write() as session:
            row = _claimed(session, claim)
            if row is not None:
                row.status, row.body = status, body

    def drop(self, claim: Claim) -> None:
        """Forget a call whose answer says nothing about the call itself."""
        with self._database.write() as session:
            row = _claimed(session, claim)
            if row is not None:
                session.delete(row)

    def forget(self) -> None:
        """Erase the answers that were kept long enough; they show personal data."""
        with self._database.write() as session:
            _forget(session, self._database.now() - KEPT)


def _claimed(session: Session, claim: Claim) -> KeyedAnswer | None:
    row = session.get(KeyedAnswer, (claim.caller, claim.route, claim.key_hash))
    return row if row is not None and row.claim == claim.claim and row.status is None else None


def _forget(session: Session, limit: datetime) -> None:
    session.execute(delete(KeyedAnswer).where(KeyedAnswer.claimed_at < limit))
