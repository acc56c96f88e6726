"""The judge of card refunds, shown evidence of all that can go wrong: each breach is told, and nothing else is."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from chaos.card.evidence import late_refs
from chaos.card.journal import Post
from chaos.card.judge import BOOKS, Evidence, Payback, PayoutRow, Told, judge
from chaos.purses import Purse, Record

CREDIT = 2000
Change = Callable[[Evidence], dict[str, Any]]


def purse(number: int) -> Purse:
    return Purse(f"c{number}", {"rail": "card"}, f"pi_{number}", 2000 + number, 0)


def record(number: int, **told: Any) -> Record:
    return Record(purse(number), "plain", {f"rf_{number}"}, is_told=True, **told)


def payback(number: int, status: str = "succeeded", **more: Any) -> Payback:
    told = {"ref": f"re_{number}", "amount": 2000 + number, "refund_id": f"rf_{number}", "attempt": "1", **more}
    return Payback(payment_intent=f"pi_{number}", status=status, **told)


def post(number: int, **told: Any) -> Post:
    return Post(number, 0.0, f"pi_{number}", f"rf_{number}", "1", f"refund/rf_{number}/1", "", {}, **told)


def books(book: str) -> dict[str, int]:
    return dict.fromkeys(BOOKS, 0) | {book: CREDIT}


def evidence() -> Evidence:
    """One purse that was paid back, one whose refund failed late, one whose refund is disputed, one rejected."""
    paybacks = [payback(0), payback(1, "failed"), payback(2)]
    return Evidence(
        records=[
            record(0, approved=True),
            record(1, approved=True),
            record(2, approved=True),
            record(3, rejected=True),
        ],
        paybacks_at_rest=paybacks,
        paybacks=paybacks,
        disputes={"pi_2": ["needs_response"]},
        posts=[post(0, is_lost=True, made="re_0"), post(0, is_lost=False, made="re_0")],
        outside=frozenset(),
        retried=frozenset(),
        told_early=[],
        told={
            "rf_0": Told("refunded"),
            "rf_1": Told("needs_attention"),
            "rf_2": Told("needs_attention"),
            "rf_3": Told("rejected"),
        },
        books={
            "acct_c0": books("refunded_minor"),
            "acct_c1": books("held_minor"),
            "acct_c2": books("refunded_minor"),
            "acct_c3": books("spendable_minor"),
        },
        payouts=[
            PayoutRow("rf_0", 1, "succeeded", "re_0", "pi_0"),
            PayoutRow("rf_1", 1, "failed", "re_1", "pi_1"),
            PayoutRow("rf_2", 1, "succeeded", "re_2", "pi_2"),
        ],
        active_holds=frozenset(["rf_1"]),
        credit_minor=CREDIT,
        quiet_seconds=3.0,
    )


def with_paybacks(*more: Payback, without: str = "") -> Change:
    def change(it: Evidence) -> dict[str, Any]:
        found = [*(one for one in it.paybacks if one.ref != without), *more]
        return {"paybacks": found, "paybacks_at_rest": found}

    return change


def with_told(refund: str, told: Told) -> Change:
    return lambda it: {"told": {**it.told, refund: told}}


def with_books(account: str, found: dict[str, int]) -> Change:
    return lambda it: {"books": {**it.books, account: found}}


def with_row(row: PayoutRow) -> Change:
    return lambda it: {"payouts": [*(one for one in it.payouts if one.refund != row.refund), row]}


BREACHES: dict[str, tuple[Change, str]] = {
    "paid twice": (with_paybacks(payback(0, ref="re_9")), "c0 was paid back 2 times: re_0, re_9"),
    "an attempt that paid twice": (with_paybacks(payback(1, ref="re_9")), "attempt 1 of rf_1 made 2 refunds"),
    "an attempt that nobody asked for": (
        with_paybacks(payback(1, ref="re_9", attempt="2")),
        "attempt 2 of rf_1 was nobody's wish",
    ),
    "paid too little": (with_paybacks(payback(0, amount=5), without="re_0"), "c0 got 5 for a payment of 2000"),
    "lost": (with_paybacks(without="re_0"), "c0 was approved and got nothing"),
    "told as refunded and not paid": (with_paybacks(without="re_0"), "is told as refunded, and Stripe has nothing"),
    "a late failure unseen": (with_told("rf_1", Told("refunded")), "is told as refunded, and Stripe has re_1 failed"),
    "a dispute unseen": (with_told("rf_2", Told("refunded")), "is told as refunded, and its payment is disputed"),
    "paid though rejected": (with_paybacks(payback(3)), "c3 was paid back, and it was rejected"),
    "paid and unknown": (with_told("rf_0", Told("rejected")), "was paid back by re_0, and nobody knows"),
    "still open": (with_told("rf_0", Told("paying")), "did not come to an end"),
    "before an operator for nothing": (
        with_told("rf_0", Told("needs_attention")),
        "stands before an operator, and nothing happened to it outside",
    ),
    "before an operator for a dispute that is over": (
        lambda _: {"disputes": {"pi_2": ["won"]}},
        "stands before an operator, and nothing happened to it outside",
    ),
    "unknown to the API": (lambda it: {"told": {}, "active_holds": frozenset()}, "did not come to an end"),
    "books that do not balance": (with_books("acct_c0", dict.fromkeys(BOOKS, 0)), "acct_c0 do not balance"),
    "books that do not know of the refund": (with_books("acct_c0", books("held_minor")), "was told as refunded"),
    "spendable while an operator has it": (with_books("acct_c1", books("spendable_minor")), "acct_c1 may spend"),
    "booked as paid though it failed": (with_books("acct_c1", books("refunded_minor")), "has nothing of it"),
    "held for nothing": (with_books("acct_c3", books("held_minor")), "acct_c3 has ended unpaid"),
    "a row without a refund": (
        with_row(PayoutRow("rf_0", 1, "succeeded", "re_7", "pi_0")),
        "the payout rf_0/1 is succeeded, and Stripe has None",
    ),
    "a refund without a row": (with_row(PayoutRow("rf_0", 1, "failed", None, "pi_0")), "stands in none of our rows"),
    "a row of another payment": (with_row(PayoutRow("rf_0", 1, "succeeded", "re_0", "pi_8")), "pays pi_8"),
    "a row booked by another's refund": (
        with_row(PayoutRow("rf_0", 1, "succeeded", "re_2", "pi_0")),
        "was booked by re_2, which rf_2/1 made",
    ),
    "a payout without an end": (
        with_row(PayoutRow("rf_0", 1, "unknown", "re_0", "pi_0")),
        "the payout rf_0/1 is unknown, and nothing is on its way",
    ),
    "held for ever": (lambda it: {"active_holds": frozenset(["rf_3"])}, "rf_3 has ended and still holds"),
    "told too early": (
        lambda _: {"told_early": ["rf_0"]},
        "rf_0 was told as refunded while its refund was only pending",
    ),
    "no rest": (lambda _: {"quiet_seconds": None}, "something was still open"),
}


def test_nothing_is_held_against_a_run_in_which_everything_is_right() -> None:
    judgement = judge(evidence())

    assert judgement.breaches == []
    assert (judgement.asked, judgement.due, judgement.paid_once, judgement.waiting, judgement.unpaid) == (
        4,
        3,
        2,
        1,
        1,
    )
    assert judgement.details == {
        "before_people": 2,
        "asked_stripe": 2,
        "lost_answers": "1 (1 of them had paid)",
        "late_failures": "1 (1 before people or paid anew)",
        "disputes": "1 (1 before people)",
        "retried": 0,
    }


@pytest.mark.parametrize(("change", "told"), BREACHES.values(), ids=BREACHES.keys())
def test_each_breach_is_told(change: Change, told: str) -> None:
    whole = evidence()

    judgement = judge(dataclasses.replace(whole, **change(whole)))

    assert [it for it in judgement.breaches if told in it], judgement.breaches


def test_what_an_operator_asked_for_anew_may_be_paid_by_the_next_attempt() -> None:
    whole = evidence()
    again = payback(1, ref="re_9", attempt="2")

    judgement = judge(
        dataclasses.replace(
            whole,
            **with_paybacks(again)(whole),
            told={**whole.told, "rf_1": Told("refunded")},
            books={**whole.books, "acct_c1": books("refunded_minor")},
            payouts=[*whole.payouts, PayoutRow("rf_1", 2, "succeeded", "re_9", "pi_1")],
            active_holds=frozenset(),
            retried=frozenset([("rf_1", "2")]),
        )
    )

    assert judgement.breaches == []
    assert judgement.paid_once == 3


def test_a_payment_that_somebody_else_refunded_is_before_an_operator_and_paid_by_nobody_else() -> None:
    whole = evidence()
    outside = Payback("re_8", "pi_1", 2001, "succeeded")

    judgement = judge(
        dataclasses.replace(
            whole,
            **with_paybacks(outside, without="re_1")(whole),
            payouts=[
                *(it for it in whole.payouts if it.refund != "rf_1"),
                PayoutRow("rf_1", 1, "refused", None, "pi_1"),
            ],
            outside=frozenset(["pi_1"]),
        )
    )

    assert judgement.breaches == []


def after_outside_refund_failed(whole: Evidence) -> Evidence:
    """The first payment was refunded past us, that refund failed, and ours was made and told as refunded."""
    failed = Payback("re_8", "pi_0", 2000, "failed")
    return dataclasses.replace(whole, **with_paybacks(failed)(whole), outside=frozenset(["pi_0"]))


def test_a_payment_whose_refund_by_somebody_else_failed_is_paid_by_us_and_counted() -> None:
    judgement = judge(after_outside_refund_failed(evidence()))

    assert judgement.breaches == []
    assert judgement.paid_once == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (with_books("acct_c0", books("held_minor")), "was told as refunded, and its books say"),
        (with_told("rf_0", Told("rejected")), "was paid back by re_0, and nobody knows"),
        (with_paybacks(payback(0, ref="re_9")), "c0 was paid back 2 times"),
    ],
    ids=["books", "unknown", "twice"],
)
def test_a_failed_refund_by_somebody_else_excuses_nothing_of_ours(change: Change, told: str) -> None:
    whole = after_outside_refund_failed(evidence())

    judgement = judge(dataclasses.replace(whole, **change(whole)))

    assert [it for it in judgement.breaches if told in it], judgement.breaches


def test_what_arrives_when_everybody_has_given_it_up_counts_as_paid_and_not_as_sent_twice() -> None:
    whole = evidence()
    late = payback(1, ref="re_9")

    judgement = judge(
        dataclasses.replace(whole, paybacks=[*whole.paybacks, late], late_refs=late_refs([], whole.paybacks, [late]))
    )

    assert judgement.breaches == []
    assert judgement.paid_once == 3


def test_trouble_that_a_caller_had_and_a_story_without_an_end_are_told() -> None:
    whole = evidence()
    whole.records[0].trouble.append("POST /v1/refunds: 500")
    whole.records[1].is_told = False

    breaches = judge(whole).breaches

    assert breaches == ["c0 (plain): POST /v1/refunds: 500", "c1: its story (plain) did not come to its end"]
