"""What `/metrics` shows: templates instead of paths, fresh enough figures, and no ids."""

import re
from pathlib import Path

from prometheus_client import generate_latest

from api.metrics import Metrics
from ledger.database import Database
from ledger.figures import Figures
from tests.api.front import Front


def shown(front: Front) -> dict[str, float]:
    answer = front.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if line.startswith("refunds_")]
    return {name: float(value) for name, value in lines}


def test_requests_are_counted_by_the_template_of_their_route(front: Front) -> None:
    front.call("desk", "GET", "/v1/refunds/rf_000000000000000000000000")
    front.call("desk", "GET", "/v1/refunds/rf_000000000000000000000001")
    front.call(None, "GET", "/v1/refunds")
    front.client.get("/somebody@example.com")
    front.client.request("BREW", "/livez")

    counts = {name: value for name, value in shown(front).items() if name.startswith("refunds_http_requests_total")}

    series = 'refunds_http_requests_total{{method="{}",route="{}",status="{}"}}'
    assert counts == {
        series.format("GET", "/v1/refunds/{refund_id}", 404): 2,
        series.format("GET", "/v1/refunds", 401): 1,
        series.format("GET", "none", 404): 1,
        series.format("other", "/livez", 405): 1,
    }


def test_cases_are_shown_by_rail_and_status_and_never_by_id(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.awaiting_approval()

    figures = shown(front)

    assert figures['refunds_cases{rail="card",status="awaiting_approval"}'] == 1
    assert figures['refunds_cases{rail="crypto",status="paying"}'] == 0
    assert figures['refunds_held_minor{currency="USD"}'] == 2000
    assert figures['refunds_ledger_imbalance_minor{check="postings",currency="USD"}'] == 0
    assert figures["refunds_figures_up"] == 1
    text = front.client.get("/metrics").text
    assert not [it for it in (refund, "acct", "user-acct", "dep", "desk") if re.search(rf'"{it}"', text)]


def test_many_who_ask_cost_the_database_no_more_than_one(front: Front) -> None:
    shown(front)
    front.scene.funded()
    front.scene.awaiting_approval()

    again = shown(front)

    assert again['refunds_cases{rail="card",status="awaiting_approval"}'] == 0, "what was read a moment ago is told"


def test_a_database_that_is_away_is_shown_as_away(front: Front, tmp_path: Path) -> None:
    (tmp_path / "folder.sqlite").mkdir()
    away = Figures(Database(f"sqlite:///{tmp_path / 'folder.sqlite'}"), front.scene.policy)

    text = generate_latest(Metrics(away).registry).decode()

    assert "refunds_figures_up 0.0" in text
    assert "refunds_cases" not in text
