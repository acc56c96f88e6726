"""Who may call: added straight in the database, because somebody must be first; the rest through the API."""

import importlib
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.calls import Api
from cli.exits import CommandFailed, Exit
from cli.output import Format, Output, columns, plain, say, write, write_json
from domain.people import Role

NAME_LENGTH_MAX = 128

Name = Annotated[str, typer.Argument(metavar="NAME", help="The caller's name.")]
Reason = Annotated[str, typer.Option(help="Why; kept for the record.")]

app = typer.Typer(no_args_is_help=True, help="Who may call: operators, help desks and billing.")


@app.callback()
def operators() -> None:
    """Add callers in the database of REFUNDS_DATABASE_URL, on its own machine; all else goes through the API."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The caller's name, as the audit trail will say it.")],
    role: Annotated[Role, typer.Option(help="What they may do.")],
    output: Output = Format.TABLE,
) -> None:
    """Add a caller and print their token, once: only its hash is kept.

    Writes straight into the database of REFUNDS_DATABASE_URL (default: .refunds/refunds.sqlite in this folder):
    call it where the service runs, with the service's environment. It makes no database where there is none.
    """
    if not name.isprintable() or not 0 < len(name.strip()) <= NAME_LENGTH_MAX:
        raise CommandFailed(Exit.USAGE, f"A name is 1 to {NAME_LENGTH_MAX} printable characters.")
    callers = importlib.import_module("cli.callers")
    token = callers.add_caller(name.strip(), role)
    say("This token is shown only now. Use it as REFUNDS_TOKEN.")
    if output == Format.JSON:
        write_json({"name": name.strip(), "role": role.value, "token": token})
    else:
        write(plain(token))


@app.command("list")
def list_operators(output: Output = Format.TABLE) -> None:
    """List who may or might call."""
    page = Api.from_environment().get("/v1/operators")
    if output == Format.JSON:
        write_json(page)
    else:
        _show(page["items"])


@app.command()
def deactivate(name: Name, reason: Reason, output: Output = Format.TABLE) -> None:
    """Take the right to call away, at once; approvals that are not paid yet count no longer."""
    _set(name, "deactivate", reason, output)


@app.command()
def activate(name: Name, reason: Reason, output: Output = Format.TABLE) -> None:
    """Give the right to call back, with the same token and role."""
    _set(name, "activate", reason, output)


def _set(name: str, act: str, reason: str, output: Format) -> None:
    answer = Api.from_environment().post(f"/v1/operators/{quote(name, safe='')}/{act}", {"reason": reason})
    if output == Format.JSON:
        write_json(answer)
    else:
        _show([answer])


def _show(rows: list[dict[str, Any]]) -> None:
    told = [(it["name"], it["role"], "active" if it["is_active"] else "not active") for it in rows]
    for line in columns([("NAME", "ROLE", "STATE"), *told]):
        write(line)
