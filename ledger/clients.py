"""Who may call: clients and operators with their role and the hash of their token."""

import hashlib
import secrets
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.errors import Conflict, NotAllowed, NotFound
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

    def clients(self) -> list[dict[str, Any]]:
        """List everybody who may or might call, by name."""
        with self._database.read() as session:
            return [_picture(row) for row in session.scalars(select(Client).order_by(Client.name))]

    def set_active(self, name: str, is_active: bool, *, reason: str, actor: str) -> dict[str, Any]:
        """Take the right to call away, or give it back; a second call changes nothing.

        The last admin stays: nobody could give anything back after that.
        """
        with self._database.write() as session:
            require_role(session, actor, (Role.ADMIN,))
            row = session.get(Client, name)
            if row is None:
                raise NotFound("operator", name)
            if row.is_active == is_active:
                return _picture(row)
            admins = select(func.count()).where(Client.role == Role.ADMIN.value, Client.is_active.is_(True))
            if not is_active and row.role == Role.ADMIN.value and (session.scalar(admins) or 0) <= 1:
                raise Conflict("The last active admin cannot be deactivated.", field="name", rule="last_admin")
            row.is_active = is_active
            salt = audit.new_salt()
            row.note, row.note_salt = reason, salt
            session.flush()
            event = "client.activated" if is_active else "client.deactivated"
            detail = {"role": row.role, "reason_sealed": audit.sealed(salt, reason)}
            audit.append(session, at=self._database.now(), actor=actor, event=event, subject=name, detail=detail)
            return _picture(row)

    def holds_token(self, name: str, token: str) -> bool:
        """Tell whether this is the caller's token, whether or not they may use it now."""
        with self._database.read() as session:
            row = session.get(Client, name)
            return row is not None and row.token_hash == _hash(token)

    def by_token(self, token: str) -> Caller | None:
        """Return who holds this token. A hash of 256 random bits needs no salt, and looking it up leaks nothing."""
        with self._database.read() as session:
            row = session.scalar(select(Client).where(Client.token_hash == _hash(token), Client.is_active.is_(True)))
            return Caller(name=row.name, role=Role(row.role)) if row else None


def may_act(session: Session, name: str, roles: Collection[Role]) -> bool:
    """Tell whether this caller is active and has one of these roles, in this transaction."""
    client = session.get(Client, name)
    return client is not None and client.is_active and Role(client.role) in roles


def require_role(session: Session, name: str, roles: Collection[Role]) -> None:
    """Raise `NotAllowed` unless this caller may act; a right can be lost between the token and the act."""
    if not may_act(session, name, roles):
        raise NotAllowed(f"Only an active {' or '.join(sorted(roles))} may do this.", field="operator", rule="role")


def _picture(row: Client) -> dict[str, Any]:
    return {"name": row.name, "role": row.role, "is_active": row.is_active}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
