"""Who listens hears of every change once, after its commit, and of nothing that was rolled back."""

from contextlib import suppress
from datetime import timedelta

import pytest

from domain.changes import Change
from domain.errors import WrongState
from domain.payouts import PayoutStatus
from ledger import audit
from tests.ledger.scene import Scene


@pytest.fixture
def told(scene: Scene) -> list[Change]:
    told: list[Change] = []
    scene.database.listeners.append(told.append)
    return told


def test_every_change_is_told_once_however_often_a_step_runs(scene: Scene, told: list[Change]) -> None:
    scene.funded()
    refund = scene.paying()
    scene.payouts.record_sending(refund, 1)
    scene.payouts.record_sending(refund, 1)
    scene.outcome(refund, PayoutStatus.SUCCEEDED)
    scene.outcome(refund, PayoutStatus.SUCCEEDED)

    events = [change.event for change in told if change.refund_id == refund]
    assert events == scene.events(refund)
    assert [it for it in events if it.startswith("payout.")] == ["payout.sending", "payout.succeeded"]
    moves = [(it.detail["from"], it.event.partition(".")[2]) for it in told if "from" in it.detail]
    assert moves[-3:] == [("awaiting_approval", "paying"), ("paying", "confirming"), ("confirming", "refunded")]
    assert {it.detail["rail"] for it in told if "from" in it.detail} == {"card"}


def test_what_is_rolled_back_is_not_told(scene: Scene, told: list[Change]) -> None:
    scene.funded()
    refund = scene.paying()
    before = list(told)

    with pytest.raises(WrongState):
        scene.withdraw(refund)
    with suppress(ZeroDivisionError), scene.database.write() as session:
        audit.append(session, at=scene.clock(), actor="x", event="x.happened")
        raise ZeroDivisionError

    assert told == before


def test_who_cannot_listen_does_not_undo_what_is_committed(
    scene: Scene, told: list[Change], caplog: pytest.LogCaptureFixture
) -> None:
    def deaf(change: Change) -> None:
        raise ValueError("canary")

    scene.database.listeners.insert(0, deaf)

    scene.account()

    assert [it.event for it in told] == [caplog.records[0].__dict__["change"]]
    assert "canary" not in caplog.text


def test_the_wait_for_approval_is_told_when_it_ends(scene: Scene, told: list[Change]) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.clock.advance(timedelta(minutes=90))
    scene.decide(refund)
    scene.begin(refund)

    (paying,) = [it for it in told if it.event == "refund.paying"]
    assert paying.detail["approval_wait_seconds"] == 5400
