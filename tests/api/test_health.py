"""Alive, and ready."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from ledger.database import Database
from tests.api.front import Front, problem


def test_live_process_says_so_whatever_is_missing(front: Front) -> None:
    front.runs.is_away = True

    assert front.client.get("/livez").json() == {"status": "ok"}


def test_ready_when_database_and_temporal_answer(front: Front) -> None:
    assert front.client.get("/readyz").json() == {"status": "ok"}


def test_not_ready_without_temporal(front: Front) -> None:
    front.runs.is_away = True

    assert problem(front.client.get("/readyz"), 503, "not-ready")["detail"] == "Missing: temporal."


def test_not_ready_on_an_older_schema(front: Front) -> None:
    with front.scene.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'older'"))

    detail = problem(front.client.get("/readyz"), 503, "not-ready")["detail"]

    assert detail == "Missing: database schema of this version."


def test_not_ready_without_a_database(front: Front, tmp_path: Path) -> None:
    (tmp_path / "folder.sqlite").mkdir()
    away = Database(f"sqlite:///{tmp_path / 'folder.sqlite'}")
    front.app.state.services = replace(front.services, database=away)
    front.runs.is_away = True

    assert problem(front.client.get("/readyz"), 503, "not-ready")["detail"] == "Missing: database, temporal."
