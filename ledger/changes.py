"""Changes that wait for their commit: nobody is told of what may still be rolled back."""

from sqlalchemy.orm import Session

from domain.changes import Change

_KEY = "changes"


def keep(session: Session, change: Change) -> None:
    """Remember a change until its database transaction ends."""
    session.info.setdefault(_KEY, []).append(change)


def kept(session: Session) -> list[Change]:
    """Return what was changed in this database transaction, in order."""
    changes: list[Change] = session.info.get(_KEY, [])
    return changes
