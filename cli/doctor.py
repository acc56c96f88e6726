"""Says what is wrong with an installation, and what to do about it."""

import importlib
import os
from collections.abc import Iterator
from types import ModuleType

from cli.calls import DEFAULT_URL
from cli.checkup import settings as environment_checks
from cli.checkup.report import Check, Status
from cli.exits import CommandFailed, Exit, leave
from cli.output import Format, Output, columns, counted, plain, say, write, write_json


def doctor(output: Output = Format.TABLE) -> None:
    """Look at all parts that the environment tells of, change nothing, and say what is wrong and what to do.

    With REFUNDS_API_URL and REFUNDS_TOKEN: the API and what waits for a person. With the environment of the API
    or the worker: settings, database, Temporal, card processor, chains and keys too.

    Exit status: 0 healthy, 1 something is wrong, 3 something could not be reached.
    """
    found: list[Check] = []
    for check in _look(dict(os.environ)):
        found.append(check)
        if output == Format.TABLE:
            _show(check)
    wrong = [check for check in found if check.status == Status.WRONG]
    if output == Format.JSON:
        write_json({"healthy": not wrong, "checks": [check.as_data() for check in found]})
    else:
        warnings = sum(check.status == Status.WARNING for check in found)
        say(f"{len(wrong)} wrong, {counted(warnings, 'warning')}, {len(found) - len(wrong) - warnings} ok")
    if not wrong:
        leave(Exit.DONE)
    leave(Exit.REFUSED if any(check.is_reachable for check in wrong) else Exit.NOT_REACHABLE)


def _look(environment: dict[str, str]) -> Iterator[Check]:
    is_service = environment_checks.describes_a_service(environment)
    url, token = environment.get("REFUNDS_API_URL"), environment.get("REFUNDS_TOKEN", "").strip()
    if url or token or not is_service:
        try:
            yield from _part("api").examine(url or DEFAULT_URL, token)
        except CommandFailed as failure:
            yield Check("api", Status.WRONG, failure.message, "Mend REFUNDS_API_URL or REFUNDS_TOKEN.")
    if is_service:
        settings, faults = environment_checks.load()
        yield from faults
        if settings is not None:
            yield from environment_checks.examine(settings, environment)
            yield from _part("database").examine(settings)
            if settings.stripe_secret_key or settings.chains:
                yield from _part("rails").examine(settings)
                yield from _part("wallets").examine(settings)
    if is_service or any(name.startswith("TEMPORAL_") for name in environment):
        yield from _part("temporal").examine()


def _part(name: str) -> ModuleType:
    """Load what a part needs only when it is looked at: database and vendors take a second to load."""
    return importlib.import_module(f"cli.checkup.{name}")


def _show(check: Check) -> None:
    (line,) = columns([(f"{check.status:7}", f"{check.name:28}", check.told)])
    write(line)
    if check.remedy:
        write(f"{'':9}{plain(check.remedy)}")
