"""Rows whose run must still be told: no lost signal loses a refund."""

from datetime import timedelta

from domain.refunds import TicketRef
from ledger.news import Untold
from tests.ledger.scene import Scene


def test_a_new_refund_is_news_until_its_run_was_told(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()
    news = Untold(refund, TicketRef(system="desk", id="1"), scene.clock())
    assert scene.news.untold(0) == [news]

    scene.news.told([news])

    assert scene.news.untold(0) == []


def test_what_people_record_is_news(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.news.told(scene.news.untold(0))

    scene.decide(refund)

    assert [it[0] for it in scene.news.untold(0)] == [refund]


def test_telling_of_the_old_leaves_the_new_untold(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    told = scene.news.untold(0)
    scene.clock.advance(timedelta(microseconds=1))
    scene.decide(refund)

    scene.news.told(told)

    assert [it[0] for it in scene.news.untold(0)] == [refund]


def test_news_that_were_told_are_told_although_their_run_has_moved_on(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()
    told = scene.news.untold(0)
    scene.check(refund)

    scene.news.told(told)

    assert scene.news.untold(0) == []


def test_news_without_a_line_in_the_timeline_stay_untold_when_older_ones_were_told(scene: Scene) -> None:
    scene.funded()
    scene.order("o", 50, "pending")
    refund = scene.request()
    scene.check(refund)
    told = scene.news.untold(0)
    scene.clock.advance(timedelta(microseconds=1))
    scene.order("o", 50, "cancelled")

    scene.news.told(told)

    assert [it.refund_id for it in scene.news.untold(0)] == [refund]


def test_young_news_are_left_to_whoever_made_them(scene: Scene) -> None:
    scene.funded()
    scene.request("1")
    scene.clock.advance(timedelta(seconds=10))
    scene.request("2")

    assert len(scene.news.untold(0)) == 2
    assert [it[1].id for it in scene.news.untold(10)] == ["1"]
    assert scene.news.untold(11) == []


def test_an_order_that_changes_wakes_the_refund_that_waits_for_it(scene: Scene) -> None:
    scene.funded()
    scene.order("o", 50, "pending")
    refund = scene.request()
    scene.check(refund)
    scene.news.told(scene.news.untold(0))

    scene.order("o", 50, "cancelled")

    assert [it[0] for it in scene.news.untold(0)] == [refund]
