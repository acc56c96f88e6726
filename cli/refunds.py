"""Refunds at the command line: request, withdraw, list, show."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from api import strict_json
from cli import known_tickets, pictures
from cli.calls import Api, refund_path
from cli.exits import CommandFailed, Exit
from cli.following import follow
from cli.output import Format, Output, say, write, write_json
from domain.errors import InvalidRequest
from domain.refunds import Channel, Rail, RefundStatus

RefundId = Annotated[str, typer.Argument(metavar="ID", help="The refund's id, rf_…")]
STDIN_HINT = "- reads stdin"


def request(
    file: Annotated[
        typer.FileBinaryRead | None, typer.Option(help=f"The whole request as one JSON object; {STDIN_HINT}.")
    ] = None,
    ticket: Annotated[str | None, typer.Option(help="The ticket as system:id.")] = None,
    ticket_url: Annotated[str | None, typer.Option(help="Where people read the ticket.")] = None,
    channel: Annotated[Channel, typer.Option(help="How the customer asked.")] = Channel.TICKET,
    account: Annotated[str | None, typer.Option(help="The account's id.")] = None,
    username: Annotated[str | None, typer.Option(help="The account's username, instead of its id.")] = None,
    rail: Annotated[Rail | None, typer.Option(help="How the deposit was paid.")] = None,
    deposit: Annotated[str | None, typer.Option(help="The deposit's id, where it is known.")] = None,
    proof: Annotated[str | None, typer.Option(help="Payment id or chain transaction hash.")] = None,
    requested_at: Annotated[str | None, typer.Option(help="When the ticket was opened; default: now.")] = None,
    locale: Annotated[str, typer.Option(help="The customer's language.")] = "en",
    output: Output = Format.TABLE,
) -> None:
    """Start a refund. One ticket asks for one: the same again shows it, anything else is refused (exit 1)."""
    if file is not None:
        body = read_body(file.read())
    else:
        if ticket is None or rail is None:
            raise CommandFailed(Exit.USAGE, "Give --ticket and --rail, or --file.")
        named = {"id": account, "username": username}
        body = {
            "ticket": ticket_of(ticket) | given(url=ticket_url),
            "channel": channel.value,
            "account": given(**named),
            "rail": rail.value,
            "requested_at": requested_at or datetime.now(UTC).isoformat(timespec="seconds"),
            "locale": locale,
            **given(deposit_id=deposit, payment_proof=proof),
        }
    api = Api.from_environment()
    show_refund(_start(api, body, is_time_given=file is not None or requested_at is not None), output)


def _start(api: Api, body: Any, *, is_time_given: bool) -> dict[str, Any]:
    asked = known_tickets.read(body, is_time_given=is_time_given)
    known = known_tickets.find(api, asked)
    known_tickets.refuse_another_refund(asked, known)
    refund: dict[str, Any] = api.post("/v1/refunds", body)
    ticket = f"{refund['ticket']['system']}:{refund['ticket']['id']}"
    if known is not None and known_tickets.brought_a_proof(known, refund):
        return follow(api, f"{ticket} brings the proof of payment that was missing.", known, refund)
    known_tickets.refuse_what_differs(asked, refund)  # also of a new one: another request may have been faster
    if known is not None:
        known_tickets.say_that_it_is_known(asked, refund)
        return refund
    begun = {"status": RefundStatus.CHECKING.value, "status_reason": None}
    return follow(api, f"{ticket} asks for refund {refund['id']}.", begun, refund)


def withdraw(
    refund_id: RefundId,
    reason: Annotated[str, typer.Option(help="Why the customer changed their mind.")],
    output: Output = Format.TABLE,
) -> None:
    """Record that the customer changed their mind; once paying has begun it is too late."""
    api = Api.from_environment()
    before = api.get(refund_path(refund_id))
    answer = api.post(refund_path(refund_id, "withdraw"), {"reason": reason})
    show_refund(follow(api, "the customer withdrew; nothing is paid.", before, answer), output)


def list_refunds(
    status: Annotated[RefundStatus | None, typer.Option(help="Only refunds that stand here.")] = None,
    ticket: Annotated[str | None, typer.Option(help="Only this ticket: system:id, or the id.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account's id.")] = None,
    deposit: Annotated[str | None, typer.Option(help="Only this deposit's id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before ended.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """List refunds, newest first."""
    query = {
        "status": status.value if status else None,
        "ticket": ticket,
        "account": account,
        "deposit": deposit,
        "limit": limit,
        "cursor": cursor,
    }
    page = Api.from_environment().get("/v1/refunds", query)
    if output == Format.JSON:
        write_json(page)
        return
    for line in pictures.in_short(page["items"]):
        write(line)
    if page["next_cursor"]:
        say(f"There are more: --cursor {page['next_cursor']}")


def show(refund_id: RefundId, output: Output = Format.TABLE) -> None:
    """Show a refund: where it stands and why, what was decided and paid, and all that happened."""
    show_refund(Api.from_environment().get(refund_path(refund_id)), output)


def show_refund(refund: dict[str, Any], output: Format) -> None:
    """Write a refund as data."""
    if output == Format.JSON:
        write_json(refund)
        return
    for line in pictures.in_full(refund):
        write(line)


def ticket_of(ticket: str) -> dict[str, str]:
    """Read `system:id`."""
    system, _, identifier = ticket.partition(":")
    if not system or not identifier:
        raise CommandFailed(Exit.USAGE, "--ticket is system:id, such as zammad:4711.")
    return {"system": system, "id": identifier}


def read_body(raw: bytes) -> Any:
    """Read a whole request as strictly as the API does."""
    try:
        return strict_json.parse(raw)
    except strict_json.MalformedJson as error:
        raise CommandFailed(Exit.REFUSED, f"malformed-json: {error.message} (rule {error.rule})") from None
    except InvalidRequest as error:
        raise CommandFailed(Exit.REFUSED, f"invalid-request: {error.message} (rule {error.rule})") from None


def given(**fields: str | None) -> dict[str, str]:
    """Keep what was given."""
    return {name: value for name, value in fields.items() if value is not None}
