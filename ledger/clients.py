"""Who may call: clients and operators with their role and the hash of their token."""

import hashlib
import secrets

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from domain.errors import Conflict
from domain.people import Role
from ledger import audit
from ledger.database import Database
from ledger.tables import Client


class Caller(BaseModel):
    """An authenticated caller."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role


class Clients:
    """The list of callers. A token is shown once, when it is made; only its hash is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, role: Role, *, actor: str, token: str | None = None) -> str:
        """Add a caller and return their token, 256 random bits unless one is given; a known name is a conflict."""
        token = token or f"rfd_{secrets.token_urlsafe(32)}"
        with self._database.write() as session:
            if session.get(Client, name) is not None:
                raise Conflict("This name is taken.", field="name", rule="unique")
            session.add(Client(name=name, role=role.value, token_hash=_hash(token), is_active=True))
            session.flush()
            detail = {"role": role.value}
            audit.append(
                session, at=self._database.now(), actor=actor, event="client.added", subject=name, detail=detail
            )
        return token

    def by_token(self, token: str) -> Caller | None:
        """Return who holds this token. A hash of 256 random bits needs no salt, and looking it up leaks nothing."""
        with self._database.read() as session:
            row = session.scalar(select(Client).where(Client.token_hash == _hash(token), Client.is_active.is_(True)))
            return Caller(name=row.name, role=Role(row.role)) if row else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
