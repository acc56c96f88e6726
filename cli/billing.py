"""Feeds a JSON Lines file of accounts, deposits and orders to the API."""

import math
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import typer
from pydantic import TypeAdapter, ValidationError

from api import strict_json
from cli.calls import Api, NotReachable, Refused
from cli.exits import Exit
from cli.output import Format, Output, counted, plain, say, write, write_json
from domain.errors import InvalidRequest
from domain.refunds import Identifier, invalid_request

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
TIME_OF = {"account": None, "deposit": "paid_at", "order": "created_at"}
ORDER_OF_KINDS = list(TIME_OF)
TRIES = 10
LISTED_MAX = 20  # more of them no one reads; -o json holds all
ID: TypeAdapter[str] = TypeAdapter(Identifier)
PAUSE_SECONDS = 1.0  # what the API asks for when its database is busy


class Line(NamedTuple):
    """One record, with the number of its line."""

    number: int
    kind: str
    id: str
    body: dict[str, Any]


class BadLine(Exception):
    """A line that cannot be sent, or that the API refused."""

    def __init__(self, number: int, field: str | None, rule: str | None, detail: str) -> None:
        super().__init__(detail)
        self.told = {"line": number, "field": field, "rule": rule, "detail": detail}


def import_file(
    file: Annotated[typer.FileBinaryRead, typer.Argument(metavar="FILE", help="JSON Lines; - reads stdin.")],
    output: Output = Format.TABLE,
) -> None:
    """Feed accounts, then deposits and orders in the order of their own times. Importing again changes nothing."""
    api = Api.from_environment()
    recorded = dict.fromkeys(TIME_OF, 0)
    lines, refused = _read(file.read())
    if not lines and not refused:
        say("The file holds no records.")
    for bad in refused[:LISTED_MAX]:
        _complain(bad)
    listed = max(len(refused), LISTED_MAX)  # what the API refuses later fills the rest of the list
    if len(refused) > LISTED_MAX:
        say(f"... and {len(refused) - LISTED_MAX} more; is this JSON Lines?")
    unreachable: NotReachable | None = None
    sent = 0
    for line in sorted(lines, key=_when):
        try:
            _put(api, line)
            recorded[line.kind] += 1
        except BadLine as bad:
            refused.append(bad)
            if len(refused) <= listed:
                _complain(bad)
        except NotReachable as error:
            unreachable = error
            break
        sent += 1
    if len(refused) > listed:
        say(f"... and {len(refused) - listed} more")
    _report(recorded, refused, len(lines) - sent, output)
    if unreachable is not None:
        raise NotReachable(f"{unreachable.message} Import the same file again: what is recorded stays as it is.")
    if refused or not lines:
        raise typer.Exit(Exit.REFUSED)


def _read(content: bytes) -> tuple[list[Line], list[BadLine]]:
    lines: list[Line] = []
    refused: list[BadLine] = []
    for number, raw in _numbered(content):
        try:
            lines.append(_parse(number, raw))
        except BadLine as bad:
            refused.append(bad)
    return lines, refused


def _numbered(content: bytes) -> Iterator[tuple[int, bytes]]:
    for number, raw in enumerate(content.removeprefix(BYTE_ORDER_MARK).split(b"\n"), start=1):
        if raw.strip():
            yield number, raw.strip()


def _parse(number: int, raw: bytes) -> Line:
    try:
        record = strict_json.parse(raw)
    except strict_json.MalformedJson as error:
        raise BadLine(number, None, error.rule, error.message) from None
    except InvalidRequest as error:
        raise BadLine(number, error.field, error.rule, error.message) from None
    if not isinstance(record, dict):
        raise BadLine(number, None, "object", "must be one JSON object")
    kind, identifier = record.pop("type", None), record.pop("id", None)
    if not isinstance(kind, str) or kind not in TIME_OF:
        raise BadLine(number, "type", "known_type", "must be account, deposit or order")
    if not isinstance(identifier, str) or not identifier:
        raise BadLine(number, "id", "required", "must be the record's id")
    try:
        ID.validate_python(identifier)  # here, because a path of any length or with any sign never gets to the API
    except ValidationError as error:
        wrong = invalid_request(error, prefix="id")
        raise BadLine(number, wrong.field, wrong.rule, wrong.message) from None
    return Line(number, kind, identifier, record)


def _when(line: Line) -> tuple[float, int, int]:
    """Place accounts first, then everything by its own time; what has no time comes last and is refused there."""
    field, moment = TIME_OF[line.kind], -math.inf
    if field is not None:
        try:
            moment = datetime.fromisoformat(line.body[field]).timestamp()
        except (KeyError, TypeError, ValueError, OverflowError):
            moment = math.inf
    return moment, ORDER_OF_KINDS.index(line.kind), line.number


def _put(api: Api, line: Line) -> None:
    for left in reversed(range(TRIES)):
        try:
            api.put(f"/v1/{line.kind}s/{_in_a_path(line.id)}", line.body)
            return
        except Refused as error:
            if error.type in ("not-authenticated", "not-allowed"):
                raise  # this is about the token and would be said of every line
            raise BadLine(line.number, error.field, error.rule, error.detail) from None
        except NotReachable as error:
            if not error.is_passing or left == 0:
                raise
            time.sleep(PAUSE_SECONDS)


def _in_a_path(identifier: str) -> str:
    """Write an id as one part of a path; `.` and `..` would otherwise be taken for steps through it."""
    return quote(identifier, safe="") if identifier.strip(".") else identifier.replace(".", "%2E")


def _complain(bad: BadLine) -> None:
    told = bad.told
    say(f"line {told['line']}: {plain(told['detail'])} (field {plain(told['field'])}, rule {plain(told['rule'])})")


def _report(recorded: dict[str, int], refused: list[BadLine], not_sent: int, output: Format) -> None:
    if output == Format.JSON:
        bad = sorted((it.told for it in refused), key=lambda told: told["line"] or 0)
        write_json({"recorded": recorded, "refused": bad, "not_sent": not_sent})
        return
    counts = ", ".join(counted(count, kind) for kind, count in recorded.items())
    write(f"{counts} recorded; {counted(len(refused), 'line')} refused; {not_sent} not sent")
