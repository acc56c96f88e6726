"""The exit status is the command's own, and shells complete its words."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import NOWHERE, ROOT, Shell

NAMES = {"1": "stdout", "2": "stderr"}
ACCOUNT = {"type": "account", "id": "piped", "username": "piped", "status": "active"}
CRASHING = (
    "import atexit, os; atexit.register(os.abort); from cli.main import main; import sys; sys.argv = {argv}; main()"
)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["show", "rf_1"], 3), (["nonsense"], 2)],
    ids=["done", "not reachable", "wrong usage"],
)
def test_interpreter_that_crashes_while_it_ends_changes_no_exit_status(arguments: list[str], status: int) -> None:
    program = CRASHING.format(argv=["refunds", *arguments])
    environment = os.environ | {"REFUNDS_API_URL": NOWHERE, "REFUNDS_TOKEN": "rfd_any"}

    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False
    )

    assert done.returncode == status, done.stderr


PIPED = {
    "its answer": ("audit verify --help", 0, "1"),
    "its complaints": ("import file.jsonl", 1, "2"),
}


@pytest.mark.parametrize(("words", "status", "closed"), PIPED.values(), ids=PIPED.keys())
def test_command_whose_reader_has_gone_ends_quietly_with_its_own_status(
    shell: Shell, tmp_path: Path, words: str, status: int, closed: str
) -> None:
    number = 2000  # more lines than any buffer holds
    bad = b"{}\n" * number
    (tmp_path / "file.jsonl").write_bytes(bad + json.dumps(ACCOUNT).encode())
    reads, writes = os.pipe()
    os.close(reads)

    with os.fdopen(writes, "wb") as nobody:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {NAMES[closed]: nobody}
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-P", "-m", "cli.main", *words.split()],
            cwd=tmp_path,
            env=shell.environment | {"REFUNDS_TOKEN": "rfd_shop_token"},
            timeout=60,
            check=False,
            **streams,
        )

    assert done.returncode == status, done.stderr
    assert not done.stderr
    assert closed == "1" or b"1 account, 0 deposits, 0 orders recorded; 2000 lines refused" in done.stdout


@pytest.mark.parametrize(
    ("kind", "mark"), [("bash", "complete -o"), ("zsh", "#compdef refunds"), ("fish", "complete --command refunds")]
)
def test_shell_gets_a_script_that_completes_our_words(shell: Shell, kind: str, mark: str) -> None:
    # The variable spares the search for the shell among our parents, which here is none.
    script = shell.run("--show-completion", kind, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")

    assert script.status == 0
    assert mark in script.out


def test_words_are_completed(shell: Shell) -> None:
    done = shell.run(_REFUNDS_COMPLETE="complete_bash", COMP_WORDS="refunds ra", COMP_CWORD="1")

    assert done.out.split() == ["rail"]
