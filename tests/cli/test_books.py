"""`refunds audit` and `refunds reconcile`: what they print and how they end."""

import json
from pathlib import Path

import pytest

from domain.book_runs import BooksPlan, CloseBooks, OpenBooks, ScopeReport
from domain.differences import Difference, DifferenceKind
from ledger.reconciliations import Reconciliations
from tests.cli.shell import NOWHERE, Shell
from tests.ledger.scene import Scene


def test_an_exported_head_proves_the_trail_and_a_foreign_one_breaks_it(shell: Shell, tmp_path: Path) -> None:
    exported = shell.run("audit", "head", "-o", "json", caller="vera")
    kept = tmp_path / "head.json"
    kept.write_text(exported.out)
    whole = shell.run("audit", "verify", "--head", str(kept), "-o", "json", caller="vera")
    kept.write_text(json.dumps(exported.json | {"seq": exported.json["seq"] + 1000}))
    cut = shell.run("audit", "verify", "--head", str(kept), caller="vera")

    assert (whole.status, whole.json["is_whole"]) == (0, True)
    assert cut.status == 1
    assert "tail_cut" in cut.out


OUTSIDE = Difference(kind=DifferenceKind.UNOWNED_PAYMENT, subject="card/re_1", deposit_id="dep_7")


@pytest.mark.parametrize(
    ("differences", "is_read", "status", "told"),
    [((), True, 0, "clean"), ((OUTSIDE,), True, 1, "unowned_payment"), ((), False, 3, "incomplete")],
    ids=["clean", "differences", "incomplete"],
)
def test_a_reconciliation_is_waited_for_and_its_outcome_is_the_exit_status(
    shell: Shell, scene: Scene, differences: tuple[Difference, ...], is_read: bool, status: int, told: str
) -> None:
    """The report is there already: the worker's part is played by the test."""
    reconciliations = Reconciliations(scene.database)
    asked = OpenBooks(reconciliation_id=told, days=45, grace_seconds=3600)
    reconciliations.request(asked, requested_by="vera")
    since, now = reconciliations.open(asked)
    plan = BooksPlan(reconciliation_id=told, since=since, now=now, grace_seconds=3600)
    reconciliations.note("card", differences)
    scope = ScopeReport(scope="card", is_read=is_read, keys=tuple(it.key for it in differences))
    reconciliations.close(CloseBooks(plan=plan, scopes=(scope,)))

    ended = shell.run("reconcile", "--id", told, caller="vera")

    assert ended.status == status
    assert told in ended.out
    assert ("dep_7" in ended.out) == bool(differences)


def test_a_reconciliation_without_an_api_is_not_reachable(shell: Shell) -> None:
    assert shell.run("reconcile", caller="vera", REFUNDS_API_URL=NOWHERE).status == 3
