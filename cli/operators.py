"""Adds callers straight in the database: how a fresh installation gets its first operator."""

import importlib
from typing import Annotated

import typer

from cli.exits import CommandFailed, Exit
from cli.output import Format, Output, plain, say, write, write_json
from domain.people import Role

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
    callers = importlib.import_module("cli.callers")
    token = callers.add_caller(name.strip(), role)
    say("This token is shown only now. Use it as REFUNDS_TOKEN.")
    if output == Format.JSON:
        write_json({"name": name.strip(), "role": role.value, "token": token})
    else:
        write(plain(token))
