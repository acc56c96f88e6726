"""The rules by which books and outside are compared: each difference, and each moment that is none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.book_runs import BooksPlan
from domain.differences import (
    BookedDeposit,
    BookedPayout,
    BookedRefund,
    Difference,
    Judgement,
    LikelyRefund,
    Moment,
    ProviderRefund,
    SentTransfer,
    UnderWay,
)
from domain.payouts import PayoutStatus
from domain.reconciliation import (
    compare_books,
    compare_card_payout,
    compare_card_refund,
    compare_chain_payout,
    compare_hold,
    compare_progress,
    judge_stray_transfer,
    patience,
)
from domain.refunds import RefundStatus, WaitingFor

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLD, YOUNG = NOON - timedelta(hours=2), NOON - timedelta(minutes=5)
MOMENT = Moment(now=NOON, grace=timedelta(hours=1))
REFUND = "rf_" + "a" * 24
WALLET, CUSTOMER, THIEF, TOKEN = "0xWallet", "0xCustomer", "0xThief", "0xToken"

WAY, FINE = "under_way", None


def payout(status: str = "succeeded", **changes: Any) -> BookedPayout:
    fields: dict[str, Any] = {
        "refund_id": REFUND,
        "attempt": 1,
        "deposit_id": "dep",
        "status": PayoutStatus(status),
        "is_current": True,
        "hold_state": "captured" if status in ("succeeded", "paid_outside") else "active",
        "amount": 2000,
        "currency": "USD",
        "provider_ref": "re_1",
        "payment_intent": "pi_1",
        "begun_at": OLD,
        "updated_at": OLD,
    }
    return BookedPayout(**(fields | changes))


def refund(**changes: Any) -> ProviderRefund:
    fields: dict[str, Any] = {
        "ref": "re_1",
        "payment_intent": "pi_1",
        "amount_minor": 2000,
        "currency": "USD",
        "is_live": True,
        "is_done": True,
        "created_at": OLD,
        "refund_id": REFUND,
        "attempt": 1,
    }
    return ProviderRefund(**(fields | changes))


def foreign(**changes: Any) -> ProviderRefund:
    return refund(**({"ref": "re_x", "refund_id": None, "attempt": None} | changes))


def deposit(*payouts: BookedPayout) -> BookedDeposit:
    return BookedDeposit(deposit_id="dep", refund_id=REFUND, payouts=payouts)


def chain_payout(status: str = "succeeded", **changes: Any) -> BookedPayout:
    fields = {"amount": 7, "currency": None, "destination": CUSTOMER, "nonce": 3, "chain_id": 1, "wallet": WALLET}
    return payout(status, **(fields | changes))


def sent(**changes: Any) -> SentTransfer:
    fields: dict[str, Any] = {
        "tx_hash": "0x1",
        "nonce": 3,
        "to": CUSTOMER,
        "amount_base_units": 7,
        "succeeded": True,
        "is_final": True,
        "block_number": 9,
    }
    return SentTransfer(**(fields | changes))


def name(judgement: Judgement) -> str | None:
    if isinstance(judgement, Difference):
        return judgement.kind.value
    return WAY if isinstance(judgement, UnderWay) else None


QUEUED, PENDING = {"status": "queued", "provider_ref": None}, {"status": "pending"}

CARD_CASES: dict[str, tuple[ProviderRefund, list[BookedPayout], str | None]] = {
    "paid and booked": (refund(), [payout()], FINE),
    "booked by its mark, before its reference is known": (refund(), [payout(provider_ref=None)], FINE),
    "pending on both sides": (refund(is_done=False), [payout("pending")], WAY),
    "pending there for days": (refund(is_done=False), [payout("pending", begun_at=OLD)], WAY),
    "done a moment ago, not booked yet": (refund(created_at=YOUNG), [payout("unknown", provider_ref=None)], WAY),
    "done long ago and seen a moment ago": (refund(), [payout("pending", updated_at=YOUNG)], WAY),
    "done long ago, still unknown": (refund(), [payout("unknown", provider_ref=None)], "paid_not_booked"),
    "done, and dead in the books": (refund(), [payout("refused", provider_ref=None)], "paid_not_booked"),
    "done, and the hold still there": (refund(), [payout(hold_state="active")], "paid_not_booked"),
    "lost dispute after it was paid": (refund(), [payout(hold_state="charged_back")], FINE),
    "booked, and failed there": (refund(is_live=False), [payout()], "booked_not_paid"),
    "failed on both sides": (refund(is_live=False), [payout("failed")], FINE),
    "failed there while under way": (refund(is_live=False), [payout("pending")], FINE),
    "another amount": (refund(amount_minor=1999), [payout()], "amount_differs"),
    "another currency": (refund(currency="EUR"), [payout()], "amount_differs"),
    "another amount while under way": (refund(amount_minor=1), [payout("pending")], "amount_differs"),
    "dead and landed, and paid anew": (
        refund(),
        [payout("failed"), payout(attempt=2, provider_ref="re_2")],
        "paid_twice",
    ),
    "landed, and paid outside as well": (
        refund(),
        [payout("failed"), payout("paid_outside", attempt=2, provider_ref=None)],
        "paid_twice",
    ),
    "a second refund with a copied mark": (refund(ref="re_2"), [payout()], "paid_twice"),
    "made outside after we paid": (foreign(), [payout()], "paid_twice"),
    "made outside, nobody asked": (foreign(), [], "unowned_payment"),
    "made outside while one is under way": (foreign(), [payout("queued", provider_ref=None)], "unowned_payment"),
    "made outside a moment ago": (foreign(created_at=YOUNG), [], WAY),
    "made outside and recorded as such": (
        foreign(),
        [payout("paid_outside", provider_ref=None, begun_at=YOUNG)],
        FINE,
    ),
    "made outside after that was recorded": (
        foreign(),
        [payout("paid_outside", provider_ref=None, begun_at=OLD - timedelta(hours=1))],
        "paid_twice",
    ),
    "made outside and failed": (foreign(is_live=False), [], FINE),
}


@pytest.mark.parametrize(("seen", "payouts", "expected"), CARD_CASES.values(), ids=CARD_CASES.keys())
def test_a_refund_at_the_processor_is_judged_by_the_books(
    seen: ProviderRefund, payouts: list[BookedPayout], expected: str | None
) -> None:
    judgement = compare_card_refund(seen, deposit(*payouts), MOMENT)

    assert name(judgement) == expected
    if isinstance(judgement, Difference):
        assert (judgement.refund_id, judgement.deposit_id) == (REFUND, "dep")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [(foreign(), FINE), (refund(), "unowned_payment"), (refund(is_live=False), FINE)],
    ids=["other business", "other business with our mark", "other business with our mark, failed"],
)
def test_a_refund_of_a_payment_that_backs_no_deposit_is_ours_only_by_its_mark(
    seen: ProviderRefund, expected: str | None
) -> None:
    assert name(compare_card_refund(seen, None, MOMENT)) == expected


@pytest.mark.parametrize(
    ("booked", "expected"),
    [
        (payout(), "booked_not_paid"),
        (payout("pending"), "booked_not_paid"),
        (payout("pending", updated_at=YOUNG), WAY),
        (payout("unknown", provider_ref=None), WAY),
        (payout("queued", provider_ref=None), WAY),
        (payout("failed"), FINE),
    ],
    ids=["paid", "pending for long", "pending since now", "unknown", "queued", "dead"],
)
def test_a_payout_that_the_processor_does_not_show(booked: BookedPayout, expected: str | None) -> None:
    assert name(compare_card_payout(booked, MOMENT)) == expected


CHAIN_CASES: dict[str, tuple[BookedPayout, SentTransfer | None, bool, str | None]] = {
    "paid and booked": (chain_payout(), sent(), True, FINE),
    "in the pool": (chain_payout("unknown"), None, False, WAY),
    "in a block that is not final": (chain_payout("pending"), sent(is_final=False), False, WAY),
    "booked, and back in a young block": (chain_payout(), sent(is_final=False), True, WAY),
    "final a moment ago": (chain_payout("pending", updated_at=YOUNG), sent(), True, WAY),
    "final for long, not booked": (chain_payout("pending"), sent(), True, "paid_not_booked"),
    "final, and dead in the books": (chain_payout("reverted"), sent(), True, "paid_not_booked"),
    "final, and the hold still there": (chain_payout(hold_state="active"), sent(), True, "paid_not_booked"),
    "booked, and in no block": (chain_payout(), None, False, "booked_not_paid"),
    "booked, and failed on chain": (chain_payout(), sent(succeeded=False), True, "booked_not_paid"),
    "failed on both sides": (chain_payout("reverted"), sent(succeeded=False), True, FINE),
    "its nonce was used for something else": (chain_payout("unknown"), None, True, "unowned_payment"),
    "its nonce was cancelled": (chain_payout("canceled"), sent(to=WALLET, amount_base_units=0), True, FINE),
    "another amount": (chain_payout(), sent(amount_base_units=8), True, "amount_differs"),
    "a token, paid and booked": (chain_payout(asset=TOKEN), sent(asset=TOKEN), True, FINE),
    "the coin instead of a token": (chain_payout(asset=TOKEN), sent(), True, "amount_differs"),
    "another token": (chain_payout(asset=TOKEN), sent(asset="0xOther"), True, "amount_differs"),
    "the amount, and something more": (
        chain_payout(asset=TOKEN),
        sent(asset=TOKEN, more_count=1),
        True,
        "amount_differs",
    ),
    "a token that moved nothing": (
        chain_payout(asset=TOKEN),
        sent(to=TOKEN, amount_base_units=0),
        True,
        "booked_not_paid",
    ),
    "another receiver": (chain_payout(), sent(to=THIEF), True, "destination_differs"),
}


@pytest.mark.parametrize(("booked", "landed", "is_used", "expected"), CHAIN_CASES.values(), ids=CHAIN_CASES.keys())
def test_a_chain_payout_is_judged_by_what_a_block_holds(
    booked: BookedPayout, landed: SentTransfer | None, is_used: bool, expected: str | None
) -> None:
    judgement = compare_chain_payout(booked, deposit(booked), landed, MOMENT, is_nonce_used=is_used)

    assert name(judgement) == expected


def test_a_dead_chain_payout_that_landed_beside_another_is_paid_twice() -> None:
    dead, paid = chain_payout("reverted"), chain_payout(attempt=2, nonce=4)

    assert name(compare_chain_payout(dead, deposit(dead, paid), sent(), MOMENT, is_nonce_used=True)) == "paid_twice"


@pytest.mark.parametrize(
    ("likely", "expected"),
    [((), "unowned_payment"), ((True,), "paid_twice"), ((True, False), "paid_not_booked")],
    ids=["nobody's", "of one that is paid", "of one that is not paid"],
)
def test_a_transfer_under_a_foreign_nonce_names_the_refund_it_may_be(likely: tuple[bool, ...], expected: str) -> None:
    refunds = tuple(LikelyRefund(refund_id=f"rf_{it}", deposit_id="dep", is_paid=it) for it in likely)

    difference = judge_stray_transfer(1, WALLET, 3, sent(), refunds)

    assert difference.kind == expected
    assert (difference.refund_id is not None) == bool(likely)
    assert CUSTOMER not in str(difference.evidence)


def booked(**changes: Any) -> BookedRefund:
    fields: dict[str, Any] = {
        "refund_id": REFUND,
        "deposit_id": "dep",
        "status": RefundStatus.CHECKING,
        "hold_state": None,
        "has_paid_payout": False,
        "updated_at": NOON,
        "patience": timedelta(hours=6),
    }
    return BookedRefund(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": RefundStatus.AWAITING_APPROVAL, "hold_state": "active"}, FINE),
        ({"status": RefundStatus.REJECTED, "hold_state": "active"}, "hold_without_refund"),
        ({"status": RefundStatus.REJECTED, "hold_state": "released"}, FINE),
        ({"status": RefundStatus.REFUNDED, "hold_state": "captured", "has_paid_payout": True}, FINE),
        ({"status": RefundStatus.REFUNDED, "hold_state": "captured"}, "booked_not_paid"),
    ],
    ids=["open", "ended", "ended and released", "paid", "booked as paid by nothing"],
)
def test_a_hold_is_judged_by_its_refund(changes: dict[str, Any], expected: str | None) -> None:
    assert name(compare_hold(booked(**changes))) == expected


@pytest.mark.parametrize(
    ("waiting_for", "hours", "expected"),
    [
        (None, 5.9, FINE),
        (None, 6, "refund_without_progress"),
        (WaitingFor.CHAIN, 6, "refund_without_progress"),
        (WaitingFor.PROVIDER, 71, FINE),
        (WaitingFor.PROVIDER, 72, "refund_without_progress"),
        (WaitingFor.ORDERS, 14 * 24 + 5, FINE),
        (WaitingFor.ORDERS, 14 * 24 + 6, "refund_without_progress"),
        (WaitingFor.APPROVAL, 9999, FINE),
        (WaitingFor.OPERATOR, 9999, FINE),
        (WaitingFor.PAYMENT_PROOF, 9999, FINE),
    ],
    ids=str,
)
def test_a_refund_may_stand_still_as_long_as_somebody_outside_must_move(
    waiting_for: WaitingFor | None, hours: float, expected: str | None
) -> None:
    patient = patience(waiting_for, timedelta(days=14))
    standing = booked(updated_at=NOON - timedelta(hours=hours), patience=patient)

    assert name(compare_progress(standing, MOMENT)) == expected


@pytest.mark.parametrize(
    ("books", "held_max", "faults"),
    [
        ({"deposited": -2000, "spendable": 1500, "used": 500}, 0, None),
        ({"deposited": -2000, "held": 2000}, 2000, None),
        ({"deposited": -2000, "held": 1900, "used": 100}, 2000, None),
        ({"deposited": -2000, "spendable": 2001}, 0, ["sum_is_not_zero"]),
        ({"deposited": -1900, "spendable": 1900}, 0, ["deposited_differs"]),
        ({"deposited": -2000, "spendable": -1, "used": 2001}, 0, ["negative"]),
        ({"deposited": -2000, "held": 2000}, 0, ["held_without_hold"]),
        ({}, 0, ["deposited_differs"]),
    ],
    ids=["used", "held", "delivered out of the hold", "sum", "deposited", "negative", "held", "never booked"],
)
def test_the_books_of_a_deposit_add_up(books: dict[str, int], held_max: int, faults: list[str] | None) -> None:
    judgement = compare_books("dep", 2000, books, held_max)

    assert (judgement.evidence["faults"] if isinstance(judgement, Difference) else None) == faults


def test_the_days_of_a_window_leave_no_gap_and_end_open() -> None:
    plan = BooksPlan(reconciliation_id="r", since=NOON - timedelta(days=2.5), now=NOON, grace_seconds=0)

    days = plan.card_days()

    assert [day.since for day in days] == [NOON - timedelta(days=it) for it in (2.5, 1.5, 0.5)]
    assert [day.until for day in days] == [days[1].since, days[2].since, None]
