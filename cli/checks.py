"""A dry run at the command line: the verdict that a request would get now."""

from typing import Annotated, Any

import typer

from cli.calls import Api
from cli.exits import CommandFailed, Exit
from cli.output import Format, Output, columns, plain, write, write_json
from cli.refunds import given, read_body, ticket_of
from domain.refunds import Channel, Rail


def check(
    file: Annotated[
        typer.FileBinaryRead | None, typer.Option(help="The whole request as one JSON object; - reads stdin.")
    ] = None,
    deposit: Annotated[str | None, typer.Option(help="The deposit's id; nothing else is needed then.")] = None,
    account: Annotated[str | None, typer.Option(help="The account's id.")] = None,
    username: Annotated[str | None, typer.Option(help="The account's username, instead of its id.")] = None,
    rail: Annotated[Rail | None, typer.Option(help="How the deposit was paid.")] = None,
    ticket: Annotated[str | None, typer.Option(help="The ticket as system:id; not needed.")] = None,
    channel: Annotated[Channel, typer.Option(help="How the customer asks.")] = Channel.TICKET,
    proof: Annotated[str | None, typer.Option(help="Payment id or chain transaction hash.")] = None,
    requested_at: Annotated[str | None, typer.Option(help="When the ticket was opened; default: now.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Say what would become of a request, and why. Nothing is written, held or paid; any verdict exits with 0."""
    if file is not None:
        body = read_body(file.read())
    else:
        named = given(id=account, username=username)
        if deposit is None and not (named and rail):
            raise CommandFailed(Exit.USAGE, "Give --deposit, or --account and --rail, or --file.")
        body = {
            "channel": channel.value,
            **({"account": named} if named else {}),
            **({"ticket": ticket_of(ticket)} if ticket is not None else {}),
            **given(
                rail=rail.value if rail else None,
                deposit_id=deposit,
                payment_proof=proof,
                requested_at=requested_at,
            ),
        }
    answer = Api.from_environment().post("/v1/checks", body)
    if output == Format.JSON:
        write_json(answer)
        return
    for line in _in_words(answer):
        write(line)


def _in_words(answer: dict[str, Any]) -> list[str]:
    verdict = answer["verdict"]
    reason = f" ({answer['status_reason']})" if answer["status_reason"] else ""
    lines = columns(
        [
            ("would be", answer["status"] + reason),
            ("waiting for", answer["waiting_for"]),
            ("account", answer["account_id"]),
            ("deposit", answer["deposit_id"]),
            ("held by", answer["duplicate_of"]),
            ("destination", verdict["destination"] if verdict else None),
            ("approvals", answer["approvals_needed"]),
        ]
    )
    if verdict:
        lines.append(f"verdict: {plain(verdict['outcome'])}, by policy {plain(verdict['policy_version'])}")
        rules = [(it["rule"], it["outcome"], it["code"], it["reason"]) for it in verdict["rules"]]
        lines += [f"  {line}" for line in columns(rules)]
    return lines
