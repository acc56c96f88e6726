"""Writes callers straight into the database; apart, because the ledger is slow to import for every command."""

from sqlalchemy.exc import SQLAlchemyError

from cli.exits import CommandFailed, Exit
from cli.own_database import DatabaseMissing, open_existing
from config import MissingSettingsError, Settings
from domain.errors import Conflict, TryAgain
from domain.people import Role
from ledger.clients import Clients
from ledger.migrate import is_current

ACTOR = "command line"


def add_caller(name: str, role: Role) -> str:
    """Add a caller and return their token, once: only its hash is kept."""
    try:
        database = open_existing(Settings.load().database_url)
        if not is_current(database):
            raise CommandFailed(
                Exit.USAGE,
                "The database does not have this version's schema. `refunds migrate` brings it there.",
            )
        return Clients(database).add(name, role, actor=ACTOR)
    except MissingSettingsError as error:
        raise CommandFailed(Exit.USAGE, str(error)) from None
    except DatabaseMissing as error:
        raise CommandFailed(
            Exit.USAGE,
            f"{error} This command writes into the service's own database: call it where the service runs, "
            "with its REFUNDS_DATABASE_URL. For a new installation, `refunds migrate` makes one.",
        ) from None
    except Conflict as error:
        raise CommandFailed(
            Exit.REFUSED, f"{error.type}: {error.message} (field {error.field}, rule {error.rule})"
        ) from None
    except SQLAlchemyError as error:
        raise CommandFailed(
            Exit.USAGE, f"REFUNDS_DATABASE_URL: the database cannot be used ({type(error).__name__})."
        ) from None
    except TryAgain:
        raise CommandFailed(Exit.NOT_REACHABLE, "The database of REFUNDS_DATABASE_URL does not answer.") from None
