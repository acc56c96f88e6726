"""Starts long-running parts: the worker, the API, and the local stack with its demo."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from cli import liveness
from cli.exits import CommandFailed, Exit, leave
from cli.output import say
from config import MissingSettingsError, Settings

Check = Annotated[bool, typer.Option("--check", help="Only tell whether one is at work on this machine.")]


def worker(check: Check = False) -> None:
    """Run the worker: it carries refunds out, until a signal comes."""
    if check:
        _run(_require_worker)
    module = importlib.import_module("worker")
    _run(lambda: module.main(Settings.load()))


def _require_worker() -> None:
    """Ask whether the worker is alive; where none is, say what would keep one from starting."""
    try:
        liveness.require_worker()
    except CommandFailed as failure:
        if failure.status == Exit.NOT_REACHABLE:
            _say_what_is_wrong()
        raise


def _say_what_is_wrong() -> None:
    """Raise `MissingSettingsError` where the settings themselves are wrong, as the worker would at its start."""
    settings = Settings.load()
    settings.require_rails()
    crypto_rail = importlib.import_module("crypto_rail")
    crypto_rail.require_fit(crypto_rail.load(settings))


def serve(
    migrate: Annotated[bool, typer.Option("--migrate", help="First bring the database to this version.")] = False,
    check: Check = False,
) -> None:
    """Answer HTTP, until a signal comes."""
    if check:
        _run(liveness.require_api)
    module = importlib.import_module("server")
    _run(lambda: module.serve(Settings.load(), migrate=migrate))


def migrate() -> None:
    """Bring the database to this version's schema, and end. Again changes nothing."""
    module = importlib.import_module("server")
    _run(lambda: module.migrate(Settings.load()))


def up(
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line once everything is ready.")] = False,
) -> None:
    """Run the whole service on this machine, with a Temporal, a chain and a card processor of its own."""
    if not as_json:
        say("starting ...")  # the first start fetches and migrates, and silence looks like a fault
    module = _devstack("devstack.stack")

    def until_stopped() -> int:
        status: int = module.up(data_dir, as_json)
        if status == Exit.DONE and not as_json:
            say("stopped.")
        return status

    _run(until_stopped)


def demo() -> None:
    """Play real refunds on a local stack and print where the money went."""
    module = _devstack("devstack.demo")
    _run(module.play)


def _devstack(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "devstack":
            raise
        raise CommandFailed(
            Exit.USAGE, "The local stack is not part of this installation: run it from a checkout of the sources."
        ) from None


def _run(part: Callable[[], int | None]) -> None:
    """Run a part that uses a Temporal client, and end the process without the interpreter's own ending."""
    try:
        status = part() or Exit.DONE
    except MissingSettingsError as error:
        raise CommandFailed(Exit.USAGE, str(error)) from None
    except KeyboardInterrupt:
        status = Exit.DONE
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else Exit.DONE
    leave(status)
