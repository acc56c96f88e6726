"""Rows of the card matrix in which time passes: whole runs in skipped time, against the real Stripe simulator."""

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.money import Money
from domain.payments import CardPaymentRef
from domain.policy import Policy
from domain.refunds import RefundStatus
from ledger.billing import DepositRecord
from ledger.database import Database
from tests.fakes import FakeCardProcessor
from tests.gateways.stripe_cases import gateway_at
from tests.gateways.stripe_endpoints import Json, Simulator
from tests.workflows.house import Clock, House

PATIENCE_SECONDS = 20.0  # a loaded machine is no fault of the row


@pytest.fixture(scope="module")
def stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("stripe") / "simulator.sqlite")
    try:
        simulator.wait_until_ready()
        yield simulator
    finally:
        simulator.stop()


class Shop:
    """A house whose card processor is the simulator: its clock moves with the run's."""

    def __init__(self, house: House, stripe: Simulator) -> None:
        self.house, self.stripe = house, stripe
        self.payment = stripe.pay()
        record = DepositRecord(
            id="dep_1",
            account_id="acct_1",
            credited=Money(amount_minor=2000, currency="USD"),
            paid_at=house.now - timedelta(days=2),
            payment=CardPaymentRef(payment_intent=self.payment.intent, amount_minor=2000, currency="USD"),
        )
        house.feed.put_deposit(record, actor="billing")

    async def approved(self) -> str:
        refund = await self.house.request()
        await self.house.until(refund, RefundStatus.AWAITING_APPROVAL)
        self.house.approve(refund)
        return refund

    async def skip(self, hours: float) -> None:
        self.stripe.control("clock", advance_seconds=int(hours * 3600))
        await self.house.skip(hours=hours)

    def made(self) -> Json:
        (made,) = [it for it in self.stripe.state()["refunds"] if it["payment_intent"] == self.payment.intent]
        return made

    def posts(self) -> list[Json]:
        return self.stripe.requests_to_refund()


@pytest.fixture
def shop(env: WorkflowEnvironment, database: Database, clock: Clock, policy: Policy, stripe: Simulator) -> Shop:
    stripe.control("reset")
    # The house knows a fake by its class; what runs here asks it for nothing that the real gateway lacks.
    card = cast(FakeCardProcessor, gateway_at(stripe.url, read_seconds_max=PATIENCE_SECONDS))
    return Shop(House(database, clock, policy, env, card=card), stripe)


async def test_failure_after_a_month_is_found_by_the_watch_alone(shop: Shop) -> None:
    async with shop.house.worker():
        refund = await shop.approved()
        await shop.house.bring(refund, RefundStatus.REFUNDED)
        await shop.skip(700)
        shop.stripe.control(f"refunds/{shop.made()['id']}/fail", failure_reason="lost_or_stolen_card")

        await shop.skip(120)

        seen = await shop.house.until(refund, RefundStatus.NEEDS_ATTENTION, reason="payout_failed")
    assert seen["payouts"][-1]["detail"] == "lost_or_stolen_card"
    assert shop.house.books() == {"held": 2000}
    assert "payout_failed" in shop.house.findings()
    assert len(shop.posts()) == 1


async def test_failure_that_the_key_remembers_is_waited_out_while_people_hear_of_it(shop: Shop) -> None:
    shop.stripe.fault("500_before")
    async with shop.house.worker():
        refund = await shop.approved()
        await shop.house.bring(refund, RefundStatus.PAYING)
        for _ in range(8):
            await shop.skip(1)
        assert shop.house.see(refund)["status"] == RefundStatus.PAYING
        assert shop.house.findings() != []
        assert shop.stripe.state()["refunds"] == []

        for _ in range(20):
            await shop.skip(1)

        await shop.house.until(refund, RefundStatus.REFUNDED)
    assert shop.made()["status"] == "succeeded"
    assert len({it["idempotency_key"] for it in shop.posts()}) == 1
    assert shop.house.books() == {"refunded": 2000}
