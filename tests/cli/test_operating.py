"""`refunds approve`, `reject`, `confirm-owner` and `resolve`."""

import os
import pty
import subprocess
import sys
from hashlib import sha256

import pytest

from domain.refunds import RefundStatus
from tests.cli.shell import Shell
from tests.ledger.scene import PAID_CHAIN, SENDER, Scene


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the test's own account, deposit and ticket."""
    return f"t{sha256(request.node.name.encode()).hexdigest()[:12]}"


@pytest.fixture
def awaiting(scene: Scene, name: str) -> str:
    """A card refund before the approvers."""
    scene.account(name)
    scene.deposit(f"dep-{name}", account_id=name)
    return scene.awaiting_approval(name, account={"id": name})


@pytest.fixture
def awaiting_on_chain(scene: Scene, name: str) -> str:
    """A crypto refund before the approvers."""
    scene.account(name)
    scene.deposit(name[:12], account_id=name, rail="crypto")
    return scene.awaiting_approval(name, PAID_CHAIN, account={"id": name}, rail="crypto")


def test_approval_shows_amount_rail_whole_destination_and_verdict_and_names_what_it_showed(
    shell: Shell, scene: Scene, awaiting_on_chain: str
) -> None:
    done = shell.run("approve", awaiting_on_chain, "--yes", "-o", "json", caller="ann")

    assert done.status == 0, done.err
    assert SENDER in done.err
    assert "25 (25000000000000000000 base units) of the native coin on chain 31337" in done.err
    assert "verdict: pass, by policy 2026-01" in done.err
    assert "crypto" in done.err
    digest = scene.row(awaiting_on_chain).digest
    assert digest is not None
    assert digest in done.err
    assert [(it["operator"], it["digest"]) for it in done.json["decisions"]] == [("ann", digest)]


def test_approval_of_a_digest_that_is_no_longer_shown_is_refused(shell: Shell, awaiting: str) -> None:
    done = shell.run("approve", awaiting, "--yes", "--digest", "sha256:" + "0" * 64, caller="ann")

    assert done.status == 1
    assert "not the one shown above" in done.err
    assert "stale-digest" in done.err


def test_same_decision_id_records_once(shell: Shell, awaiting: str, name: str) -> None:
    approve = ("approve", awaiting, "--yes", "--decision-id", f"d-{name}", "-o", "json")

    first, again = shell.run(*approve, caller="ann"), shell.run(*approve, caller="ann")

    assert (first.status, again.status) == (0, 0)
    assert len(again.json["decisions"]) == 1


def test_recorded_decision_can_be_printed_for_delivery_by_other_means(shell: Shell, awaiting: str) -> None:
    done = shell.run(
        "approve", awaiting, "--yes", "--record-only", "--decision-id", "d-x", "-o", "json", caller="bob"
    )

    assert done.status == 0, done.err
    assert done.json == {
        "decision_id": "d-x",
        "refund_id": awaiting,
        "workflow_id": f"refund/{awaiting}",
        "signal": "approve",
    }


def test_nothing_is_approved_where_nobody_can_be_asked(shell: Shell, scene: Scene, awaiting: str) -> None:
    version = scene.row(awaiting).version

    done = shell.run("approve", awaiting, caller="ann")

    assert done.status == 2
    assert "--yes" in done.err
    assert scene.row(awaiting).version == version


@pytest.mark.parametrize(("answer", "status", "decisions"), [("y\n", 0, 1), ("n\n", 1, 0)], ids=["yes", "no"])
def test_person_at_a_terminal_is_asked(
    shell: Shell, scene: Scene, awaiting: str, answer: str, status: int, decisions: int
) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())

    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-P", "-m", "cli.main", "approve", awaiting],
        cwd=shell.folder,
        env=shell.environment | {"REFUNDS_TOKEN": "rfd_ann_token"},
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    os.close(ours)
    os.close(theirs)
    assert done.returncode == status, done.stderr
    assert "Pay 20.00 USD of payment" in done.stderr
    assert (done.stdout + done.stderr).count("destination") == 1, "the card is printed once"
    assert ("Recorded: approved by you; the refund follows." in done.stderr) == bool(decisions)
    assert done.stdout.lstrip().startswith("refund  rf_" if decisions else "")
    assert len(scene.views.refund(awaiting)["decisions"]) == decisions


def test_rejection_needs_a_reason_and_is_recorded(shell: Shell, awaiting: str) -> None:
    assert shell.run("reject", awaiting, caller="ann").status == 2

    done = shell.run("reject", awaiting, "--reason", "not theirs", "-o", "json", caller="ann")

    assert done.status == 0, done.err
    assert [(it["action"], it["reason"]) for it in done.json["decisions"]] == [("reject", "not theirs")]
    assert "Recorded: rejected by you" in done.err


def test_viewer_may_look_and_not_decide(shell: Shell, awaiting: str) -> None:
    assert shell.run("show", awaiting, caller="vera").status == 0

    done = shell.run("approve", awaiting, "--yes", caller="vera")

    assert done.status == 1
    assert "not-allowed" in done.err


def test_ownership_is_confirmed_with_its_deposit(shell: Shell, scene: Scene, name: str) -> None:
    scene.account(name)
    for number in range(2):
        scene.deposit(f"{name}-{number}", account_id=name)
    refund = scene.request(name, account={"id": name})
    assert scene.check(refund).status == RefundStatus.AWAITING_OWNERSHIP

    refused = shell.run("confirm-owner", refund, "--evidence", "asked", caller="ann")
    done = shell.run("confirm-owner", refund, "--evidence", "asked", "--deposit", f"{name}-1", caller="ann")

    assert refused.status == 1
    assert "field deposit_id, rule required" in refused.err
    assert done.status == 0, done.err
    assert "Recorded: ownership confirmed by you." in done.err
    assert scene.read(refund).deposit_id == f"{name}-1"


def test_denied_ownership_is_recorded(shell: Shell, scene: Scene, name: str) -> None:
    scene.account(name)
    scene.deposit(f"dep-{name}", account_id=name)
    refund = scene.request(name, account={"id": name}, channel="email")
    scene.check(refund)

    done = shell.run("confirm-owner", refund, "--evidence", "was not them", "--deny", caller="ann")

    assert done.status == 0, done.err
    assert scene.read(refund).status == RefundStatus.REJECTED


def test_resolution_is_recorded_and_nonsense_is_wrong_usage(shell: Shell, scene: Scene, name: str) -> None:
    scene.account(name)
    scene.deposit(f"dep-{name}", account_id=name)
    refund = scene.failed(name, account={"id": name})

    assert shell.run("resolve", refund, "pay_again", "--reason", "x", caller="ann").status == 2
    done = shell.run("resolve", refund, "retry", "--reason", "the bank was away", caller="ann")

    assert done.status == 0, done.err
    assert "Recorded: resolved by you with retry." in done.err
    assert scene.read(refund).attempt == 2
