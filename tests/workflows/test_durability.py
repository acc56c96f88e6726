"""Workers die, histories are lost, starts are delivered again: the row goes on, and the money moves once."""

import asyncio

import pytest
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkerConfig

from domain.refunds import RefundStatus, wallet_workflow_id, workflow_id
from tests.fakes import CHAIN_ID, WALLET
from tests.workflows.house import House
from tests.workflows.lives import BEFORE_PAYING, OPEN_STATES, assert_paid_once, go_on_to_the_money, stand_in

PAYING, REFUNDED = RefundStatus.PAYING, RefundStatus.REFUNDED


class KeepsNoRuns(SimplePlugin):
    """Lets a worker replay the whole history with every step.

    It also leaves no task behind for itself when it stops, for which this server would wait ten seconds.
    """

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        config = super().configure_worker(config)
        config["max_cached_workflows"] = 0
        return config


in_every_state_on_both_rails = pytest.mark.parametrize(
    ("status", "rail"),
    # Before paying the rails differ in nothing that a run could lose.
    [(status, "card") for status in OPEN_STATES] + [(status, "crypto") for status in OPEN_STATES[4:]],
)
in_every_state = pytest.mark.parametrize("status", OPEN_STATES, ids=str)
replaying_every_step = pytest.mark.parametrize("plugins", [[KeepsNoRuns("keeps_no_runs")]], ids=["replaying"])
on_both_rails = pytest.mark.parametrize("rail", ["card", "crypto"])


async def forget(house: House, workflow: str) -> None:
    """Lose a run with all it knew."""
    await house.temporal.client.get_workflow_handle(workflow).terminate("lost by the test")


@in_every_state_on_both_rails
@replaying_every_step
async def test_a_worker_that_dies_is_replaced_by_one_that_goes_on(
    stage: House, status: RefundStatus, rail: str
) -> None:
    async with stage.worker():
        refund = await stand_in(stage, status, rail)

    async with stage.worker():
        await stage.settle()
        before = stage.see(refund)["status"]
        await go_on_to_the_money(stage, refund)
        await stage.settle()

    assert before == status
    assert_paid_once(stage, rail)


@in_every_state_on_both_rails
async def test_a_run_that_was_lost_is_started_again_and_goes_on_from_the_row(
    house: House, status: RefundStatus, rail: str
) -> None:
    refund = await stand_in(house, status, rail)

    await forget(house, workflow_id(refund))
    await house.wake(refund)
    await house.settle()
    after = house.see(refund)["status"]
    await go_on_to_the_money(house, refund)
    await house.settle()

    assert after == status
    assert_paid_once(house, rail)


@in_every_state
async def test_what_was_recorded_while_no_run_existed_is_read_by_the_next_one(
    house: House, status: RefundStatus
) -> None:
    refund = await stand_in(house, status, "card")
    await forget(house, workflow_id(refund))

    if status in BEFORE_PAYING:
        house.withdraw(refund)
    await go_on_to_the_money_or_end(house, refund, status)

    if status in BEFORE_PAYING:
        assert house.see(refund)["status"] == "withdrawn"
        assert house.card.posts == 0
    else:
        assert_paid_once(house, "card")


async def go_on_to_the_money_or_end(house: House, refund: str, status: RefundStatus) -> None:
    if status in BEFORE_PAYING:
        house.card.is_away = False
        await house.bring(refund, RefundStatus.WITHDRAWN)
    else:
        await go_on_to_the_money(house, refund)


@on_both_rails
async def test_a_start_delivered_ten_times_at_once_and_in_every_state_is_one_refund(house: House, rail: str) -> None:
    house.deposit(rail=rail)
    refund = house.accept(rail=rail)

    await asyncio.gather(*(house.request(rail=rail) for _ in range(10)))
    await house.until(refund, RefundStatus.AWAITING_APPROVAL)
    await asyncio.gather(*(house.request(rail=rail) for _ in range(10)))
    house.approve(refund)
    await asyncio.gather(*(house.request(rail=rail) for _ in range(10)))
    await house.until(refund, REFUNDED)
    await asyncio.gather(*(house.request(rail=rail) for _ in range(10)))
    await house.settle()

    assert len(house.views.refunds()) == 1
    assert house.events(refund).count("hold.placed") == 1
    assert_paid_once(house, rail)


async def test_a_wallet_that_was_lost_is_started_again_by_the_refund_that_waits(house: House) -> None:
    refund = await stand_in(house, PAYING, "crypto")
    await forget(house, wallet_workflow_id(CHAIN_ID, WALLET))

    (tx_hash,) = house.chain.sent
    house.chain.mine(tx_hash)
    await house.until(refund, REFUNDED)

    assert_paid_once(house, "crypto")


async def test_a_wallet_and_a_refund_that_were_both_lost_lose_only_time(house: House) -> None:
    refund = await stand_in(house, PAYING, "crypto")
    await forget(house, wallet_workflow_id(CHAIN_ID, WALLET))
    await forget(house, workflow_id(refund))

    await go_on_to_the_money(house, refund)
    await house.settle()

    assert_paid_once(house, "crypto")


async def test_a_wallet_is_not_stopped_by_news_for_a_refund_whose_run_is_lost(house: House) -> None:
    refund = await stand_in(house, PAYING, "crypto")
    await forget(house, workflow_id(refund))

    (tx_hash,) = house.chain.sent
    house.chain.mine(tx_hash)
    await house.settle()

    assert_paid_once(house, "crypto")
    await house.wake(refund)
    assert (await house.result(refund))["status"] == "refunded"


async def test_a_history_that_grows_long_is_left_behind_for_a_new_run_that_goes_on(house: House) -> None:
    refund = await stand_in(house, RefundStatus.AWAITING_APPROVAL, "card")

    for number in range(60):
        await house.handle(refund).signal("approve", {"decision_id": f"{number}", "noise": "x" * 100_000})
        if number % 10 == 9:
            await house.settle()
    signals = [
        it for it in await house.history(refund) if it.HasField("workflow_execution_signaled_event_attributes")
    ]
    await go_on_to_the_money(house, refund)

    assert len(signals) < 60
    assert_paid_once(house, "card")
