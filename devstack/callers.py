"""Brings the stack's database to this version's schema and registers its callers."""

import secrets
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from devstack.data_folder import DataFolder
from domain.errors import Conflict
from domain.people import Role
from ledger import migrate
from ledger.clients import Clients
from ledger.database import Database

CALLERS = {
    "billing": Role.BILLING,
    "helpdesk": Role.HELPDESK,
    "viewer": Role.VIEWER,
    "approver_1": Role.APPROVER,
    "approver_2": Role.APPROVER,
    "admin": Role.ADMIN,
}
_TOKENS_FILE = "tokens.json"


class DatabaseNotReady(Exception):
    """The database cannot be used by this stack."""


def database_url(path: Path) -> str:
    """Return the address of a SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def new_tokens(folder: DataFolder) -> dict[str, str]:
    """Return each caller's token, the same for the folder's whole life."""
    return folder.remember(_TOKENS_FILE, {name: f"rfd_{secrets.token_urlsafe(32)}" for name in CALLERS})


def prepare_database(url: str, tokens: dict[str, str]) -> None:
    """Migrate the database and register whoever is missing; a second call changes nothing."""
    database = Database(url)
    shown = database.url.render_as_string(hide_password=True)
    try:
        migrate.upgrade(database)
        clients = Clients(database)
        for name, role in CALLERS.items():
            if not clients.holds_token(name, tokens[name]):  # one whom an admin deactivated stays so
                clients.add(name, role, actor="refunds up", token=tokens[name])
    except (SQLAlchemyError, migrate.NewerSchemaError) as error:
        raise DatabaseNotReady(f"The database {shown} cannot be used: {error}") from error
    except Conflict:
        raise DatabaseNotReady(
            f"The database {shown} knows {name} by another token than {_TOKENS_FILE} of this data folder; "
            "use the folder that was used with it before, or another database."
        ) from None
    finally:
        database.close()
