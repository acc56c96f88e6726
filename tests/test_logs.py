"""The logs of a process, as they arrive on its stderr."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = """
import logging
import structlog
import logs
from domain.changes import Change
from domain.errors import TryAgain

logs.set_up(["correct horse battery"])
structlog.get_logger().info("thing.happened", number=1)
logging.getLogger("sqlalchemy.engine").warning("told %s by correct horse battery", "this")
logging.getLogger("refunds.x").info("payout.broadcast", extra={"tx_hash": "0x12", "refund_id": "rf_1"})
logging.getLogger("uvicorn.error").info("chatter")
for error in (TryAgain("the chain is away"), ValueError("canary@example.org said so")):
    try:
        raise error
    except Exception:
        logging.getLogger("refunds.x").exception("step.broken")
for event, detail in (
    ("refund.paying", {"from": "awaiting_approval", "reason": "payout_sending", "rail": "card", "attempt": 1}),
    ("refund.needs_attention", {"from": "paying", "reason": "payout_unknown"}),
    ("payout.succeeded", {"provider_ref": "re_1"}),
    ("decision.approve", {"reason_sealed": "00"}),
    ("finding.opened", {"kind": "wallet_low", "words": "secret"}),
):
    logs.write_change(Change(event, "service", "rf_1", None, detail))
logs.write_change(Change("deposit.added", "shop", None, "dep_1", {}))
"""


@pytest.fixture(scope="module")
def written() -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_line_is_one_json_object_whoever_wrote_it(written: list[dict[str, Any]]) -> None:
    happened, told, sent, delayed, broken = written[:5]

    assert (happened["event"], happened["number"], happened["level"]) == ("thing.happened", 1, "info")
    assert (told["event"], told["logger"]) == ("told this by [redacted]", "sqlalchemy.engine")
    assert (sent["tx_hash"], sent["refund_id"]) == ("0x12", "rf_1")
    assert all({"event", "level", "logger", "timestamp"} <= set(line) for line in written)
    assert (delayed["error"], delayed["words"]) == ("TryAgain", "the chain is away")
    assert (broken["error"], "words" in broken) == ("ValueError", False)
    assert broken["frames"]
    assert "canary" not in json.dumps(written)


def test_changes_are_told_by_what_they_mean_for_people(written: list[dict[str, Any]]) -> None:
    changes = [line for line in written if line["logger"] == "refunds.changes"]

    assert [(line["event"], line["level"]) for line in changes] == [
        ("refund.moved", "info"),
        ("refund.moved", "error"),
        ("payout.settled", "info"),
        ("decision.recorded", "info"),
        ("finding.opened", "error"),
    ]
    moved, *_, finding = changes
    assert (moved["from"], moved["to"], moved["reason"]) == ("awaiting_approval", "paying", "payout_sending")
    assert (moved["rail"], moved["payout_attempt"], moved["refund_id"]) == ("card", 1, "rf_1")
    assert finding["kind"] == "wallet_low"
    assert "words" not in finding, "only what is listed is shown"


def test_a_person_before_a_terminal_reads_lines_and_no_json() -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, stderr=theirs, check=True)  # noqa: S603
        os.set_blocking(ours, False)
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert "thing.happened" in shown
    assert '{"' not in shown
    assert "correct horse" not in shown
