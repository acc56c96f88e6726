"""Writes data to stdout and talk to stderr. What others wrote is never sent to a terminal as it is."""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer


class Format(StrEnum):
    """How data is written."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[Format, typer.Option("-o", "--output", help="How to write the answer.")]


def write_json(value: Any) -> None:
    """Write one JSON value; ASCII, so that no terminal and no locale can break it."""
    print(json.dumps(value, indent=2, ensure_ascii=True))


def write(text: str) -> None:
    """Write a line of data."""
    print(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace").decode(sys.stdout.encoding or "utf-8"))


def say(text: str) -> None:
    """Say something to the person, beside the data."""
    print(text, file=sys.stderr, flush=True)


def plain(value: Any) -> str:
    """Return one line of printable text: control characters could repaint the terminal and hide an amount."""
    text = "-" if value is None else str(value)
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Write how many there are of something, such as `1 refund` and `2 refunds`."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def columns(rows: Iterable[Sequence[Any]]) -> list[str]:
    """Align cells under each other. Nothing is cut: half an address is worse than a long line."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
