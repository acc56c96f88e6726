"""A plain refund leaves a short history: a budget, so that nobody adds steps without noticing."""

import pytest

from domain.refunds import RefundStatus
from tests.workflows.house import House

EVENTS_MAX = 70
BYTES_MAX = 20_000


@pytest.mark.parametrize("rail", ["card", "crypto"])
async def test_a_plain_refund_takes_few_events_and_few_bytes(house: House, rail: str) -> None:
    house.deposit(rail=rail)
    refund = await house.request(rail=rail)
    await house.until(refund, RefundStatus.AWAITING_APPROVAL)

    house.approve(refund)
    await house.bring(refund, RefundStatus.REFUNDED)
    await house.settle()

    events = await house.history(refund)
    size = sum(event.ByteSize() for event in events)
    print(f"{rail}: {len(events)} events, {size} bytes")  # noqa: T201 - the figures are what this test is read for
    assert len(events) <= EVENTS_MAX
    assert size <= BYTES_MAX
