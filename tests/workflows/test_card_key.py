"""A card refund whose answer is a stored failure, or whose rail stopped by itself, is paid once in the end."""

from domain.findings import FindingKind
from domain.refunds import Rail, RefundStatus
from ledger.rails import Rails
from tests.workflows.house import House

AWAITING_APPROVAL, PAYING, REFUNDED = RefundStatus.AWAITING_APPROVAL, RefundStatus.PAYING, RefundStatus.REFUNDED


async def test_a_stored_failure_is_looked_at_each_quarter_of_an_hour_and_sent_once_more_after_25_hours(
    house: House,
) -> None:
    house.deposit()
    house.card.stores_failures = True
    refund = await house.request()
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, PAYING)
    await house.skip(minutes=5)
    house.card.stores_failures = False

    await house.skip(hours=24)
    after_a_day = (house.see(refund)["status"], house.card.replays, house.card.posts, house.findings())
    house.card.stored.clear()
    await house.skip(hours=1, minutes=15)

    assert after_a_day == (PAYING, 1, 0, [FindingKind.PAYOUT_UNKNOWN])
    assert (house.see(refund)["status"], house.card.posts) == (REFUNDED, 1)


async def test_refunds_wait_before_a_rail_that_stopped_itself_and_go_on_by_themselves(house: House) -> None:
    house.deposit()
    house.deposit("dep_2")
    first, second = await house.request(deposit_id="dep_1"), await house.request("2", deposit_id="dep_2")
    for refund in (first, second):
        await house.until(refund, AWAITING_APPROVAL)
    house.card.takes_no_requests_of_its_key = True
    for refund in (first, second):
        house.approve(refund)
        await house.wake(refund)
    await house.skip(hours=2)
    stopped = house.findings()

    house.card.takes_no_requests_of_its_key = False
    await house.skip(hours=2)
    posts_while_stopped = house.card.posts
    for person in ("ann", "bob"):
        Rails(house.database).start(Rail.CARD, "mended", operator=person)
    await house.skip(hours=2)

    assert stopped.count(FindingKind.RAIL_STOP) == 1
    assert RefundStatus.NEEDS_ATTENTION not in [house.see(it)["status"] for it in (first, second)]
    assert posts_while_stopped == 0
    assert [house.see(it)["status"] for it in (first, second)] == [REFUNDED, REFUNDED]
    assert house.card.posts == 2
