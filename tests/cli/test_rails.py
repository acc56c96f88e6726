"""`refunds rail`, `findings`, `check` and `operators` against a real server."""

import re
from typing import Any

import pytest

from domain.findings import FindingKind
from ledger.findings import open_finding
from tests.cli.shell import Shell
from tests.ledger.scene import Scene


def test_one_stops_a_rail_and_two_start_it(shell: Shell) -> None:
    stopped = shell.run("rail", "stop", "crypto", "--reason", "odd payouts", "-o", "json", caller="vera")
    listed = shell.run("findings", "--kind", "rail_stop", caller="vera")
    first = shell.run("rail", "start", "crypto", "--reason", "mended", caller="ann")
    second = shell.run("rail", "start", "crypto", "--reason", "seen", "-o", "json", caller="bob")

    assert (stopped.status, stopped.json["waiting_for"]) == (0, "two_people")
    assert "/v1" not in listed.out
    assert "start_rail: Start the rail again; two people are needed." in listed.out
    assert "a second person must start it too" in first.err
    assert "second_person" in first.out
    assert (second.status, second.json["is_stopped"]) == (0, False)
    assert shell.run("rail", "list", "-o", "json", caller="vera").json["items"][1]["is_stopped"] is False


def test_one_chain_is_stopped_and_listed_by_its_number(shell: Shell) -> None:
    stopped = shell.run("rail", "stop", "crypto", "--chain", "31337", "--reason", "odd", "-o", "json", caller="vera")

    listed = shell.run("rail", "list", caller="vera").out
    shell.run("rail", "start", "crypto", "--chain", "31337", "--reason", "mended", caller="ann")
    shell.run("rail", "start", "crypto", "--chain", "31337", "--reason", "seen", caller="bob")

    assert stopped.json["chain_id"] == 31337
    assert re.search(r"crypto 31337 +stopped +vera", listed)
    assert "crypto 31337" not in shell.run("rail", "list", caller="vera").out


def test_rail_of_no_kind_is_wrong_usage_and_a_viewer_is_refused_to_start(shell: Shell) -> None:
    assert shell.run("rail", "stop", "cash", "--reason", "x", caller="vera").status == 2
    refused = shell.run("rail", "start", "card", "--reason", "x", caller="vera")
    assert refused.status == 1
    assert "not-allowed" in refused.err


@pytest.fixture
def finding(scene: Scene) -> dict[str, Any]:
    with scene.database.write() as session:
        open_finding(
            session,
            scene.database,
            kind=FindingKind.ORDER_SHORTFALL,
            key="order_shortfall/cli",
            evidence={"order_id": "o\x1b[2J", "missing_minor": 5},
        )
    return scene.views.findings(kind=FindingKind.ORDER_SHORTFALL)[-1]


def test_finding_is_listed_closed_and_listed_as_closed(shell: Shell, finding: dict[str, Any]) -> None:
    listed = shell.run("findings", "--kind", "order_shortfall", caller="vera")
    closed = shell.run("findings", "close", str(finding["id"]), "--reason", "settled", "-o", "json", caller="ann")
    rest = shell.run("findings", "--closed", "-o", "json", "--kind", "order_shortfall", caller="vera")

    assert "missing_minor 5" in listed.out
    assert "\x1b" not in listed.out
    assert (closed.status, closed.json["closed_by"]) == (0, "ann")
    assert [it["id"] for it in rest.json["items"]] == [finding["id"]]
    assert shell.run("findings", "close", "4711", "--reason", "x", caller="ann").status == 1


def test_check_needs_a_deposit_or_an_account_and_names_what_is_refused(shell: Shell) -> None:
    assert shell.run("check", "--account", "acct", caller="vera").status == 2
    refused = shell.run("check", "--deposit", "nowhere", "-o", "json", caller="vera")
    assert refused.status == 1
    assert "field deposit_id" in refused.err


def test_admin_takes_rights_away_and_gives_them_back(shell: Shell) -> None:
    gone = shell.run("operators", "deactivate", "cleo", "--reason", "left", "-o", "json", caller="ada")
    as_nobody = shell.run("rail", "list", caller="cleo")
    back = shell.run("operators", "activate", "cleo", "--reason", "came back", caller="ada")
    listed = shell.run("operators", "list", "-o", "json", caller="vera")

    assert (gone.status, gone.json["is_active"]) == (0, False)
    assert as_nobody.status == 1
    assert "cleo  approver  active" in back.out
    assert {"name": "cleo", "role": "approver", "is_active": True} in listed.json["items"]
