"""The `refunds` command."""

from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from cli import billing, books, checks, doctor, findings, operating, operators, processes, rails, refunds
from cli.exits import CommandFailed, Exit, leave, speak_on_without_a_reader
from cli.output import say

HELP = """Pay deposits back: the way they came, exactly once, after people approved.

Talks to the API at REFUNDS_API_URL (default http://127.0.0.1:8000) as the holder of REFUNDS_TOKEN.

Exit status: 0 done, 1 refused by a rule, 2 wrong usage or missing settings, 3 not reachable.
"""


class Commands(TyperGroup):
    """All commands; a failure that a command foresaw is one sentence and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandFailed as failure:
            say(failure.message)
            raise typer.Exit(failure.status) from None


app = typer.Typer(cls=Commands, help=HELP, no_args_is_help=True, pretty_exceptions_show_locals=False)
app.command()(processes.demo)
app.command()(processes.up)
app.command()(processes.worker)
app.command()(processes.serve)
app.command()(processes.migrate)
app.command("import")(billing.import_file)
app.command()(refunds.request)
app.command("list")(refunds.list_refunds)
app.command()(refunds.show)
app.command()(operating.approve)
app.command()(operating.reject)
app.command()(refunds.withdraw)
app.command("confirm-owner")(operating.confirm_owner)
app.command()(operating.resolve)
app.command()(doctor.doctor)
app.command()(books.reconcile)
app.add_typer(books.audit, name="audit")
app.command()(checks.check)
app.add_typer(rails.app, name="rail")
app.add_typer(findings.app, name="findings")
app.add_typer(operators.app, name="operators")


def main() -> NoReturn:
    """Run a command and end the process with its exit status, whatever the interpreter's own ending would do."""
    status: object = Exit.DONE
    speak_on_without_a_reader()
    try:
        app(prog_name="refunds")
    except SystemExit as ending:
        status = ending.code
    leave(status if isinstance(status, int) else Exit.DONE if status is None else Exit.REFUSED)


if __name__ == "__main__":
    main()
