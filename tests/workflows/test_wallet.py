"""Many refunds on one wallet: one line of nonces, nobody waits for a stuck neighbour, nothing is forgotten."""

import asyncio

from domain.refunds import RefundStatus, StatusReason, wallet_workflow_id
from ledger.tables import RailStop
from tests.fakes import CHAIN_ID, SENDER, WALLET
from tests.workflows.house import COIN, House, chain_hash

AWAITING_APPROVAL, PAYING = RefundStatus.AWAITING_APPROVAL, RefundStatus.PAYING
OTHER_SENDER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
REFUNDED, NEEDS_ATTENTION = RefundStatus.REFUNDED, RefundStatus.NEEDS_ATTENTION


async def approved(house: House, name: str, *, sender: str = SENDER) -> str:
    """Bring a crypto refund of its own deposit to where only the wallet is needed."""
    house.deposit(name, rail="crypto")
    house.chain.add_deposit(chain_hash(name), COIN, sender=sender)
    refund = await house.request(name, rail="crypto", deposit_id=name)
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    return refund


async def test_two_refunds_at_once_on_one_wallet_get_consecutive_nonces(house: House) -> None:
    refunds = [await approved(house, name) for name in ("dep_1", "dep_2")]

    await asyncio.gather(*(house.wake(refund) for refund in refunds))
    for refund in refunds:
        await house.until(refund, REFUNDED)

    assert sorted(house.see(refund)["payouts"][0]["nonce"] for refund in refunds) == [0, 1]
    assert house.chain.nonces() == [0, 1]
    assert house.chain.moved() == [(SENDER, COIN)] * 2
    assert house.books() == {"refunded": 4000}


async def test_a_wallet_without_work_ends_and_the_next_payout_starts_it_again(house: House) -> None:
    first = await approved(house, "dep_1")
    await house.bring(first, REFUNDED)
    wallet = house.temporal.client.get_workflow_handle(wallet_workflow_id(CHAIN_ID, WALLET))
    await house.settle()
    events = [event async for event in wallet.fetch_history_events()]
    assert events[-1].HasField("workflow_execution_completed_event_attributes")

    second = await approved(house, "dep_2")
    await house.bring(second, REFUNDED)

    assert house.chain.nonces() == [0, 1]


async def test_a_wallet_starts_anew_before_its_history_grows_long_and_forgets_nothing(house: House) -> None:
    house.chain.mines_at_once = False
    refund = await approved(house, "dep_1")
    await house.wake(refund)
    await house.until(refund, PAYING)

    await house.temporal.sleep(450)
    (tx_hash,) = house.chain.sent
    house.chain.mine(tx_hash)
    await house.until(refund, REFUNDED)

    assert house.chain.nonces() == [0]
    assert house.books() == {"refunded": 2000}


async def test_a_payout_that_cannot_be_signed_does_not_keep_its_neighbour_waiting(house: House) -> None:
    stuck, fine = await approved(house, "dep_1"), await approved(house, "dep_2", sender=OTHER_SENDER)
    house.chain.refuses.add(SENDER)

    await asyncio.gather(house.wake(stuck), house.wake(fine))
    await house.until(stuck, NEEDS_ATTENTION, reason=StatusReason.ROUTE_UNKNOWN)
    await house.until(fine, REFUNDED)

    assert house.chain.moved() == [(OTHER_SENDER, COIN)]
    assert house.books() == {"held": 2000, "refunded": 2000}


async def test_a_wallet_that_is_too_low_says_so_once_and_pays_when_it_is_filled(house: House) -> None:
    house.chain.balance = COIN
    refund = await approved(house, "dep_1")
    await house.wake(refund)
    await house.until(refund, PAYING)
    await house.temporal.sleep(20)
    assert house.findings() == ["wallet_low"]
    assert house.chain.sent == {}

    house.chain.balance = 2 * COIN
    await house.until(refund, REFUNDED)

    assert house.chain.moved() == [(SENDER, COIN)]


async def test_an_endpoint_that_goes_away_costs_time_and_never_a_second_nonce(house: House) -> None:
    house.chain.mines_at_once = False
    refund = await approved(house, "dep_1")
    await house.wake(refund)
    await house.until(refund, PAYING)
    await house.temporal.sleep(60)
    (tx_hash,) = house.chain.sent
    house.chain.is_away = True
    await house.temporal.sleep(300)

    house.chain.is_away = False
    house.chain.mine(tx_hash)
    await house.until(refund, REFUNDED)

    assert house.chain.nonces() == [0]
    assert house.chain.moved() == [(SENDER, COIN)]


async def test_a_rail_that_is_stopped_after_the_payout_was_queued_signs_nothing(house: House) -> None:
    house.chain.balance = 0
    refund = await approved(house, "dep_1")
    await house.wake(refund)
    await house.until(refund, PAYING)
    with house.database.write() as session:
        session.add(RailStop(rail="crypto", operator="ann", reason="strange", stopped_at=house.now))
    house.chain.balance = 10 * COIN

    await house.skip(hours=2)

    assert house.chain.sent == {}
    assert house.see(refund)["payouts"][0]["status"] == "queued"
