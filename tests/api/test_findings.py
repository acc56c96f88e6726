"""Findings over HTTP: listed with what may be done, closed with a reason."""

from typing import Any

from domain.decisions import ResolutionAction
from domain.findings import FindingKind
from domain.payouts import PayoutStatus
from ledger.findings import open_finding
from tests.api.front import Front, problem


def found(front: Front, count: int = 1) -> list[dict[str, Any]]:
    with front.scene.database.write() as session:
        for number in range(count):
            open_finding(
                session,
                front.scene.database,
                kind=FindingKind.ORDER_SHORTFALL,
                key=f"order_shortfall/{number}",
                evidence={"order_id": f"o{number}", "missing_minor": 5, "currency": "USD"},
            )
    items: list[dict[str, Any]] = front.call("vera", "GET", "/v1/findings?limit=200").json()["items"]
    return items


def test_finding_says_what_may_be_done_as_a_call_that_exists(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.failed()

    (finding,) = front.call("vera", "GET", f"/v1/findings?refund_id={refund}").json()["items"]

    assert finding["kind"] == "payout_failed"
    assert [it["remedy"] for it in finding["remedies"]] == ["retry", "paid_outside", "give_up", "close"]
    retry, *_, close = finding["remedies"]
    assert retry["call"] == {
        "method": "POST",
        "path": f"/v1/refunds/{refund}/resolution",
        "body": {"action": "retry"},
    }
    body = retry["call"]["body"] | {"resolution_id": "r1", "reason": "the card works again"}
    assert front.call("ann", retry["call"]["method"], retry["call"]["path"], body).status_code == 202
    assert close["call"]["path"] == f"/v1/findings/{finding['id']}/close"


def test_finding_of_a_refund_that_ended_says_so_and_offers_nothing_that_is_refused(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.failed()
    front.scene.resolve(refund, ResolutionAction.GIVE_UP)

    (finding,) = front.call("vera", "GET", f"/v1/findings?refund_id={refund}").json()["items"]

    assert (finding["refund_status"], finding["status_reason"]) == ("rejected", "operator_gave_up")
    (close,) = finding["remedies"]
    assert close["words"].startswith("The refund has ended, rejected (operator_gave_up). Close the finding")
    closed = front.call("ann", "POST", close["call"]["path"], {"reason": "the customer keeps the balance"})
    assert closed.status_code == 200


def test_money_that_moved_is_not_settled_because_its_refund_has_ended(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.failed()
    front.scene.resolve(refund, ResolutionAction.GIVE_UP)
    front.scene.outcome(refund, PayoutStatus.SUCCEEDED)

    (finding,) = front.call("vera", "GET", "/v1/findings?kind=dead_payout_moved").json()["items"]

    assert finding["refund_status"] == "rejected"
    assert [it["remedy"] for it in finding["remedies"]] == ["seek_money", "settle_account", "close"]
    assert "ended" not in finding["remedies"][-1]["words"]


def test_finding_without_a_refund_stands_in_no_status(front: Front) -> None:
    (finding,) = found(front)

    assert (finding["refund_status"], finding["status_reason"]) == (None, None)
    assert [it["remedy"] for it in finding["remedies"]] == ["settle_account", "close"]


def test_closing_is_kept_with_its_reason_and_again_changes_nothing(front: Front) -> None:
    (finding,) = found(front)
    path = f"/v1/findings/{finding['id']}/close"

    closed = front.call("ann", "POST", path, {"reason": "settled"})
    again = front.call("bob", "POST", path, {"reason": "settled too"})

    assert closed.status_code == 200
    assert (closed.json()["closed_by"], closed.json()["closed_reason"]) == ("ann", "settled")
    assert again.json() == closed.json()
    assert front.call("vera", "GET", "/v1/findings").json()["items"] == []
    assert front.call("vera", "GET", "/v1/findings?open=false").json()["items"] == [closed.json()]


def test_matter_that_stands_is_not_closed(front: Front) -> None:
    front.scene.funded()
    front.scene.failed()
    (finding,) = front.call("vera", "GET", "/v1/findings").json()["items"]

    refused = front.call("ann", "POST", f"/v1/findings/{finding['id']}/close", {"reason": "away with it"})

    problem(refused, 409, "conflict", "id", "matter_settled")


def test_pages_follow_each_other_without_a_gap(front: Front) -> None:
    everything = found(front, 5)
    seen: list[Any] = []
    cursor = ""
    while True:
        page = front.call("vera", "GET", f"/v1/findings?limit=2{cursor}").json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert seen == everything


def test_filters_of_no_kind_are_named(front: Front) -> None:
    for query, field in (("kind=odd", "kind"), ("open=maybe", "open"), ("cursor=x", "cursor"), ("limit=0", "limit")):
        problem(front.call("vera", "GET", f"/v1/findings?{query}"), 422, "invalid-request", field)
    problem(front.call("vera", "GET", f"/v1/findings?cursor={'9' * 20}"), 422, "invalid-request", "cursor")
    problem(front.call("ann", "POST", f"/v1/findings/{'9' * 30}/close", {"reason": "x"}), 422, "invalid-request")
    problem(front.call("ann", "POST", "/v1/findings/4711/close", {"reason": "x"}), 404, "not-found", "finding")
