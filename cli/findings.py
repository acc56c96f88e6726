"""Findings at the command line: what a person must look at, and closing it."""

from typing import Annotated, Any

import typer

from cli.calls import Api
from cli.output import Format, Output, columns, plain, say, write, write_json
from domain.findings import FindingKind

app = typer.Typer(invoke_without_command=True, help="What a person must look at; `findings close` closes one.")


@app.callback()
def findings(
    context: typer.Context,
    kind: Annotated[FindingKind | None, typer.Option(help="Only findings of this kind.")] = None,
    refund: Annotated[str | None, typer.Option(help="Only this refund's.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Those that were closed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before ended.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """List what a person must look at, oldest first, with what may be done."""
    if context.invoked_subcommand is not None:
        return
    query = {
        "kind": kind.value if kind else None,
        "refund_id": refund,
        "open": str(not closed).lower(),
        "limit": limit,
        "cursor": cursor,
    }
    page = Api.from_environment().get("/v1/findings", query)
    if output == Format.JSON:
        write_json(page)
        return
    for line in in_words(page["items"]):
        write(line)
    if page["next_cursor"]:
        say(f"There are more: --cursor {page['next_cursor']}")


@app.command()
def close(
    finding_id: Annotated[int, typer.Argument(metavar="ID", min=1, help="The finding's number.")],
    reason: Annotated[str, typer.Option(help="Why the matter is settled; kept for the record.")],
    output: Output = Format.TABLE,
) -> None:
    """Close a finding whose matter is settled. It opens again if the same is found again."""
    closed = Api.from_environment().post(f"/v1/findings/{finding_id}/close", {"reason": reason})
    if output == Format.JSON:
        write_json(closed)
        return
    for line in in_words([closed]):
        write(line)


def in_words(rows: list[dict[str, Any]]) -> list[str]:
    """Return findings in columns, each followed by its evidence and its remedies."""
    heads = columns(
        [
            ("ID", "KIND", "REFUND", "OPENED", "CLOSED BY"),
            *((it["id"], it["kind"], it["refund_id"], it["opened_at"], it["closed_by"]) for it in rows),
        ]
    )
    lines = heads[:1]
    for head, row in zip(heads[1:], rows, strict=True):
        evidence = ", ".join(f"{name} {value}" for name, value in row["evidence"].items())
        lines += [head, *([f"    {plain(evidence)}"] if evidence else [])]
        if row["closed_reason"]:
            lines.append(f"    {plain(row['closed_reason'])}")
        else:
            lines += [f"    - {plain(it['remedy'])}: {plain(it['words'])}" for it in row["remedies"]]
    return lines
