"""Limits on what leaves a wallet: over one of them a refund waits before people, and goes on by itself."""

from datetime import timedelta

import pytest

from domain.limits import AssetLimits, Cap, Limits
from domain.money import NATIVE
from domain.outbox import QueuedPayout
from domain.refunds import RefundStatus, StatusReason, WaitingFor
from tests.ledger.scene import CHAIN_ID, COIN, PAID_CHAIN, TERMS, WALLET, Scene, wallet_view

AMOUNT = 25 * COIN


def limit(scene: Scene, **fields: int) -> None:
    scene.limit(Limits(assets={(CHAIN_ID, NATIVE): AssetLimits(**fields)}))


def pay(scene: Scene, number: int = 1, account: str = "acct") -> str:
    """Bring one crypto refund to its queued payout."""
    scene.account(account)
    deposit = scene.deposit(f"dep_{number}", rail="crypto", account_id=account)
    return scene.paying(str(number), PAID_CHAIN, rail="crypto", deposit_id=deposit, account={"id": account})


def pump(scene: Scene, **view: int) -> list[str]:
    """Do what the pump does with a queue: hold back what is over a limit, sign the rest; return what was signed."""
    signed = []
    for queued in scene.outbox.queued(CHAIN_ID, WALLET):
        if queued.is_over_limit:
            scene.outbox.hold_back(queued)
        elif sign_one(scene, queued, **view):
            signed.append(queued.refund_id)
    for sent in scene.outbox.sent(CHAIN_ID, WALLET):
        mark_mined(scene, sent.refund_id)
    return signed


def sign_one(scene: Scene, queued: QueuedPayout, **view: int) -> bool:
    return scene.sign_one(queued, wallet_view(balance=10**6 * COIN, **view)) is not None


def mark_mined(scene: Scene, refund: str) -> None:
    with scene.database.write() as session:
        payout = scene.payout(refund)
        payout.block_number = 9
        session.merge(payout)


def standing(scene: Scene, refund: str) -> tuple[str, str | None, str | None]:
    row = scene.row(refund)
    return row.status, row.status_reason, row.waiting_for


HELD_BACK = (RefundStatus.PAYING, StatusReason.LIMIT_REACHED, WaitingFor.OPERATOR)


def test_what_is_over_the_day_s_limit_waits_until_the_next_day_and_goes_on_without_a_click(scene: Scene) -> None:
    limit(scene, asset_day_max=5 * AMOUNT)
    refunds = []
    for number in range(10):
        refunds.append(pay(scene, number))
        scene.clock.advance(timedelta(seconds=1))

    first = [refund for _ in range(2) for refund in pump(scene)]
    assert first == refunds[:5]
    assert {standing(scene, it) for it in refunds[5:]} == {HELD_BACK}
    (finding,) = scene.views.open_findings()
    assert (finding["kind"], finding["evidence"]["cap"]) == ("limit_reached", Cap.ASSET_DAY)
    assert finding["evidence"]["free_at"] == "2026-11-21T00:00:00+00:00"

    scene.clock.advance(timedelta(hours=12))
    second = [refund for _ in range(2) for refund in pump(scene)]

    assert second == refunds[5:]
    assert scene.views.open_findings() == []
    assert standing(scene, refunds[9]) == (RefundStatus.PAYING, StatusReason.PAYOUT_SENDING, WaitingFor.CHAIN)
    assert scene.audit_break() is None


@pytest.mark.parametrize(
    ("refund_max", "is_paid"), [(AMOUNT, True), (AMOUNT - 1, False)], ids=["exactly", "one over"]
)
def test_one_refund_moves_no_more_than_its_limit(scene: Scene, refund_max: int, is_paid: bool) -> None:
    limit(scene, refund_max=refund_max)
    refund = pay(scene)

    assert (pump(scene) == [refund]) == is_paid

    assert (standing(scene, refund) == HELD_BACK) == (not is_paid)


def test_a_limit_that_was_raised_lets_the_refund_go_on(scene: Scene) -> None:
    limit(scene, refund_max=1)
    refund = pay(scene)
    pump(scene)
    assert scene.findings() == ["limit_reached"]

    limit(scene)

    assert pump(scene) == [refund]
    assert scene.views.open_findings() == []


def test_one_account_s_limit_holds_back_no_other_account(scene: Scene) -> None:
    limit(scene, account_day_max=AMOUNT)
    mine, mine_too, theirs = pay(scene, 1), pay(scene, 2), pay(scene, 3, "other")

    signed = pump(scene) + pump(scene)

    assert len(signed) == 2
    assert theirs in signed
    assert [standing(scene, it) == HELD_BACK for it in (mine, mine_too)].count(True) == 1


def test_what_is_held_back_does_not_block_what_is_behind_it(scene: Scene) -> None:
    limit(scene, account_day_max=AMOUNT)
    for number in range(20):
        pay(scene, number)
    theirs = pay(scene, 99, "other")

    assert theirs in pump(scene)


def test_two_workers_at_the_border_of_a_limit_pay_one(scene: Scene) -> None:
    pay(scene, 1), pay(scene, 2)
    limit(scene, asset_day_max=AMOUNT)
    both = scene.outbox.queued(CHAIN_ID, WALLET)
    assert [it.is_over_limit for it in both] == [False, False]

    assert sorted(sign_one(scene, it) for it in both) == [False, True]


def test_the_floor_stays_in_the_wallet(scene: Scene) -> None:
    limit(scene, balance_floor=COIN)
    refund = pay(scene)
    needed = AMOUNT + TERMS.fee_wei_max + COIN

    assert scene.sign(refund, wallet_view(balance=needed - 1)) is None
    assert scene.findings() == ["wallet_low"]
    assert scene.sign(refund, wallet_view(balance=needed)) is not None


def test_what_is_in_flight_is_not_spent_twice(scene: Scene) -> None:
    first, second = pay(scene, 1), pay(scene, 2)
    cost = AMOUNT + TERMS.fee_wei_max
    scene.sign(first, wallet_view(balance=2 * cost - 1))

    assert scene.sign(second, wallet_view(balance=2 * cost - 1)) is None
    assert scene.sign(second, wallet_view(balance=cost, nonce_latest=1, nonce=1)) is not None
