"""The life of a refund, arrow by arrow."""

from domain.refunds import RefundStatus
from tests.workflows.house import House


async def test_an_approved_card_refund_is_paid_once_and_booked(house: House) -> None:
    house.deposit()
    refund = await house.request()
    await house.until(refund, RefundStatus.AWAITING_APPROVAL)

    house.approve(refund)
    await house.wake(refund)
    seen = await house.until(refund, RefundStatus.REFUNDED)

    assert house.card.posts == 1
    assert house.books()["refunded_minor"] == 2000
    assert house.books()["held_minor"] == 0
    assert seen["payouts"][0]["status"] == "succeeded"
