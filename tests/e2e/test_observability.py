"""What a running service lets be seen: metrics as documented, a stop in good order, and nobody's secrets."""

import json
import os
import re
import signal
import sqlite3
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from cli import liveness
from devstack import chain
from devstack.demo.town import Town, wait_for
from devstack.stack import Stack

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
CENTS = 2000
WEI = 10**16
PATIENCE_SECONDS = 2
PERSON = "canary.person@example.org"
CARD = "4242 4242 4242 4242"
TYPED = {
    "e-mail": PERSON,
    "username": "canary_username",
    "reason to withdraw": "canary-withdraws because of the neighbours",
    "reason to reject": "canary-rejects this sad story",
    "evidence": "canary-evidence seen in the mail of Tuesday",
    "bad input": "canary-bad-input",
    "wrong token": "rfd_canary_token_of_nobody",
    "card number": CARD,
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: its worker has little patience when it is stopped."""
    environment = {**os.environ, "REFUNDS_WORKER_SHUTDOWN_SECONDS": str(PATIENCE_SECONDS)}
    with Stack(tmp_path_factory.mktemp("observed"), environment) as stack:
        yield stack


@pytest.fixture(scope="module")
def town(stack: Stack) -> Iterator[Town]:
    town = Town(stack.info)
    yield town
    town.close()


def card_refund(town: Town, **account: str) -> tuple[str, str]:
    """Ask for a paid card deposit back; return refund and payment."""
    name = town.name("acct")
    body = {"username": f"user_{name}", "status": "active", **account}
    town.must("billing", "PUT", f"/v1/accounts/{name}", body)
    payment = town.pay_by_card(CENTS)
    town.deposit(name, CENTS, {"rail": "card", "payment_intent": payment}, datetime.now(UTC) - timedelta(days=1))
    return town.request(account={"id": name}, rail="card"), payment


def crypto_refund(town: Town) -> str:
    """Ask for a final deposit of coins back."""
    account, _ = town.open_account()
    payment = {
        "rail": "crypto",
        "chain_id": town.chain_id,
        "tx_hash": town.pay_by_crypto(WEI),
        "asset": "native",
        "amount_base_units": str(WEI),
    }
    town.deposit(account, CENTS, payment, datetime.now(UTC) - timedelta(minutes=5))
    return town.request(account={"id": account}, rail="crypto")


def arm(stack: Stack, **fault: Any) -> None:
    """Let the next refund at Stripe go wrong."""
    body = {"method": "POST", "path_prefix": "/v1/refunds", **fault}
    httpx2.post(f"{stack.info['stripe']}/_sim/faults", json=body).raise_for_status()


def stripe(stack: Stack) -> dict[str, Any]:
    state: dict[str, Any] = httpx2.get(f"{stack.info['stripe']}/_sim/state").json()
    return state


def log_of(stack: Stack, name: str) -> str:
    return (stack.folder.logs / f"{name}.log").read_text()


def lines_of(stack: Stack, name: str) -> list[dict[str, Any]]:
    """The log's lines, each of which must be one JSON object, but for the supervisor's own."""
    return [json.loads(line) for line in log_of(stack, name).splitlines() if line and not line.startswith("--- ")]


def scraped(url: str) -> str:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own loopback address
        return str(answer.read().decode())


def test_nothing_that_customers_or_people_typed_leaves_the_database(stack: Stack, town: Town) -> None:
    coins = crypto_refund(town)
    paid, _ = card_refund(town, email=PERSON, username=TYPED["username"])
    arm(stack, kind="500_after")
    town.approve(paid)
    town.approve(coins)
    withdrawn, _ = card_refund(town)
    town.until(withdrawn, "awaiting_approval")
    town.must("helpdesk", "POST", f"/v1/refunds/{withdrawn}/withdraw", {"reason": TYPED["reason to withdraw"]})
    rejected, _ = card_refund(town)
    digest = town.until(rejected, "awaiting_approval")["digest"]
    rejection = {"decision_id": "no", "action": "reject", "digest": digest, "reason": TYPED["reason to reject"]}
    town.must("approver_1", "POST", f"/v1/refunds/{rejected}/decisions", rejection)
    mail_refund(town)
    bad_input(stack, town, paid)
    town.until(paid, "refunded")
    town.until(coins, "refunded")

    kept = database_text(stack, "SELECT * FROM accounts, withdrawals, decisions, ownership_confirmations")
    places = {
        "log of the API": log_of(stack, "api"),
        "log of the worker": log_of(stack, "worker"),
        "audit trail": database_text(stack, "SELECT * FROM audit_entries"),
        "findings": database_text(stack, "SELECT * FROM findings"),
        "Temporal": "".join(
            file.read_bytes().decode("latin-1") for file in stack.folder.path.glob("temporal.sqlite*")
        ),
    }
    secrets = secrets_of(stack)
    found = [
        (place, name)
        for place, text in places.items()
        for name, canary in {**TYPED, **secrets}.items()
        if canary.lower() in text.lower()
    ]
    assert found == []
    for place in ("log of the API", "log of the worker", "audit trail", "Temporal"):
        assert paid in places[place], f"{place} was not really read"
    for name in ("e-mail", "username", "reason to withdraw", "reason to reject", "evidence"):
        assert TYPED[name] in kept, f"{name} was never given to the service"
    events = [line["event"] for line in lines_of(stack, "worker") if line.get("refund_id") == paid]
    assert events.count("payout.settled") == 1
    moved = [line for line in lines_of(stack, "worker") if line.get("refund_id") == coins]
    assert {"payout.signed", "payout.broadcast", "payout.sent", "payout.settled"} <= {it["event"] for it in moved}
    assert all(it["workflow_id"] and it["run_id"] and it["attempt"] for it in moved if it["event"] == "refund.moved")


def mail_refund(town: Town) -> str:
    """Ask by a mail that names the username, and let a person deny what they cannot confirm."""
    body = {"channel": "email", "account": {"username": TYPED["username"]}, "rail": "card"}
    refund = town.request(**body, payment_proof=town.pay_by_card(CENTS))
    town.until(refund, "awaiting_ownership")
    confirmation = {"confirmation_id": "mail", "action": "deny", "evidence": TYPED["evidence"]}
    town.call("approver_2", "POST", f"/v1/refunds/{refund}/ownership", confirmation)
    return wait_for(lambda: refund if town.refund(refund)["status"] == "rejected" else None, "the denial to be read")


def bad_input(stack: Stack, town: Town, refund: str) -> None:
    """Send what nobody should."""
    api, bad = stack.info["api"], TYPED["bad input"]
    token = {"Authorization": f"Bearer {stack.info['tokens']['helpdesk']}"}
    wrong = {"Authorization": f"Bearer {TYPED['wrong token']}"}
    statuses = [
        httpx2.post(f"{api}/v1/refunds", content=f'{{"note": "{bad}", "card": "{CARD}"', headers=token).status_code,
        httpx2.post(f"{api}/v1/refunds", json={"ticket": bad, "card": CARD, PERSON: 1}, headers=token).status_code,
        httpx2.get(f"{api}/v1/refunds", params={"cursor": bad, PERSON: CARD}, headers=token).status_code,
        httpx2.get(f"{api}/v1/refunds/{bad}", headers=token).status_code,
        httpx2.get(f"{api}/{PERSON}", headers=token).status_code,
        httpx2.get(f"{api}/v1/refunds/{refund}", headers=wrong).status_code,
    ]
    assert all(400 <= status < 500 for status in statuses), statuses
    town.call("approver_1", "POST", f"/v1/refunds/{refund}/decisions", {"decision_id": bad, "action": PERSON})
    unknown = f"/v1/accounts/{PERSON}/balance"
    assert town.call("billing", "GET", unknown).status == 404


def secrets_of(stack: Stack) -> dict[str, str]:
    """Everything that this stack was given or made to prove who it is."""
    key = bytes(chain.wallet().key).hex()
    return {
        **{f"token of {name}": token for name, token in stack.info["tokens"].items()},
        "Stripe's key": stack.info["stripe_key"],
        "webhook secret": stack.info["stripe_webhook_secret"],
        "keystore password": (stack.folder.path / "keystore.password").read_text().strip(),
        "wallet's key": key,
    }


def database_text(stack: Stack, query: str) -> str:
    """Everything that a query shows, as text; several tables are read one after the other."""
    tables = query.removeprefix("SELECT * FROM ").split(", ")
    with sqlite3.connect(f"file:{stack.folder.path / 'refunds.sqlite'}?mode=ro", uri=True) as connection:
        rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]  # noqa: S608
    return repr(rows)


def test_metrics_are_those_that_are_documented_and_alerts_use_no_others(stack: Stack, town: Town) -> None:
    refund, _ = card_refund(town)
    town.approve(refund)
    town.until(refund, "refunded")

    worker = wait_for(
        lambda: text if "refunds_wallet_balance" in (text := scraped(stack.info["worker_metrics"])) else None,
        "the worker to have seen its wallet",
    )
    texts = {"api": scraped(f"{stack.info['api']}/metrics"), "worker": worker}

    page = (ROOT / "docs" / "metrics.md").read_text()
    of_api, of_worker = page.split("## The worker")
    for text, part in ((texts["api"], of_api), (texts["worker"], of_worker)):
        shown = dict(re.findall(r"^# TYPE (refunds_\w+) (\w+)$", text, re.MULTILINE))
        told = dict(re.findall(r"^\| `(refunds_\w+)` \| (\w+) \|", part, re.MULTILINE))
        assert shown == told
        for name, labels in re.findall(r"^\| `(refunds_\w+)` \| \w+ \| ([\w, ]*) \|", part, re.MULTILINE):
            series = re.search(rf"^{name}(?:_count)?(?:{{(.*)}})? ", text, re.MULTILINE)
            assert series, f"{name} has no series"
            given = set(re.findall(r'(\w+)="', series.group(1) or ""))
            assert given == set(re.findall(r"\w+", labels)), name
    assert 'refunds_ended_total{outcome="refunded",rail="card"} 0' not in worker
    assert refund not in texts["api"] + worker
    rules = [
        rule
        for group in yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    ]
    assert len(rules) > 10
    for rule in rules:
        used = set(re.findall(r"\b(?:refunds|temporal|process)_\w+", rule["expr"]))
        assert used, rule["alert"]
        assert all(re.search(rf"^{name}[ {{]", "\n".join(texts.values()), re.MULTILINE) for name in used), rule[
            "alert"
        ]


def test_a_health_check_tells_a_living_worker_from_none(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    address = stack.info["worker_metrics"].removeprefix("http://").removesuffix("/metrics")
    monkeypatch.setenv(liveness.VARIABLE, address)

    liveness.require_worker()


def stop_worker(stack: Stack) -> str:
    """Stop the worker while a refund is on its way to Stripe; return how the process ended."""
    before = log_of(stack, "worker").count("worker ended")
    wait_for(lambda: not stripe(stack)["faults"] or None, "the refund to be on its way")
    os.kill(stack.info["pids"]["worker"], signal.SIGTERM)

    def ended() -> str | None:
        endings = re.findall(r"^--- \S+ worker ended (.*)$", log_of(stack, "worker"), re.MULTILINE)
        return endings[-1] if len(endings) > before else None

    return wait_for(ended, "the worker to end")


def posts_for(stack: Stack, payment: str) -> list[Any]:
    """Calls that asked Stripe to refund this payment."""
    journal = stripe(stack)["journal"]
    return [it for it in journal if it["params"].get("payment_intent") == payment]


def test_a_stopped_worker_lets_the_money_step_end_and_writes_what_came_of_it(stack: Stack, town: Town) -> None:
    refund, payment = card_refund(town)
    town.until(refund, "awaiting_approval")
    arm(stack, kind="hang_after", hang_seconds=PATIENCE_SECONDS / 2)
    town.approve(refund)

    ending = stop_worker(stack)

    assert ending == "with exit code 0"
    events = [(line["event"], line.get("refund_id")) for line in lines_of(stack, "worker")]
    settled = events.index(("payout.settled", refund))
    assert events.index(("worker.stopping", None)) < settled < events.index(("worker.stopped", None))
    town.until(refund, "refunded")
    assert len(posts_for(stack, payment)) == 1


def test_a_step_that_does_not_end_cannot_keep_the_worker_from_stopping(stack: Stack, town: Town) -> None:
    refund, payment = card_refund(town)
    town.until(refund, "awaiting_approval")
    arm(stack, kind="hang_after", hang_seconds=60)
    town.approve(refund)

    ending = stop_worker(stack)

    assert ending == "with exit code 1"
    assert any(line["event"] == "worker.steps_abandoned" for line in lines_of(stack, "worker"))
    assert town.refund(refund)["payouts"][0]["status"] == "unknown"
    assert len(posts_for(stack, payment)) == 1
