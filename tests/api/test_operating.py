"""Operators confirm ownership, decide, resolve and look at findings."""

from typing import Any

import pytest

from domain.refunds import RefundStatus
from tests.api.front import Front, problem


@pytest.fixture
def awaiting(front: Front) -> dict[str, Any]:
    """A refund before the approvers, as a viewer sees it."""
    front.scene.funded()
    refund = front.scene.awaiting_approval()
    shown: dict[str, Any] = front.call("vera", "GET", f"/v1/refunds/{refund}").json()
    return shown


def decision(refund: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"decision_id": "d-1", "action": "approve", "digest": refund["digest"]} | changes


def test_approval_of_the_shown_digest_is_recorded_and_told(front: Front, awaiting: dict[str, Any]) -> None:
    answer = front.call("ann", "POST", f"/v1/refunds/{awaiting['id']}/decisions", decision(awaiting))

    assert answer.status_code == 202
    (recorded,) = answer.json()["decisions"]
    assert (recorded["operator"], recorded["action"], recorded["digest"]) == ("ann", "approve", awaiting["digest"])
    assert front.runs.told == [(awaiting["id"], "desk:1")]


def test_same_decision_again_changes_nothing(front: Front, awaiting: dict[str, Any]) -> None:
    for _ in range(2):
        answer = front.call("ann", "POST", f"/v1/refunds/{awaiting['id']}/decisions", decision(awaiting))
        assert answer.status_code == 202

    assert len(answer.json()["decisions"]) == 1


def test_approval_of_another_digest_is_stale(front: Front, awaiting: dict[str, Any]) -> None:
    stale = decision(awaiting, digest="sha256:" + "0" * 64)

    answer = front.call("ann", "POST", f"/v1/refunds/{awaiting['id']}/decisions", stale)

    problem(answer, 409, "stale-digest", "digest", "current_digest")
    assert front.runs.calls == 0


def test_rejection_needs_a_reason(front: Front, awaiting: dict[str, Any]) -> None:
    path, rejection = f"/v1/refunds/{awaiting['id']}/decisions", decision(awaiting, action="reject")

    problem(front.call("ann", "POST", path, rejection), 422, "invalid-request", "reason", "required")
    problem(front.call("ann", "POST", path, rejection | {"reason": " \n"}), 422, "invalid-request", "reason", "blank")
    assert front.call("ann", "POST", path, rejection | {"reason": "not theirs"}).status_code == 202


def test_decision_after_a_rejection_is_too_late(front: Front, awaiting: dict[str, Any]) -> None:
    path = f"/v1/refunds/{awaiting['id']}/decisions"
    front.call("ann", "POST", path, decision(awaiting, action="reject", reason="not theirs"))

    answer = front.call("bob", "POST", path, decision(awaiting, decision_id="d-2"))

    problem(answer, 409, "already-decided", "action")


def test_decision_before_anyone_was_asked_is_in_the_wrong_state(front: Front) -> None:
    front.scene.funded()
    refund = front.start()["id"]
    body = {"decision_id": "d-1", "action": "approve", "digest": "sha256:" + "0" * 64}

    problem(front.call("ann", "POST", f"/v1/refunds/{refund}/decisions", body), 409, "wrong-state", "status")


def test_who_confirmed_the_ownership_cannot_approve(front: Front) -> None:
    front.scene.account()
    front.scene.deposit("dep1")
    refund = front.start(channel="email", payment_proof="pi_dep1")["id"]
    assert front.scene.check(refund).status == RefundStatus.AWAITING_OWNERSHIP
    body = {"confirmation_id": "c-1", "action": "confirm", "evidence": "called the number on file"}

    answer = front.call("ann", "POST", f"/v1/refunds/{refund}/ownership", body)

    assert answer.status_code == 202
    assert "called the number on file" not in answer.text
    front.scene.read(refund)
    assert front.scene.check(refund).status == RefundStatus.AWAITING_APPROVAL
    approval = decision({"digest": front.scene.row(refund).digest})
    refusal = front.call("ann", "POST", f"/v1/refunds/{refund}/decisions", approval)
    problem(refusal, 403, "not-allowed", "operator", "distinct_people")
    assert front.call("bob", "POST", f"/v1/refunds/{refund}/decisions", approval).status_code == 202


def test_denied_ownership_needs_evidence_too(front: Front) -> None:
    front.scene.account()
    front.scene.deposit("dep1")
    refund = front.start(channel="email", payment_proof="pi_dep1")["id"]
    front.scene.check(refund)
    path, body = f"/v1/refunds/{refund}/ownership", {"confirmation_id": "c-1", "action": "deny"}

    problem(front.call("ann", "POST", path, body), 422, "invalid-request", "evidence", "missing")
    assert front.call("ann", "POST", path, body | {"evidence": "it was not them"}).status_code == 202


def test_resolution_is_recorded_once_and_told(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.failed()
    body = {"resolution_id": "r-1", "action": "retry", "reason": "the bank was away"}

    for _ in range(2):
        assert front.call("ann", "POST", f"/v1/refunds/{refund}/resolution", body).status_code == 202

    assert front.scene.read(refund).attempt == 2
    assert len(front.runs.told) == 2


def test_resolution_that_could_pay_twice_is_a_conflict(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.awaiting_approval()
    body = {"resolution_id": "r-1", "action": "retry", "reason": "hurry"}

    answer = front.call("ann", "POST", f"/v1/refunds/{refund}/resolution", body)

    problem(answer, 409, "wrong-state", "status")


def test_used_resolution_id_cannot_name_something_else(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.failed()
    path, body = f"/v1/refunds/{refund}/resolution", {"resolution_id": "r-1", "action": "look_again", "reason": "a"}
    front.call("ann", "POST", path, body)

    problem(
        front.call("ann", "POST", path, body | {"action": "give_up"}), 409, "conflict", "resolution_id", "one_use"
    )


def test_findings_name_the_refund_and_the_evidence(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.failed()

    (finding,) = front.call("vera", "GET", "/v1/findings").json()["items"]

    assert finding["refund_id"] == refund
    assert finding["kind"] == "payout_failed"
    assert finding["opened_at"].endswith("Z")
