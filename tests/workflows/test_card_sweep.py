"""The daily sweep of the card rail: what no webhook told comes out all the same."""

from typing import Any

from domain.card_events import CardEvent, EventSubject
from domain.card_sweeps import WORKFLOW_TYPE, SweepOutcome, SweepRequest
from domain.refunds import TASK_QUEUE, RefundStatus, workflow_id
from ledger.news import News
from tests.fakes import FAILED, PENDING, SUCCEEDED
from tests.workflows.house import House
from tests.workflows.replay import recorded, replay

AWAITING_APPROVAL, CONFIRMING = RefundStatus.AWAITING_APPROVAL, RefundStatus.CONFIRMING
NEEDS_ATTENTION, REFUNDED = RefundStatus.NEEDS_ATTENTION, RefundStatus.REFUNDED


async def sweep(house: House) -> SweepOutcome:
    outcome: SweepOutcome = await house.temporal.client.execute_workflow(
        WORKFLOW_TYPE, SweepRequest(), id="card-sweep/test", task_queue=TASK_QUEUE, result_type=SweepOutcome
    )
    return outcome


async def tell(house: House) -> list[str]:
    """Do as the API's sweep does, and say whose run was told."""
    news = News(house.database)
    untold = news.untold(0)
    for it in untold:
        await house.wake(it.refund_id)
    news.told(untold)
    return [it.refund_id for it in untold]


async def approved(house: House, ticket: str, deposit: str, end: RefundStatus) -> str:
    house.deposit(deposit)
    refund = await house.request(ticket, deposit_id=deposit)
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, end)
    News(house.database).told(News(house.database).untold(0))
    return refund


def failed(refund: str, event_id: str, deposit: str = "dep_1", **changes: Any) -> CardEvent:
    fields: dict[str, Any] = {
        "event_id": event_id,
        "type": "refund.failed",
        "is_live": False,
        "subject": EventSubject.REFUND,
        "subject_id": "re_unknown",
        "payment_intent": f"pi_{deposit}",
        "refund_id": refund,
        "attempt": 1,
        "workflow_id": workflow_id(refund),
    }
    return CardEvent(**(fields | changes))


async def test_events_of_all_pages_that_no_webhook_brought_wake_their_runs_once(house: House) -> None:
    first, second = [await approved(house, it, f"dep_{it}", REFUNDED) for it in ("1", "2")]
    for refund, number in ((first, 1), (second, 2)):
        ref = house.see(refund)["payouts"][0]["provider_ref"]
        house.card.missed.append(failed(refund, f"evt_{number}", f"dep_{number}", subject_id=ref))
    house.card.missed.append(failed("rf_none", "evt_3", "shop"))
    house.card.change(f"refund/{first}/1", FAILED)

    outcome = await sweep(house)
    told = await tell(house)
    again = await sweep(house)

    assert outcome == SweepOutcome(is_read=True, seen=3, missed=3, woken=0)
    assert sorted(told) == sorted([first, second])
    await house.until(first, NEEDS_ATTENTION, reason="payout_failed")
    await house.settle()
    assert house.see(second)["status"] == REFUNDED, "what the event said is not applied"
    assert again == SweepOutcome(is_read=True, seen=3, missed=0, woken=0)
    assert await tell(house) == []


async def test_a_sweep_that_is_replayed_takes_the_same_steps(house: House) -> None:
    house.card.missed += [failed("rf_none", "evt_1", "shop"), failed("rf_none", "evt_2", "shop")]
    await sweep(house)
    history = await house.temporal.client.get_workflow_handle("card-sweep/test").fetch_history()

    given = await replay(history)

    assert [name for name, _ in given] == ["take_missed_events", "take_missed_events", "wake_open_payouts"]
    assert given == recorded(history)


async def test_an_open_payout_is_looked_at_although_no_event_was_ever_made(house: House) -> None:
    house.card.status_of_new = PENDING
    refund = await approved(house, "1", "dep_1", CONFIRMING)
    house.card.change(f"refund/{refund}/1", SUCCEEDED)

    outcome = await sweep(house)
    told = await tell(house)

    assert (outcome.seen, outcome.woken, told) == (0, 1, [refund])
    await house.until(refund, REFUNDED)


async def test_without_webhooks_and_without_a_sweep_a_late_failure_is_still_found(house: House) -> None:
    refund = await approved(house, "1", "dep_1", REFUNDED)
    house.card.change(f"refund/{refund}/1", FAILED)

    await house.skip(hours=1, minutes=1)

    await house.until(refund, NEEDS_ATTENTION, reason="payout_failed")
    assert house.books() == {"held": 2000}
    assert len(house.card.requests) == 1, "nothing was sent twice"


async def test_while_the_processor_is_away_open_payouts_are_still_looked_at(house: House) -> None:
    house.card.status_of_new = PENDING
    refund = await approved(house, "1", "dep_1", CONFIRMING)
    house.card.missed.append(failed(refund, "evt_1"))
    house.card.is_away = True

    outcome = await sweep(house)

    assert outcome == SweepOutcome(is_read=False, seen=0, missed=0, woken=1)
    assert await tell(house) == [refund]
