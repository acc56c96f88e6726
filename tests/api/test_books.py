"""What finance and auditors ask of the API: the trail's head and proof, and reconciliations."""

from typing import Any

from sqlalchemy import text

from domain.book_runs import BooksPlan, CloseBooks, OpenBooks, ReconcileRequest, ScopeReport
from ledger.reconciliations import Reconciliations
from tests.api.front import Front, problem

ASKED = {"reconciliation_id": "r1", "days": 3, "grace_seconds": 60}


def test_a_whole_trail_is_proved_and_its_exported_head_stays_part_of_it(front: Front) -> None:
    front.scene.funded()
    head = front.call("vera", "GET", "/v1/audit/head").json()
    front.scene.request()

    seen = front.call("vera", "GET", "/v1/audit/verification", params=head).json()

    assert (seen["is_whole"], seen["broken"]) == (True, None)
    assert seen["entries"] == seen["head"]["seq"] > head["seq"]


def test_a_broken_trail_is_told_with_kind_and_place(front: Front) -> None:
    front.scene.funded()
    with front.scene.database.write() as session:
        session.execute(text("DROP TRIGGER audit_entries_no_update"))
        session.execute(text("UPDATE audit_entries SET actor = 'x' WHERE seq = 3"))

    seen = front.call("vera", "GET", "/v1/audit/verification").json()

    assert (seen["is_whole"], seen["broken"]["kind"], seen["broken"]["first_seq"]) == (False, "changed", 3)
    assert seen["broken"]["detail"] == "entry 3 was changed"


def test_half_a_head_is_refused(front: Front) -> None:
    answer = front.call("vera", "GET", "/v1/audit/verification", params={"seq": 1})

    problem(answer, 422, "invalid-request", field="hash", rule="both")


def test_a_reconciliation_is_recorded_then_started_and_the_same_id_is_the_same(front: Front) -> None:
    first = front.call("vera", "POST", "/v1/reconciliations", ASKED)
    again = front.call("ann", "POST", "/v1/reconciliations", ASKED)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert (first.json()["status"], first.json()["requested_by"], first.json()["report"]) == (
        "requested",
        "vera",
        None,
    )
    assert set(front.runs.reconciled) == {ReconcileRequest(**ASKED)}
    assert front.call("ann", "GET", "/v1/reconciliations/r1").json() == first.json()
    problem(front.call("vera", "POST", "/v1/reconciliations", ASKED | {"days": 4}), 409, "conflict")


def test_a_reconciliation_that_temporal_did_not_take_can_be_asked_for_again(front: Front) -> None:
    front.runs.is_away = True
    problem(front.call("vera", "POST", "/v1/reconciliations", ASKED), 503, "try-again")
    front.runs.is_away = False

    assert front.call("vera", "POST", "/v1/reconciliations", ASKED).status_code == 202
    assert front.runs.reconciled == [ReconcileRequest(**ASKED)]


def test_a_finished_reconciliation_shows_its_report_and_is_not_started_again(front: Front) -> None:
    finish(front)

    shown = front.call("vera", "POST", "/v1/reconciliations", ASKED).json()
    listed = front.call("vera", "GET", "/v1/reconciliations").json()["items"]

    assert shown["status"] == "clean"
    assert (shown["report"]["compared"], shown["report"]["scopes"][0]["under_way"]) == (7, ["rf_1"])
    assert [it["id"] for it in listed] == ["r1"]
    assert front.runs.reconciled == []


def finish(front: Front) -> dict[str, Any]:
    """Do what the worker does."""
    reconciliations = Reconciliations(front.scene.database)
    asked = OpenBooks(**ASKED)
    reconciliations.request(asked, requested_by="vera")
    since, now = reconciliations.open(asked)
    plan = BooksPlan(reconciliation_id="r1", since=since, now=now, grace_seconds=60)
    scope = ScopeReport(scope="card", compared=7, under_way_count=1, under_way=("rf_1",))
    reconciliations.close(CloseBooks(plan=plan, scopes=(scope,)))
    return reconciliations.get("r1")


def test_a_reconciliation_that_nobody_asked_for_is_not_found(front: Front) -> None:
    problem(front.call("vera", "GET", "/v1/reconciliations/none"), 404, "not-found")


def test_nobody_takes_the_id_of_a_daily_reconciliation_before_the_schedule_does(front: Front) -> None:
    """Its report would be written already, and clean, when the day's reconciliation comes to write it."""
    taken = ASKED | {"reconciliation_id": "daily-2026-11-21T03:00:00Z"}

    answer = front.call("vera", "POST", "/v1/reconciliations", taken)

    problem(answer, 422, "invalid-request", field="reconciliation_id", rule="reserved")
    assert front.runs.reconciled == []
