"""Adds callers straight in the database: how a fresh installation gets its first operator."""

from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from cli.exits import CommandFailed, Exit
from cli.output import Format, Output, plain, say, write, write_json
from config import MissingSettingsError, Settings
from domain.errors import Conflict, TryAgain
from ledger.clients import Clients, Role
from ledger.database import Database
from ledger.migrate import is_current

ACTOR = "command line"
NAME_LENGTH_MAX = 128

app = typer.Typer(no_args_is_help=True, help="Who may call: operators, help desks and billing.")


@app.callback()
def operators() -> None:
    """Work on the database of REFUNDS_DATABASE_URL, without the API."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The caller's name, as the audit trail will say it.")],
    role: Annotated[Role, typer.Option(help="What they may do.")],
    output: Output = Format.TABLE,
) -> None:
    """Add a caller and print their token, once: only its hash is kept."""
    if not name.isprintable() or not 0 < len(name.strip()) <= NAME_LENGTH_MAX:
        raise CommandFailed(Exit.USAGE, f"A name is 1 to {NAME_LENGTH_MAX} printable characters.")
    try:
        database = Database(Settings.load().database_url)
        if not is_current(database):
            raise CommandFailed(
                Exit.USAGE,
                "The database does not have this version's schema. `refunds serve --migrate` brings it there.",
            )
        token = Clients(database).add(name.strip(), role, actor=ACTOR)
    except MissingSettingsError as error:
        raise CommandFailed(Exit.USAGE, str(error)) from None
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
    say("This token is shown only now. Use it as REFUNDS_TOKEN.")
    if output == Format.JSON:
        write_json({"name": name.strip(), "role": role.value, "token": token})
    else:
        write(plain(token))
