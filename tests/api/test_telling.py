"""News reach the runs: at once, or by the sweep; the answer to the caller never depends on it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.telling import Telling
from domain.errors import TryAgain
from tests.api.front import Front


def test_call_succeeds_while_temporal_is_away_and_later_ones_do_not_wait_for_it(front: Front) -> None:
    front.scene.funded()
    front.runs.is_away = True

    with capture_logs() as logs:
        refunds = [front.start(ticket={"system": "desk", "id": str(number)})["id"] for number in range(3)]

    assert front.runs.calls == 1
    assert all(front.scene.row(refund).news_at is not None for refund in refunds)
    assert [line["log_level"] for line in logs if line["event"] == "news.kept"] == ["warning"]


async def test_sweep_tells_what_is_old_enough_once_temporal_is_back(front: Front) -> None:
    front.scene.funded()
    telling = Telling(front.services)
    old = front.scene.request("1")
    front.scene.clock.advance(timedelta(seconds=4))
    young = front.scene.request("2")
    front.runs.is_away = True
    with pytest.raises(TryAgain):
        await telling.sweep()

    front.runs.is_away = False
    await telling.sweep()

    assert front.runs.told == [(old, "desk:1")]
    assert front.scene.row(old).news_at is None
    assert front.scene.row(young).news_at is not None


def test_calls_tell_again_at_once_after_a_sweep_got_through(front: Front) -> None:
    front.scene.funded()
    front.runs.is_away = True
    first = front.start()["id"]
    front.runs.is_away = False
    front.scene.clock.advance(timedelta(seconds=4))

    asyncio.run(front.app.state.telling.sweep())
    second = front.start(ticket={"system": "desk", "id": "2"})["id"]

    assert front.runs.told == [(first, "desk:1"), (second, "desk:2")]


async def test_one_refund_that_cannot_be_told_keeps_no_other_waiting(front: Front) -> None:
    front.scene.funded()
    stuck, free = front.scene.request("1"), front.scene.request("2")
    front.runs.faulty.add(stuck)
    front.scene.clock.advance(timedelta(seconds=4))

    with capture_logs() as logs:
        await Telling(front.services).sweep()

    assert front.runs.told == [(free, "desk:2")]
    assert front.scene.row(stuck).news_at is not None
    assert [line["refund_id"] for line in logs if line["log_level"] == "error"] == [stuck]
    assert "secret words" not in str(logs)


def test_refused_news_do_not_fail_the_call(front: Front) -> None:
    front.scene.funded()
    refund = front.start()["id"]
    front.runs.faulty.add(refund)

    answer = front.call("desk", "POST", f"/v1/refunds/{refund}/withdraw", {"reason": "found it"})

    assert answer.status_code == 202
    assert front.scene.row(refund).news_at is not None


def test_what_a_call_told_is_written_down_by_the_next_round_and_told_once(front: Front) -> None:
    front.scene.funded()
    refund = front.start()["id"]
    front.scene.clock.advance(timedelta(seconds=4))

    asyncio.run(front.app.state.telling.sweep())

    assert front.scene.row(refund).news_at is None
    assert front.runs.told == [(refund, "desk:1")]


def test_what_a_call_told_is_not_told_again_although_its_run_has_moved_on(front: Front) -> None:
    front.scene.funded()
    refund = front.start()["id"]
    front.scene.check(refund)
    front.scene.clock.advance(timedelta(seconds=4))

    asyncio.run(front.app.state.telling.sweep())

    assert front.runs.told == [(refund, "desk:1")]


def test_news_told_by_a_process_that_died_before_it_wrote_that_down_are_told_once_more(front: Front) -> None:
    front.scene.funded()
    refund = front.start()["id"]
    front.scene.clock.advance(timedelta(seconds=4))

    asyncio.run(Telling(front.services).sweep())

    assert front.scene.row(refund).news_at is None
    assert front.runs.told == [(refund, "desk:1")] * 2


class BrokenNews:
    """A ledger that is busy once, and then fails in a way that nobody foresaw."""

    rounds = 0

    def untold(self, older_than_seconds: float) -> list[object]:
        self.rounds += 1
        raise TryAgain("busy") if self.rounds == 1 else RuntimeError("secret words")

    def unfinished(self, quiet_seconds: float) -> list[object]:
        return []


async def test_sweep_outlives_every_fault(front: Front) -> None:
    news: Any = BrokenNews()

    async def pause(_: float) -> None:
        if news.rounds == 3:
            raise asyncio.CancelledError

    front.runs.remembers = "first"
    telling = Telling(replace(front.services, news=news), pause)
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await telling.sweep_for_ever()

    assert [line["event"] for line in logs] == ["sweep.interrupted", "sweep.failed", "sweep.failed"]
    assert "secret words" not in str(logs)


def test_news_that_came_while_telling_stay_untold(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.request("1")
    told = front.scene.news.untold(0)
    front.scene.clock.advance(timedelta(microseconds=1))
    front.scene.records.withdraw(refund, "changed their mind", client="desk")

    front.scene.news.told(told)

    assert front.scene.row(refund).news_at is not None


async def test_roll_call_starts_a_run_for_an_unfinished_refund_that_has_none(front: Front) -> None:
    front.scene.funded()
    lost, kept = front.start()["id"], front.start(ticket={"system": "desk", "id": "2"})["id"]
    front.runs.lost = frozenset([lost])
    told_before = list(front.runs.told)
    telling = Telling(front.services)

    await telling.call_the_roll()
    told_while_fresh = list(front.runs.told)
    front.scene.clock.advance(timedelta(seconds=61))
    await telling.call_the_roll()

    assert told_while_fresh == told_before
    assert {refund for refund, _ in front.runs.told[len(told_before) :]} == {lost}
    assert kept != lost


@pytest.mark.parametrize("loss", ["absence", "another memory"])
async def test_roll_is_called_at_once_where_temporal_may_have_lost_runs(front: Front, loss: str) -> None:
    front.scene.funded()
    front.runs.remembers = "first"
    telling = Telling(front.services)
    await telling.look_for_temporal()
    lost = front.start()["id"]
    front.runs.lost, told_before = frozenset([lost]), len(front.runs.told)

    await telling.look_for_temporal()
    told_without_a_sign = front.runs.told[told_before:]
    if loss == "absence":
        front.runs.is_away = True
        await telling.look_for_temporal()
        front.runs.is_away = False
    else:
        front.runs.remembers = "second"
    await telling.look_for_temporal()
    await telling.look_for_temporal()

    assert told_without_a_sign == []
    assert [refund for refund, _ in front.runs.told[told_before:]] == [lost]


async def test_roll_is_called_at_the_start_of_the_api(front: Front) -> None:
    front.scene.funded()
    lost = front.scene.request("1")
    front.runs.remembers = "first"

    await Telling(front.services).look_for_temporal()

    assert front.runs.told == [(lost, "desk:1")]
