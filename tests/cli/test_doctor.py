"""`refunds doctor` on a real installation, each part broken once: it names the part and says what to do."""

import sqlite3
from datetime import timedelta
from typing import Any

import pytest

from cli.checkup import api, database, hook
from cli.checkup.report import Check, Status, skew
from config import Settings
from domain.card_events import CardEvent, EventSubject
from domain.findings import FindingKind
from ledger.card_events import CardEvents
from ledger.findings import open_finding
from ledger.tables import RailStop, Wallet
from tests.cli.shell import NOWHERE, Ended, Shell
from tests.ledger.scene import Scene, enlist_people

SERVICE = ("REFUNDS_DATABASE_URL", "REFUNDS_POLICY", "REFUNDS_API_PORT", "TEMPORAL_ADDRESS")


def told(done: Ended) -> dict[str, Any]:
    """What doctor said, by the name of each check."""
    assert "Traceback" not in done.err, done.err
    return {check["name"]: check for check in done.json["checks"]}


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def as_caller(shell: Shell) -> Shell:
    """The same installation with nothing of the service in the environment."""
    other = Shell(shell.folder)
    other.environment = {name: it for name, it in shell.environment.items() if name not in SERVICE}
    return other


def test_caller_learns_that_the_api_misses_temporal_and_whose_their_token_is(shell: Shell) -> None:
    done = as_caller(shell).run("doctor", "-o", "json", caller="vera")
    checks = told(done)

    assert done.status == 1
    assert "temporal" in checks["api.ready"]["told"]
    assert checks["api.ready"]["remedy"]
    assert checks["api.token"] == {
        "name": "api.token",
        "status": "ok",
        "told": "The token belongs to an operator.",
        "remedy": None,
        "is_reachable": True,
    }
    assert {"api.clock", "api.findings", "api.refunds"} <= checks.keys()
    assert not any(name.startswith(("settings", "database", "temporal")) for name in checks)


def test_stopped_api_is_not_reachable(shell: Shell) -> None:
    done = as_caller(shell).run("doctor", caller="vera", REFUNDS_API_URL=NOWHERE)

    assert done.status == 3
    assert done.out.startswith("wrong")
    assert NOWHERE in done.out
    assert "refunds serve" in done.out
    assert "1 wrong" in done.err


@pytest.mark.parametrize(
    ("token", "status", "said"),
    [
        ("rfd_nobody", Status.WRONG, "does not know this token"),
        ("rfd_desk_token", Status.OK, "a help desk"),
        ("rfd_shop_token", Status.OK, "billing"),
        ("rfd_ada_token", Status.OK, "an operator"),
        ("", Status.WARNING, "REFUNDS_TOKEN is not set"),
    ],
    ids=["unknown", "help desk", "billing", "admin", "none"],
)
def test_token_is_known_by_what_it_may_read(shell: Shell, token: str, status: Status, said: str) -> None:
    checks = by_name(list(api.examine(shell.environment["REFUNDS_API_URL"], token)))

    assert checks["api.token"].status == status
    assert said in checks["api.token"].told


def test_all_wrong_settings_are_told_at_once_and_no_secret(fresh: Shell) -> None:
    wrong = {"REFUNDS_API_PORT": "many", "REFUNDS_STRIPE_SECRET_KEY_FILE": str(fresh.folder / "none")}

    done = fresh.run("doctor", "-o", "json", **wrong)
    settings = [check for check in done.json["checks"] if check["name"] == "settings"]

    assert done.status == 1
    assert [check["status"] for check in settings] == ["wrong", "wrong"]
    assert {check["told"].partition(":")[0] for check in settings} == {
        *("REFUNDS_API_PORT", "REFUNDS_STRIPE_SECRET_KEY")
    }


def test_half_a_rail_and_a_broken_policy_are_named_with_what_is_missing(fresh: Shell) -> None:
    policy = fresh.folder / "policy.toml"
    policy.write_text('[[versions]]\nversion = "1"\nin_force_from = 2026-01-01T00:00:00Z\nwindow_days = 0\n')

    done = fresh.run("doctor", "-o", "json", REFUNDS_KEYSTORE="none.json", REFUNDS_POLICY=str(policy))
    said = " ".join(check["told"] for check in done.json["checks"] if check["status"] == "wrong")

    assert done.status == 1
    for name in ("REFUNDS_CHAINS", "REFUNDS_KEYSTORE: there is no file", "REFUNDS_KEYSTORE_PASSWORD_FILE"):
        assert name in said
    assert "versions.0.window_days" in said


def test_missing_database_is_told_and_not_made(fresh: Shell) -> None:
    done = fresh.run("doctor", "-o", "json")
    checks = told(done)

    assert done.status == 1
    assert "refunds migrate" in checks["database.schema"]["remedy"]
    assert checks["temporal"]["is_reachable"] is False
    assert not (fresh.folder / "ledger.sqlite").exists()


def examined(url: str) -> dict[str, Check]:
    return by_name(list(database.examine(Settings(database_url=url))))


def test_old_schema_is_told_until_it_is_migrated(fresh: Shell) -> None:
    with sqlite3.connect(fresh.folder / "ledger.sqlite") as old:
        old.execute("CREATE TABLE alembic_version (version_num TEXT)")
        old.execute("INSERT INTO alembic_version VALUES ('0000')")
    old.close()
    before = examined(fresh.database_url)
    with sqlite3.connect(fresh.folder / "ledger.sqlite") as empty:
        empty.execute("DROP TABLE alembic_version")
    empty.close()

    migrated = fresh.run("migrate")

    assert before["database.schema"].status == Status.WRONG
    assert migrated.status == 0, migrated.err
    assert {check.status for check in examined(fresh.database_url).values()} == {Status.OK}


@pytest.mark.parametrize(
    ("url", "is_reachable"),
    [("postgresql+psycopg://refunds:verysecret@127.0.0.1:9/refunds", False), ("nonsense", True)],
    ids=["nobody there", "no address"],
)
def test_database_that_cannot_be_used_is_told_without_its_password(url: str, is_reachable: bool) -> None:
    (check,) = examined(url).values()

    assert (check.status, check.is_reachable) == (Status.WRONG, is_reachable)
    assert "verysecret" not in check.told


def test_what_stands_still_is_told(fresh: Shell) -> None:
    fresh.run("migrate")
    scene: Scene = fresh.scene()
    enlist_people(scene.database)
    scene.clock.moment -= timedelta(minutes=5)
    scene.funded()
    scene.request()
    with scene.database.write() as session:
        open_finding(session, scene.database, kind=FindingKind.PAYOUT_UNKNOWN, key="planted", evidence={})
        session.add(RailStop(rail="card", operator="ada", reason="a test", stopped_at=scene.clock.moment))
        session.add(
            Wallet(
                chain_id=1, address="0x" + "a" * 40, first_nonce=0, next_nonce=0, pause_reason="nonce_used_elsewhere"
            )
        )
    scene.database.close()

    checks = examined(fresh.database_url)

    assert checks["database.news"].status == Status.WRONG
    assert checks["database.findings"].status == Status.WARNING
    assert "stopped by ada" in checks["database.rails"].told
    assert "nonce_used_elsewhere" in checks["database.wallets"].told


def test_clock_that_is_off_is_a_warning_both_ways() -> None:
    found = [skew("clock", seconds, 30, "It").status for seconds in (-31, -30, 0, 30, 31)]

    assert found == [Status.WARNING, Status.OK, Status.OK, Status.OK, Status.WARNING]


def test_clock_that_agrees_is_told_in_the_same_words_at_every_look() -> None:
    told = {skew("clock", seconds, 30, "The API's clock").told for seconds in (-1.2, -0.4, 0, 0.4, 0.9, 29)}

    assert told == {"The API's clock is within 30 s of this machine's."}
    assert skew("clock", 45, 30, "It").told == "It is 45 s behind this machine's."


def test_wrong_settings_are_told_in_plain_words(fresh: Shell) -> None:
    done = fresh.run(
        "doctor",
        "-o",
        "json",
        REFUNDS_API_PORT="many",
        REFUNDS_WORKER_METRICS_ADDRESS="9",
        REFUNDS_API_DRAIN_SECONDS="-1",
    )

    assert sorted(check["told"] for check in done.json["checks"] if check["name"] == "settings") == [
        "REFUNDS_API_DRAIN_SECONDS: must be at least 0",
        "REFUNDS_API_PORT: must be a whole number",
        "REFUNDS_WORKER_METRICS_ADDRESS: must be written as host:port",
    ]


def test_health_check_of_the_api_fails_while_it_cannot_work(shell: Shell) -> None:
    port = shell.environment["REFUNDS_API_URL"].rpartition(":")[2]

    not_ready = shell.run("serve", "--check", REFUNDS_API_PORT=port)
    nobody = shell.run("serve", "--check", REFUNDS_API_PORT="9")

    assert (not_ready.status, nobody.status) == (3, 3)
    assert "Missing: temporal" in not_ready.err
    assert "port 9" in nobody.err


def hooked(scene: Scene, **settings: str) -> Check:
    return hook.examine(Settings(database_url="sqlite:///unused", **settings), scene.database)


def test_webhooks_that_do_not_come_are_told_by_what_was_paid_since(fresh: Shell) -> None:
    fresh.run("migrate")
    scene: Scene = fresh.scene()
    enlist_people(scene.database)
    api = {"stripe_webhook_secret": "whsec_one whsec_two", "stripe_mode": "test"}
    unused = hooked(scene, **api)
    scene.funded()
    scene.refunded()
    just_paid, without_secret = hooked(scene, **api), hooked(scene)
    scene.clock.advance(timedelta(days=1, seconds=1))
    silent, at_the_worker = hooked(scene, **api), hooked(scene, stripe_secret_key="sk_test_1")
    event = CardEvent(
        event_id="evt_1", type="refund.updated", is_live=False, subject=EventSubject.REFUND, subject_id="re_1"
    )
    CardEvents(scene.database).take(event, is_live=False)
    heard = hooked(scene, **api)
    CardEvents(scene.database).take_missed(event.model_copy(update={"event_id": "evt_2"}), is_live=False)
    swept = hooked(scene, **api)
    scene.database.close()

    assert [it.status for it in (unused, just_paid, heard)] == [Status.OK] * 3
    assert [it.status for it in (without_secret, silent, at_the_worker, swept)] == [Status.WARNING] * 4
    assert "set here: 2" in unused.told
    assert "whsec" not in unused.told
    assert "REFUNDS_STRIPE_WEBHOOK_SECRET" in (without_secret.remedy or "")
    assert f"{scene.clock():%Y-%m-%d %H:%M} UTC" in heard.told
    assert hooked(scene, stripe_webhook_secret="whsec_one").status == Status.WRONG
