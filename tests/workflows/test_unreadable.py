"""Payloads that no one can read: a start ends with a result, news change nothing and keep nobody waiting."""

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from domain.refunds import RefundStatus
from tests.workflows.house import House
from tests.workflows.test_starts import start

UNREADABLE = {
    "half an object": Payload(metadata={"encoding": b"json/plain"}, data=b'{"ticket": '),
    "not UTF-8": Payload(metadata={"encoding": b"json/plain"}, data=b'{"ticket": "\xff"}'),
    "nested deeply": Payload(metadata={"encoding": b"json/plain"}, data=b"[" * 100_000),
    "an unknown encoding": Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x00\x01"),
    "no encoding": Payload(data=b"{}"),
}
each = pytest.mark.parametrize("payload", UNREADABLE.values(), ids=UNREADABLE.keys())


@each
async def test_a_start_that_nobody_can_read_ends_as_rejected(house: House, payload: Payload) -> None:
    outcome = await (await start(house, RawValue(payload))).result()

    assert (outcome["status"], outcome["reason"], outcome["field"]) == ("rejected", "invalid_request", "body")
    assert house.views.refunds() == []


@each
async def test_news_that_nobody_can_read_change_nothing_and_the_run_goes_on(house: House, payload: Payload) -> None:
    house.deposit()
    refund = await house.request()
    await house.until(refund, RefundStatus.AWAITING_APPROVAL)

    for name in ("approve", "reject", "wake"):
        await house.handle(refund).signal(name, RawValue(payload))
    house.approve(refund)
    await house.bring(refund, RefundStatus.REFUNDED)

    assert house.card.moved() == [("pi_dep_1", 2000)]
