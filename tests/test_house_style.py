"""The house's rules that no linter knows, held against every file of the repository."""

import ast
import re
import subprocess
from enum import StrEnum
from functools import cache
from pathlib import Path

import pytest

from api.problems import ProblemType
from domain.card_events import EventOutcome
from domain.decisions import ResolutionAction
from domain.differences import DifferenceKind
from domain.eligibility import AccountStatus
from domain.findings import FindingKind, Remedy
from domain.limits import Cap
from domain.payouts import PayoutStatus
from domain.people import Role
from domain.rails import RailWait, StopCause
from domain.refunds import Channel, OwnershipLevel, RefundStatus, StatusReason, WaitingFor
from domain.verdicts import Rule
from domain.wallets import PauseReason
from gateways.stripe.webhooks import HookFault
from ledger.audit_chain import BreakKind

ROOT = Path(__file__).parent.parent
LINES_MAX = 400
FUNCTION_LINES_MAX = 50
RUN_LINES_MAX = 70
FORBIDDEN_NAMES = {"utils", "common", "helpers", "core", "shared", "manager", "service"}
LEFT_TO_DO = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|tmp/[a-z])[/a-z]")


def tracked(*patterns: str) -> list[Path]:
    """List the files git knows of, and those it would take in."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603
    return [ROOT / name for name in sorted(set(names)) if (ROOT / name).is_file()]


PYTHON = [path for path in tracked("*.py") if "migrations/versions" not in str(path)]
CODE = [path for path in PYTHON if path.relative_to(ROOT).parts[0] != "tests"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    """Read a file once for all of these tests."""
    return ast.parse(path.read_text())


def test_each_module_says_in_its_first_words_what_it_is_for() -> None:
    assert {ROOT / "worker.py", ROOT / "tests" / "fakes.py"} <= set(PYTHON), "they are all looked at"
    assert [name(path) for path in PYTHON if not ast.get_docstring(tree(path))] == []


def test_each_module_fits_its_room() -> None:
    """Otherwise split it: one subject per file."""
    assert [name(path) for path in PYTHON if len(path.read_text().splitlines()) > LINES_MAX] == []


def test_no_module_or_folder_has_a_name_that_says_nothing() -> None:
    parts = {path: set(path.relative_to(ROOT).with_suffix("").parts) for path in PYTHON}

    assert [name(path) for path in PYTHON if parts[path] & FORBIDDEN_NAMES] == []


def test_functions_fit_a_screen() -> None:
    too_long = [
        f"{name(path)}: {node.name}"
        for path in CODE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno + 1 > (RUN_LINES_MAX if node.name == "run" else FUNCTION_LINES_MAX)
    ]

    assert too_long == []


def test_public_things_are_explained() -> None:
    silent = [
        f"{name(path)}: {node.name}"
        for path in CODE
        if "stripe_simulator" not in str(path)
        for node in tree(path).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]

    assert silent == []


def test_nothing_is_left_to_do_and_no_path_of_a_machine_is_named() -> None:
    texts = tracked("*.py", "*.md", "*.toml", "*.yml", "Makefile", ".ci/*", "*.json")

    found = [
        f"{name(path)}:{number}: {line.strip()[:80]}"
        for path in texts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if LEFT_TO_DO.search(line) or MACHINE_PATH.search(line)
    ]

    assert found == []


def test_lock_files_hold_hashes_and_no_addresses() -> None:
    for path in tracked("*.lock", "package-lock.json", ".npmrc"):
        assert "://" not in path.read_text(), name(path)
    assert "sha256:" in (ROOT / "requirements.lock").read_text()
    assert '"integrity"' in (ROOT / "package-lock.json").read_text()


CLOSED_LISTS: list[type[StrEnum]] = [
    *(RefundStatus, StatusReason, WaitingFor, PayoutStatus, Rule, ProblemType, FindingKind, Remedy, RailWait),
    *(PauseReason, StopCause, Cap, EventOutcome, HookFault),
    *(Role, AccountStatus, Channel, OwnershipLevel, ResolutionAction, DifferenceKind, BreakKind),
]


@pytest.mark.parametrize("words", CLOSED_LISTS, ids=lambda it: it.__name__)
def test_the_glossary_explains_every_word_of_the_closed_lists(words: type[StrEnum]) -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text()

    assert [word.value for word in words if f"`{word.value}`" not in glossary] == []


def test_the_glossary_explains_every_code_that_a_rule_can_give() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    rules = (ROOT / "domain" / "eligibility.py").read_text()
    chain = "".join(path.read_text() for path in tracked("gateways/evm/*.py"))
    codes = set(re.findall(r'Outcome\.[A-Z]+,\s*"([a-z_]+)"', rules))
    codes |= set(re.findall(r'^[A-Z_]+ = "([a-z_]+)"', chain, re.MULTILINE))

    assert {"in_window", "clean", "sender_is_contract"} <= codes
    assert [code for code in sorted(codes) if f"`{code}`" not in glossary] == []


def test_the_readme_names_verbs_that_make_has() -> None:
    makefile = (ROOT / "Makefile").read_text()

    named = set(re.findall(r"`make ([a-z]+)`", (ROOT / "README.md").read_text()))

    assert {"demo", "test"} <= named
    assert [verb for verb in named if not re.search(rf"^{verb}:", makefile, re.MULTILINE)] == []
