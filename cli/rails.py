"""Rails at the command line: anyone on duty stops, two people start."""

from typing import Annotated, Any

import typer

from cli.calls import Api
from cli.output import Format, Output, columns, say, write, write_json
from domain.refunds import Rail

app = typer.Typer(no_args_is_help=True, help="Stop a rail at once; start it again with a second person.")

RailName = Annotated[Rail, typer.Argument(metavar="RAIL", help="card or crypto")]
Reason = Annotated[str, typer.Option(help="Why; kept for the record.")]

Chain = Annotated[int | None, typer.Option("--chain", help="Only the wallet of this chain; crypto only.")]

TOLD = {
    None: "Recorded: it is running.",
    "two_people": "Recorded: stopped. Two people must start it.",
    "second_person": "Recorded: a second person must start it too.",
}


@app.command()
def stop(rail: RailName, reason: Reason, chain: Chain = None, output: Output = Format.TABLE) -> None:
    """Stop a rail: no payout begins. What was sent already is followed to its end."""
    _say_and_show(rail, "stop", {"reason": reason, "chain_id": chain}, output)


@app.command()
def start(
    rail: RailName,
    reason: Reason,
    chain: Chain = None,
    adopt_nonce: Annotated[
        int | None, typer.Option(help="How many nonces the chain's wallet has used, each of them explained.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Say that a rail, or a wallet that paused by itself, may start; the second person's word starts it."""
    _say_and_show(rail, "start", {"reason": reason, "chain_id": chain, "adopt_nonce": adopt_nonce}, output)


@app.command("list")
def list_rails(output: Output = Format.TABLE) -> None:
    """List which rails may pay now."""
    page = Api.from_environment().get("/v1/rails")
    if output == Format.JSON:
        write_json(page)
        return
    for line in _in_words(page["items"]):
        write(line)


def _say_and_show(rail: Rail, act: str, told: dict[str, Any], output: Format) -> None:
    body = {name: value for name, value in told.items() if value is not None}
    answer = Api.from_environment().post(f"/v1/rails/{rail.value}/{act}", body)
    say(TOLD[answer["waiting_for"]])
    if output == Format.JSON:
        write_json(answer)
        return
    for line in _in_words([answer]):
        write(line)


def _in_words(rows: list[dict[str, Any]]) -> list[str]:
    return columns(
        [
            ("RAIL", "STATE", "STOPPED BY", "WAITING FOR", "START ASKED BY", "REASON"),
            *(
                (
                    it["rail"] if it["chain_id"] is None else f"{it['rail']} {it['chain_id']}",
                    f"paused ({it['pause_reason']})"
                    if it["pause_reason"]
                    else ("stopped" if it["is_stopped"] else "running"),
                    it["stopped_by"],
                    it["waiting_for"],
                    ", ".join(word["operator"] for word in it["start_asked"]) or None,
                    it["reason"],
                )
                for it in rows
            ),
        ]
    )
