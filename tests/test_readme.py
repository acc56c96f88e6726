"""What the front page tells to type exists, is asked by who may ask, and names the refunds that its tickets make."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.main import app
from devstack.callers import CALLERS
from domain.refunds import TicketRef, refund_id

PLAYED = (
    (Path(__file__).parent.parent / "README.md")
    .read_text()
    .partition("## Play one yourself")[2]
    .partition("\n## ")[0]
)
LINES = re.findall(r"^REFUNDS_TOKEN=\$(\w+) +refunds (.*?)(?: <<END)?(?: +#.*)?$", PLAYED, re.MULTILINE)


@pytest.mark.parametrize(("caller", "line"), LINES, ids=lambda it: re.sub(r"\W+", " ", it)[:40])
def test_what_the_front_page_tells_to_type_exists(caller: str, line: str) -> None:
    words = shlex.split(line)
    command: Any = typer.main.get_command(app)
    name = "refunds"
    while words and words[0] in getattr(command, "commands", {}):
        name = words.pop(0)
        command = command.commands[name]

    assert caller in {name.upper() for name in CALLERS}
    assert name != "refunds", "there is no such command"
    assert command.make_context(name, words)


def test_refunds_of_the_front_page_are_those_of_its_tickets() -> None:
    tickets = re.findall(r"--ticket (\w+):(\w+)", PLAYED)
    made = {refund_id(TicketRef(system=system, id=identifier)) for system, identifier in tickets}

    assert len(LINES) > 15
    assert set(re.findall(r"rf_[0-9a-f]{24}", PLAYED)) == made
