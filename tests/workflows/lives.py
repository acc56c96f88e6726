"""Brings a refund to any state it can stand in, on either rail, and from wherever it stands to its money."""

from domain.decisions import ResolutionAction
from domain.refunds import RefundStatus
from tests.fakes import FAILED, PENDING, SENDER, SUCCEEDED
from tests.workflows.house import COIN, House, chain_hash

OPEN_STATES = (
    RefundStatus.CHECKING,
    RefundStatus.AWAITING_OWNERSHIP,
    RefundStatus.AWAITING_ORDERS,
    RefundStatus.AWAITING_APPROVAL,
    RefundStatus.PAYING,
    RefundStatus.CONFIRMING,
    RefundStatus.NEEDS_ATTENTION,
    RefundStatus.REFUNDED,  # paid, and still watched
)
BEFORE_PAYING = OPEN_STATES[:4]
STEPS_MAX = 10  # a refund needs fewer acts than this from any state to its end


async def stand_in(house: House, status: RefundStatus, rail: str) -> str:
    """Return a refund that stands in `status` and has nothing to do until somebody acts."""
    house.deposit(rail=rail)
    if status == RefundStatus.AWAITING_ORDERS:
        house.order("ord_1", "pending")
    house.card.is_away = house.chain.is_away = status == RefundStatus.CHECKING
    proof = "pi_dep_1" if rail == "card" else chain_hash("dep_1")
    by_mail = {"channel": "email", "payment_proof": proof} if status == RefundStatus.AWAITING_OWNERSHIP else {}
    refund = await house.request(rail=rail, **by_mail)
    if status in BEFORE_PAYING:
        await house.until(refund, status)
        await house.settle()
        return refund
    await house.until(refund, RefundStatus.AWAITING_APPROVAL)
    if rail == "card":
        house.card.takes_no_requests = status == RefundStatus.PAYING
        outcomes = {RefundStatus.CONFIRMING: PENDING, RefundStatus.NEEDS_ATTENTION: FAILED}
        house.card.status_of_new = outcomes.get(status, SUCCEEDED)
    else:
        house.chain.mines_at_once = False
        house.chain.mines_without_moving = status == RefundStatus.NEEDS_ATTENTION
    house.approve(refund)
    await house.bring(refund, RefundStatus.PAYING, status)
    await house.settle()
    if rail == "crypto" and status != RefundStatus.PAYING:
        (tx_hash,) = house.chain.sent
        house.chain.mine(tx_hash, is_final=status != RefundStatus.CONFIRMING, is_buried=False)
        await house.until(refund, status)
    return refund


async def go_on_to_the_money(house: House, refund: str) -> None:
    """Let every person and every machine do their part until the refund is paid."""
    house.card.is_away = house.card.takes_no_requests = house.chain.is_away = False
    house.card.status_of_new = SUCCEEDED
    house.chain.mines_at_once, house.chain.mines_without_moving = True, False
    for key, outcome in house.card.refunds.items():
        if outcome.status == PENDING.status:
            house.card.change(key, SUCCEEDED)
    for _ in range(STEPS_MAX):
        seen = house.see(refund)
        here = RefundStatus(seen["status"])
        if here == RefundStatus.REFUNDED:
            return
        match here:
            case RefundStatus.AWAITING_OWNERSHIP:
                house.confirm(refund, "bob")
            case RefundStatus.AWAITING_ORDERS:
                house.order("ord_1", "cancelled")
            case RefundStatus.AWAITING_APPROVAL if not seen["decisions"] or seen["attempt"] > 1:
                house.approve(refund)
            case RefundStatus.NEEDS_ATTENTION:
                house.resolve(refund, ResolutionAction.RETRY)
            case RefundStatus.PAYING | RefundStatus.CONFIRMING:
                for tx_hash in house.chain.sent:
                    if tx_hash not in house.chain.mined or not house.chain.mined[tx_hash].is_final:
                        house.chain.mine(tx_hash)
        others = [status for status in OPEN_STATES if status != here]
        await house.bring(refund, *others)
    raise AssertionError(f"{refund} does not get beyond {house.see(refund)['status']}")


def assert_paid_once(house: House, rail: str) -> None:
    """Look from outside: the money left once, the books say so, and the trail is whole."""
    assert house.card.moved() == ([("pi_dep_1", 2000)] if rail == "card" else [])
    assert house.chain.moved() == ([(SENDER, COIN)] if rail == "crypto" else [])
    assert house.books() == {"refunded": 2000}
    assert house.trail_is_whole()
