"""The runbook is held against the code: what can happen has an entry, and what it tells to type exists."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from cli.main import app
from domain.findings import FindingKind
from domain.refunds import StatusReason

ROOT = Path(__file__).parent.parent
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
FIRST_PAGE = RUNBOOK.partition("## Read one refund")[0]
HEADINGS = re.findall(r"^#{2,3} (.+)$", RUNBOOK, re.MULTILINE)
# A plain code span, or a line of a block: `refunds` first, perhaps after a prompt, up to a comment or the span's end.
COMMANDS = re.findall(r"(?:^\$ |`)(refunds [a-z][^`\n]*?)(?=`|\s+#|$)", RUNBOOK, re.MULTILINE)
STANDS_BEFORE_A_PERSON = [
    reason
    for reason in StatusReason
    if str(reason) in [str(kind) for kind in FindingKind]
    or reason in (StatusReason.APPROVAL_OVERDUE, StatusReason.DIGEST_CHANGED)
]
ALERTS = [
    rule["alert"]
    for group in yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


def rows(word: str) -> list[str]:
    """Return the first page's table rows that begin with, or are filed under, a word."""
    return [line for line in FIRST_PAGE.splitlines() if line.startswith("| ") and f"`{word}`" in line]


@pytest.mark.parametrize("word", [*FindingKind, *ALERTS], ids=str)
def test_whatever_wakes_a_person_leads_to_an_entry(word: str) -> None:
    found = rows(word)

    assert found, f"the first page has no row for {word}"


@pytest.mark.parametrize("reason", STANDS_BEFORE_A_PERSON, ids=str)
def test_a_refund_that_stands_before_a_person_is_found_by_its_reason(reason: StatusReason) -> None:
    found = [
        row for row in rows(reason) if row.startswith(("| `needs_attention`", "| `awaiting_approval`", "| `paying`"))
    ]

    assert any(re.search(r"\]\(#", row.rpartition(" | ")[2]) for row in found), (
        f"no row of a status leads on from {reason}"
    )


def test_the_reasons_of_a_refund_before_an_operator_are_those_that_have_a_finding() -> None:
    assert {"payout_unknown", "refunded_outside", "facts_unavailable"} <= set(STANDS_BEFORE_A_PERSON)
    assert len(ALERTS) > 10


def test_every_link_of_the_runbook_leads_somewhere() -> None:
    anchors = {re.sub(r"[^a-z0-9 -]", "", it.lower()).replace(" ", "-") for it in HEADINGS}
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", RUNBOOK)

    assert [anchor for file, anchor in links if not file and anchor not in anchors] == []
    assert [file for file, _ in links if file and not (ROOT / "docs" / file).exists()] == []


@pytest.mark.parametrize("line", sorted(set(COMMANDS)), ids=lambda it: re.sub(r"\W+", " ", it))
def test_what_the_runbook_tells_to_type_exists(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0])
    name = words.pop(0)
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        name = words.pop(0)
        command = command.commands[name]

    assert name != "refunds", "there is no such command"
    if words:  # a mere mention names the command alone
        assert command.make_context(name, words)


def test_the_commands_were_found() -> None:
    assert len(set(COMMANDS)) > 30
    assert "refunds doctor" in COMMANDS
