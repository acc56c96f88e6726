"""The main paths of a refund and of a wallet, each played to its end or to where it waits: one recording each."""

from collections.abc import Awaitable, Callable

from domain.book_runs import ReconcileRequest, reconcile_workflow_id
from domain.decisions import ResolutionAction
from domain.disputes import DisputeStage, FraudWarning
from domain.refunds import TASK_QUEUE, RefundStatus, TicketRef, refund_id, wallet_workflow_id, workflow_id
from tests.fakes import CHAIN_ID, FAILED, WALLET, contested
from tests.workflows.house import House
from tests.workflows.lives import go_on_to_the_money, stand_in

Play = Callable[[House], Awaitable[str]]
"""Plays one path; returns the id of the workflow whose history is kept."""

AWAITING_APPROVAL, REFUNDED = RefundStatus.AWAITING_APPROVAL, RefundStatus.REFUNDED


def _waiting(status: RefundStatus, rail: str) -> Play:
    """Play until the refund stands in `status` and waits for somebody."""

    async def play(house: House) -> str:
        return workflow_id(await stand_in(house, status, rail))

    return play


def _paid_from(status: RefundStatus, rail: str) -> Play:
    """Play through `status` to the money, and on until nobody watches it any more."""

    async def play(house: House) -> str:
        refund = await stand_in(house, status, rail)
        await go_on_to_the_money(house, refund)
        for tx_hash in house.chain.sent:
            house.chain.mine(tx_hash)  # buried: what is only final is watched on and on
        await house.result(refund)
        return workflow_id(refund)

    return play


async def _ineligible(house: House) -> str:
    house.deposit()
    house.order("ord_1", "charged")
    return await _ended(house, await house.request())


async def _rejected(house: House) -> str:
    refund = await stand_in(house, AWAITING_APPROVAL, "card")
    decision = house.reject(refund)
    await house.handle(refund).signal("reject", {"decision_id": decision})
    return await _ended(house, refund)


async def _withdrawn(house: House) -> str:
    refund = await stand_in(house, AWAITING_APPROVAL, "card")
    house.withdraw(refund)
    await house.handle(refund).execute_update("withdraw", {})
    return await _ended(house, refund)


async def _expired(house: House) -> str:
    refund = await stand_in(house, RefundStatus.AWAITING_ORDERS, "card")
    await house.skip(days=15)
    return await _ended(house, refund)


async def _duplicate(house: House) -> str:
    await stand_in(house, AWAITING_APPROVAL, "card")
    return await _ended(house, await house.request("2", deposit_id="dep_1"))


async def _given_up(house: House) -> str:
    refund = await stand_in(house, RefundStatus.NEEDS_ATTENTION, "card")
    house.resolve(refund, ResolutionAction.GIVE_UP)
    await house.wake(refund)
    return await _ended(house, refund)


async def _overdue(house: House) -> str:
    refund = await stand_in(house, AWAITING_APPROVAL, "card")
    await house.skip(days=4)
    return workflow_id(refund)


async def _decided_by_update(house: House) -> str:
    refund = await stand_in(house, AWAITING_APPROVAL, "card")
    decision = house.approve(refund)
    await house.handle(refund).execute_update("decide", {"decision_id": decision}, id=decision)
    await house.until(refund, REFUNDED)
    return workflow_id(refund)


async def _failed_later(house: House) -> str:
    refund = await stand_in(house, REFUNDED, "card")
    house.card.change(f"refund/{refund}/1", FAILED)
    await house.skip(hours=1.1)
    return workflow_id(refund)


async def _disputed_later(house: House) -> str:
    refund = await stand_in(house, REFUNDED, "card")
    house.card.change(f"refund/{refund}/1", contested(DisputeStage.INQUIRY))
    await house.bring(refund, RefundStatus.NEEDS_ATTENTION)
    house.card.change(f"refund/{refund}/1", contested(DisputeStage.LOST))
    await house.bring(refund, RefundStatus.NEEDS_ATTENTION, reason="dispute_lost")
    house.resolve(refund, ResolutionAction.ACCEPT_LOSS)
    await house.bring(refund, REFUNDED)
    return await _ended(house, refund)


async def _disputed_and_waits(house: House) -> str:
    refund = await stand_in(house, REFUNDED, "card")
    house.card.change(f"refund/{refund}/1", contested(DisputeStage.CHARGEBACK))
    await house.bring(refund, RefundStatus.NEEDS_ATTENTION)
    await house.skip(days=3)
    return workflow_id(refund)


async def _unpaid_for_long(house: House) -> str:
    refund = await stand_in(house, AWAITING_APPROVAL, "card")
    await house.skip(days=15)
    return workflow_id(refund)


async def _warned(house: House) -> str:
    refund = await stand_in(house, AWAITING_APPROVAL, "card")
    house.card.warnings = (FraudWarning(warning_id="issfr_1", fraud_type="misc", is_actionable=True),)
    await house.wake(refund)
    await house.settle()
    await go_on_to_the_money(house, refund)
    return workflow_id(refund)


async def _left_its_block(house: House) -> str:
    refund = await stand_in(house, REFUNDED, "crypto")
    (tx_hash,) = house.chain.sent
    house.chain.mines_at_once = False
    house.chain.reorg(tx_hash)
    await house.skip(minutes=5)
    return workflow_id(refund)


async def _malformed(house: House) -> str:
    workflow = workflow_id(refund_id(TicketRef(system="zammad", id="1")))
    raw = house.body(channel="phone")
    handle = await house.temporal.client.start_workflow("RefundWorkflow", raw, id=workflow, task_queue="refunds")
    await handle.result()
    return workflow


async def _wallet_at_work(house: House) -> str:
    await stand_in(house, RefundStatus.PAYING, "crypto")
    return wallet_workflow_id(CHAIN_ID, WALLET)


async def _wallet_done(house: House) -> str:
    refund = await stand_in(house, RefundStatus.PAYING, "crypto")
    await go_on_to_the_money(house, refund)
    await house.settle()
    return wallet_workflow_id(CHAIN_ID, WALLET)


async def _reconciled(house: House) -> str:
    refund = await stand_in(house, RefundStatus.PAYING, "crypto")
    await go_on_to_the_money(house, refund)
    workflow = reconcile_workflow_id("recorded")
    handle = await house.temporal.client.start_workflow(
        "ReconcileWorkflow", ReconcileRequest(days=3), id=workflow, task_queue=TASK_QUEUE
    )
    await handle.result()
    return workflow


async def _ended(house: House, refund: str) -> str:
    await house.result(refund)
    return workflow_id(refund)


_BEFORE_PAYING = (
    RefundStatus.CHECKING,
    RefundStatus.AWAITING_OWNERSHIP,
    RefundStatus.AWAITING_ORDERS,
    RefundStatus.AWAITING_APPROVAL,
)
_SINCE_PAYING = (RefundStatus.PAYING, RefundStatus.CONFIRMING, RefundStatus.NEEDS_ATTENTION, RefundStatus.REFUNDED)

PATHS: dict[str, Play] = {
    # Before paying, the rails differ in nothing that a history shows.
    **{f"card-waits-in-{status}": _waiting(status, "card") for status in _BEFORE_PAYING + _SINCE_PAYING},
    **{f"crypto-waits-in-{status}": _waiting(status, "crypto") for status in _SINCE_PAYING},
    **{f"card-paid-through-{status}": _paid_from(status, "card") for status in _BEFORE_PAYING + _SINCE_PAYING},
    **{f"crypto-paid-through-{status}": _paid_from(status, "crypto") for status in _SINCE_PAYING},
    "ended-ineligible": _ineligible,
    "ended-rejected": _rejected,
    "ended-withdrawn": _withdrawn,
    "ended-expired": _expired,
    "ended-duplicate": _duplicate,
    "ended-given-up": _given_up,
    "ended-malformed": _malformed,
    "waits-overdue": _overdue,
    "decided-by-update": _decided_by_update,
    "failed-after-refunded": _failed_later,
    "disputed-after-refunded": _disputed_later,
    "disputed-and-waits": _disputed_and_waits,
    "unpaid-for-long": _unpaid_for_long,
    "warned-before-approval": _warned,
    "left-its-block-after-refunded": _left_its_block,
    "wallet-at-work": _wallet_at_work,
    "wallet-done": _wallet_done,
    "reconciled": _reconciled,
}
