"""What finance and auditors do at the command line: reconcile now, export and prove the audit trail."""

import json
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.calls import Api, NotReachable
from cli.exits import CommandFailed, Exit
from cli.output import Format, Output, columns, counted, plain, say, write, write_json
from domain.book_runs import GRACE_SECONDS_DEFAULT, WINDOW_DAYS_DEFAULT

PAUSE_SECONDS = 0.5
WAIT_SECONDS_DEFAULT = 900.0
VERIFY_SECONDS_MAX = 600.0  # ten million entries
FINISHED = frozenset(["clean", "differences", "incomplete"])

audit = typer.Typer(no_args_is_help=True, help="The append-only audit trail: export its head, prove it whole.")


@audit.command()
def head(output: Output = Format.TABLE) -> None:
    """Export the end of the trail. Keep it where nobody of us can write: it proves the trail later."""
    seen = Api.from_environment().get("/v1/audit/head")
    if output == Format.JSON:
        write_json(seen)
        return
    for line in columns([("entries", seen["seq"]), ("hash", seen["hash"])]):
        write(line)


@audit.command()
def verify(
    head: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `audit head -o json` printed earlier.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Compute every hash again and follow every link; exit 1 where the trail is broken, and say where and how."""
    query = None if head is None else _read_head(head)
    seen = Api.from_environment().get("/v1/audit/verification", query, timeout_seconds=VERIFY_SECONDS_MAX)
    if output == Format.JSON:
        write_json(seen)
    elif seen["is_whole"]:
        write(f"The trail is whole: {counted(seen['entries'], 'entry', 'entries')}, head {seen['head']['hash']}.")
    else:
        broken = seen["broken"]
        write(f"The trail is broken ({plain(broken['kind'])}): {plain(broken['detail'])}.")
    if not seen["is_whole"]:
        raise typer.Exit(Exit.REFUSED)


def _read_head(path: Path) -> dict[str, Any]:
    try:
        exported = json.loads(path.read_text(encoding="utf-8"))
        seq, hash = exported["seq"], exported["hash"]
    except OSError as error:
        raise CommandFailed(Exit.USAGE, f"--head: {path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise CommandFailed(Exit.USAGE, f"--head: {path} is not what `audit head -o json` prints.") from None
    if isinstance(seq, bool) or not isinstance(seq, int) or not isinstance(hash, str):
        raise CommandFailed(Exit.USAGE, f"--head: {path} is not what `audit head -o json` prints.")
    return {"seq": seq, "hash": hash}


def reconcile(
    days: Annotated[int, typer.Option(help="How far to look back.")] = WINDOW_DAYS_DEFAULT,
    grace_seconds: Annotated[int, typer.Option(help="What is younger counts as under way.")] = GRACE_SECONDS_DEFAULT,
    reconciliation_id: Annotated[
        str | None, typer.Option("--id", help="The same id again is the same reconciliation.")
    ] = None,
    wait_seconds: Annotated[float, typer.Option(help="How long to wait for the report.")] = WAIT_SECONDS_DEFAULT,
    output: Output = Format.TABLE,
) -> None:
    """Compare books, card processor and chains now; exit 1 where they differ, 3 where one could not be read."""
    api = Api.from_environment()
    name = reconciliation_id or f"cli-{uuid.uuid4()}"
    seen = api.post("/v1/reconciliations", {"reconciliation_id": name, "days": days, "grace_seconds": grace_seconds})
    seen = _wait(api, name, seen, wait_seconds)
    if output == Format.JSON:
        write_json(seen)
    else:
        for line in _in_words(seen):
            write(line)
    if seen["status"] == "differences":
        raise typer.Exit(Exit.REFUSED)
    if seen["status"] == "incomplete":
        raise CommandFailed(Exit.NOT_REACHABLE, "Not everything could be read; what was read is compared.")


def _wait(api: Api, name: str, seen: dict[str, Any], wait_seconds: float) -> dict[str, Any]:
    say(f"Reconciliation {plain(name)} was asked for.")
    deadline = time.monotonic() + wait_seconds
    while seen["status"] not in FINISHED:
        if time.monotonic() >= deadline:
            shown = timedelta(seconds=int(wait_seconds))
            raise CommandFailed(Exit.NOT_REACHABLE, f"It is not finished after {shown}: is a worker running?")
        time.sleep(PAUSE_SECONDS)
        try:
            seen = api.get(f"/v1/reconciliations/{quote(name, safe='')}")
        except NotReachable as error:
            if not error.is_passing:
                raise
    return seen


def _in_words(seen: dict[str, Any]) -> list[str]:
    report = seen["report"]
    rows = [("PLACE", "COMPARED", "UNDER WAY", "READ")]
    rows += [(it["scope"], it["compared"], it["under_way_count"], _how(it)) for it in report["scopes"]]
    lines = columns(rows)
    if report["differences"]:
        found = [("FINDING", "KIND", "REFUND", "DEPOSIT", "STATE")]
        found += [
            (
                it["finding_id"],
                it["kind"],
                it["refund_id"],
                it["deposit_id"],
                "open" if it["is_open"] else "closed by a person",
            )
            for it in report["differences"]
        ]
        lines += ["", *columns(found)]
    differences, closed = (len(report[name]) for name in ("differences", "closed_findings"))
    lines += [
        "",
        f"{plain(seen['status'])}: {counted(differences, 'difference')}, {counted(closed, 'finding')} closed",
    ]
    return lines


def _how(scope: dict[str, Any]) -> str:
    if not scope["is_read"]:
        return "no"
    return "yes" if scope["is_whole"] else "in part"
