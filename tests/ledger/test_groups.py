"""Nonces for a group in one transaction: each payout by its own checks, without gaps, and all or nothing."""

from collections.abc import Callable

import pytest

from domain.errors import NeedsOperator
from domain.outbox import IN_FLIGHT_MAX, QuotedPayout
from domain.payouts import PayoutStatus
from domain.refunds import StatusReason
from domain.transfers import SignedTransfer, Transfer
from tests.ledger.scene import CHAIN_ID, COIN, PAID_CHAIN, TERMS, WALLET, Scene, sign, wallet_view
from tests.ledger.test_limits import AMOUNT, limit, pay

COST = AMOUNT + TERMS.fee_wei_max
RICH = wallet_view(balance=10**6 * COIN)


def group(scene: Scene) -> list[QuotedPayout]:
    return [QuotedPayout(queued=it, terms=TERMS) for it in scene.outbox.queued(CHAIN_ID, WALLET)]


def nonces(scene: Scene, *refunds: str) -> list[int | None]:
    return [scene.payout(it).nonce for it in refunds]


def fails_at(nth: int, error: Exception) -> Callable[[Transfer], SignedTransfer]:
    """Return a signer that fails once, when it is asked for the nth time."""
    asked: list[int] = []

    def signer(transfer: Transfer) -> SignedTransfer:
        asked.append(transfer.nonce)
        if len(asked) == nth:
            raise error
        return sign(transfer)

    return signer


def test_a_group_gets_consecutive_nonces_in_the_order_of_the_queue(scene: Scene) -> None:
    refunds = [pay(scene, it) for it in range(5)]
    waiting = group(scene)

    answers = scene.signing.sign(waiting, RICH, sign)

    assert [it.nonce for it in scene.outbox.sent(CHAIN_ID, WALLET)] == [0, 1, 2, 3, 4]
    assert nonces(scene, *(it.queued.refund_id for it in waiting)) == [0, 1, 2, 3, 4]
    told = {it.refund_id: it.newest.tx_hash for it in scene.outbox.sent(CHAIN_ID, WALLET)}
    assert [told[it.queued.refund_id] for it in waiting] == [
        it.tx_hash for it in answers if isinstance(it, SignedTransfer)
    ]
    assert set(told) == set(refunds)
    assert scene.audit_break() is None


def test_the_limit_of_an_account_counts_what_the_same_group_has_spent_of_it(scene: Scene) -> None:
    limit(scene, account_day_max=AMOUNT)
    mine, theirs, mine_too = pay(scene, 1), pay(scene, 2, "other"), pay(scene, 3)
    others = pay(scene, 4, "third")
    waiting = group(scene)

    scene.signing.sign(waiting, RICH, sign)

    assert sorted(it is None for it in nonces(scene, mine, mine_too)) == [False, True]
    assert None not in nonces(scene, theirs, others)
    assert [it.nonce for it in scene.outbox.sent(CHAIN_ID, WALLET)] == [0, 1, 2]
    assert scene.findings() == ["limit_reached"]


def test_the_limit_of_a_day_lets_no_more_of_one_group_go_than_it_holds(scene: Scene) -> None:
    refunds = [pay(scene, it) for it in range(4)]
    limit(scene, asset_day_max=2 * AMOUNT)

    answers = scene.signing.sign(group(scene), RICH, sign)

    assert [it is None for it in answers] == [False, False, True, True]
    assert sorted(it for it in nonces(scene, *refunds) if it is not None) == [0, 1]


@pytest.mark.parametrize(("balance", "paid"), [(2 * COST, 2), (2 * COST - 1, 1)], ids=["enough", "one wei short"])
def test_a_balance_is_not_promised_twice_within_a_group(scene: Scene, balance: int, paid: int) -> None:
    for number in range(3):
        pay(scene, number)

    answers = scene.signing.sign(group(scene), wallet_view(balance=balance), sign)

    assert [it is not None for it in answers] == [number < paid for number in range(3)]
    assert scene.findings() == ["wallet_low"]


def test_a_group_takes_no_more_places_than_are_free(scene: Scene) -> None:
    for number in range(IN_FLIGHT_MAX + 2):
        pay(scene, number)
    waiting = group(scene)
    scene.signing.sign(waiting[:3], RICH, sign)

    answers = scene.signing.sign(waiting[3:], RICH, sign)

    assert sum(it is not None for it in answers) == IN_FLIGHT_MAX - 3
    assert [it.nonce for it in scene.outbox.sent(CHAIN_ID, WALLET)] == list(range(IN_FLIGHT_MAX))


def test_who_may_not_approve_any_more_has_only_their_own_payouts_refused(scene: Scene) -> None:
    scene.account()
    refunds = []
    for number, approver in enumerate(("ann", "bob", "ann")):
        scene.deposit(f"dep_{number}", rail="crypto")
        ticket = {"ticket": str(number), "facts": PAID_CHAIN, "rail": "crypto", "deposit_id": f"dep_{number}"}
        refund = scene.awaiting_approval(**ticket)
        scene.decide(refund, approver)
        scene.begin(refund, PAID_CHAIN)
        refunds.append(refund)
    waiting = group(scene)
    scene.clients.set_active("bob", False, reason="they left", actor="ada")

    scene.signing.sign(waiting, RICH, sign)

    assert sorted(it for it in nonces(scene, *refunds) if it is not None) == [0, 1]
    assert scene.payout(refunds[1]).status == PayoutStatus.REFUSED


@pytest.mark.parametrize(
    ("reason", "signed"),
    [(StatusReason.PAYOUT_REFUSED, [True, False, True]), (StatusReason.RAIL_STOPPED, [True, False, False])],
    ids=["this one", "the key itself"],
)
def test_what_the_signer_refuses_takes_no_nonce(scene: Scene, reason: StatusReason, signed: list[bool]) -> None:
    for number in range(3):
        pay(scene, number)
    refusal = NeedsOperator(reason, "no")

    answers = scene.signing.sign(group(scene), RICH, fails_at(2, refusal))

    assert [isinstance(it, SignedTransfer) for it in answers] == signed
    assert [it for it in answers if not isinstance(it, SignedTransfer)] == [refusal] * signed.count(False)
    assert [it.nonce for it in scene.outbox.sent(CHAIN_ID, WALLET)] == list(range(signed.count(True)))


def test_a_group_whose_transaction_fails_has_used_no_nonce(scene: Scene) -> None:
    refunds = [pay(scene, it) for it in range(3)]

    with pytest.raises(ZeroDivisionError):
        scene.signing.sign(group(scene), RICH, fails_at(3, ZeroDivisionError()))

    assert nonces(scene, *refunds) == [None] * 3
    scene.signing.sign(group(scene), RICH, sign)
    assert [it.nonce for it in scene.outbox.sent(CHAIN_ID, WALLET)] == [0, 1, 2]
