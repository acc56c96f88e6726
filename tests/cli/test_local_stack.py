"""What the local stack and its demo tell a person."""

import pytest

from cli import processes
from devstack import stack
from devstack.demo import stage
from devstack.demo.stories import Story, Told
from devstack.stack_info import StackInfo

INFO = StackInfo(
    api="http://127.0.0.1:1",
    console="http://127.0.0.1:1/console",
    temporal="127.0.0.1:2",
    temporal_ui=None,
    stripe="http://127.0.0.1:3",
    stripe_key="sk_test_1",
    stripe_webhook_secret="whsec_1",
    chains=(),
    tokens={"helpdesk": "rfd_h", "approver_1": "rfd_a"},
)


def test_table_has_lines_to_copy_for_every_caller_and_no_console() -> None:
    lines = INFO.as_table().splitlines()

    exported = [line for line in lines if line.startswith("export ")]
    assert exported == [
        "export REFUNDS_API_URL=http://127.0.0.1:1 TEMPORAL_ADDRESS=127.0.0.1:2",
        "export STRIPE_URL=http://127.0.0.1:3 STRIPE_KEY=sk_test_1",
        "export HELPDESK=rfd_h",
        "export APPROVER_1=rfd_a",
    ]
    assert not any("console" in line for line in lines)


@pytest.mark.parametrize(
    ("as_json", "told"), [(False, "starting ...\nstopped.\n"), (True, "")], ids=["table", "json"]
)
def test_start_and_stop_are_said_to_a_person(
    as_json: bool, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left: list[int] = []
    monkeypatch.setattr(stack, "up", lambda data_dir, as_json: 0)
    monkeypatch.setattr(processes, "leave", left.append)

    processes.up(None, as_json)

    assert left == [0]
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize(("columns", "width"), [("", 100), ("70", 70)], ids=["nobody says", "COLUMNS"])
def test_demo_table_is_as_wide_as_the_terminal(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.__stdout__", None)
    tx_hash = "0x" + "ab" * 32
    story = Story("crypto deposit", lambda town: Told("", ""))

    stage._print([(story, Told("refunded", f"chain: by transaction {tx_hash}"), 1.25)], 2.0)

    out = capsys.readouterr().out
    table = [line for line in out.splitlines() if line.startswith(("┏", "┃", "│", "└"))]
    assert {len(line) for line in table} <= {min(width, len(table[0]))}
    assert len(table[0]) <= width
    assert "1.2 s" in out
    assert "Everything together took 2.0 s." in out
