"""The judge, shown evidence of everything that can go wrong: each breach is told, and nothing else is."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from chaos.crypto.judge import BOOKS, Evidence, Move, PayoutRow, judge
from chaos.judgement import Judgement
from chaos.purses import Purse, Record

WALLET = "0x" + 40 * "a"
CREDIT = 2000
LEFT = 500


def owner(number: int) -> str:
    return f"0x{number:040x}"


def books(book: str) -> dict[str, int]:
    return dict.fromkeys(BOOKS, 0) | {book: CREDIT}


def record(number: int, **told: Any) -> Record:
    purse = Purse(f"c{number}", {"rail": "crypto"}, owner(number), 100 + number, LEFT)
    return Record(purse, "plain", {f"rf_{number}"}, is_told=True, **told)


def evidence() -> Evidence:
    """Two purses that were paid, one that was rejected."""
    records = [record(0, approved=True), record(1, approved=True), record(2, rejected=True)]
    moves = [Move(f"0x{it}", it, owner(it), 100 + it, WALLET) for it in (0, 1)]
    return Evidence(
        records=records,
        wallet=WALLET,
        first_nonce=0,
        balances_at_rest={owner(0): LEFT + 100, owner(1): LEFT + 101, owner(2): LEFT},
        nonces_at_rest=[0, 1],
        balances={owner(0): LEFT + 100, owner(1): LEFT + 101, owner(2): LEFT},
        moves=moves,
        signed=moves,
        statuses={"rf_0": "refunded", "rf_1": "refunded", "rf_2": "rejected"},
        books={
            "acct_c0": books("refunded_minor"),
            "acct_c1": books("refunded_minor"),
            "acct_c2": books("spendable_minor"),
        },
        payouts=[PayoutRow(f"rf_{it}", 1, "succeeded", it, owner(it)) for it in (0, 1)],
        stored=frozenset(["0x0", "0x1"]),
        active_holds=frozenset(),
        credit_minor=CREDIT,
        quiet_seconds=3.0,
    )


def with_balance(number: int, received: int) -> Callable[[Evidence], dict[str, Any]]:
    return lambda it: {"balances": {**it.balances, owner(number): LEFT + received}}


def with_signed(move: Move) -> Callable[[Evidence], dict[str, Any]]:
    return lambda it: {"signed": [*it.signed, move], "stored": it.stored | {move.tx_hash}}


def with_row(row: PayoutRow) -> Callable[[Evidence], dict[str, Any]]:
    return lambda it: {"payouts": [*it.payouts, row]}


BREACHES: dict[str, tuple[Callable[[Evidence], dict[str, Any]], str]] = {
    "paid twice": (with_balance(0, 200), "c0 got 200 for a payment of 100"),
    "paid too much": (with_balance(0, 150), "c0 got 150 for a payment of 100"),
    "paid too little": (with_balance(0, 60), "c0 got 60, neither nothing"),
    "lost": (with_balance(1, 0), "c1 was approved and got nothing"),
    "lost until somebody else sent it": (
        lambda it: {"balances_at_rest": {**it.balances_at_rest, owner(1): LEFT}},
        "c1 got nothing until its signed bytes were sent again from outside",
    ),
    "paid though rejected": (with_balance(2, 102), "c2 was paid, and it was rejected"),
    "paid and not told": (
        lambda it: {"statuses": {**it.statuses, "rf_0": "rejected"}},
        "c0 was paid; refunds: rf_0 is rejected",
    ),
    "told and not paid": (
        lambda it: {"statuses": {**it.statuses, "rf_2": "refunded"}},
        "c2 was not paid; refunds: rf_2 is refunded",
    ),
    "without an end": (
        lambda it: {"statuses": {**it.statuses, "rf_2": "needs_attention"}},
        "c2 did not come to an end",
    ),
    "books do not balance": (
        lambda it: {"books": {**it.books, "acct_c2": books("spendable_minor") | {"held_minor": 1}}},
        "the books of acct_c2 do not balance",
    ),
    "paid and given back": (
        lambda it: {"books": {**it.books, "acct_c0": books("spendable_minor")}},
        "acct_c0 was paid, and its books say",
    ),
    "held for nothing": (
        lambda it: {"books": {**it.books, "acct_c2": books("held_minor")}},
        "acct_c2 is still held",
    ),
    "stray money": (
        lambda it: {"moves": [*it.moves, Move("0x9", 2, owner(9), 7, WALLET)]},
        "nonce 2 moved 7 (native) to",
    ),
    "paid in another asset": (
        lambda it: {"moves": [it.moves[0], dataclasses.replace(it.moves[1], asset=owner(8))]},
        f"nonce 1 moved 101 ({owner(8)}) to {owner(1)}, which nobody is owed",
    ),
    "a nonce that was never used": (
        with_row(PayoutRow("rf_2", 1, "unknown", 2, owner(2))),
        "these nonces were assigned and are in no block: [2]",
    ),
    "sent and not stored": (
        lambda it: {"stored": frozenset(["0x0"])},
        "0x1 (nonce 1) was sent and is not in our database",
    ),
    "two payouts under one nonce": (with_signed(Move("0x8", 1, owner(0), 100, WALLET)), "nonce 1 was signed for"),
    "one payout under two nonces": (
        with_signed(Move("0x8", 2, owner(0), 100, WALLET)),
        f"{owner(0)} was signed for under the nonces [0, 2]",
    ),
    "signed by a stranger": (with_signed(Move("0x8", 0, owner(0), 100, owner(7))), "0x8 was sent, signed by"),
    "to another than the payer": (
        lambda it: {"payouts": [it.payouts[0], dataclasses.replace(it.payouts[1], destination=owner(0))]},
        "the payout of rf_1 goes to",
    ),
    "booked and not on chain": (
        with_row(PayoutRow("rf_2", 1, "succeeded", None, owner(2))),
        "the payout of rf_2 is succeeded; the chain holds it: 0",
    ),
    "a nonce given twice": (
        lambda it: {"payouts": [it.payouts[0], dataclasses.replace(it.payouts[1], nonce=0)]},
        "our database gave a nonce twice",
    ),
    "a hold that outlives its refund": (
        lambda it: {"active_holds": frozenset(["rf_2"])},
        "rf_2 has ended and still holds",
    ),
    "no rest": (lambda it: {"quiet_seconds": None}, "something was still open"),
}


def test_nothing_is_held_against_a_run_in_which_everything_is_right() -> None:
    assert judge(evidence()) == Judgement(asked=3, due=2, paid_once=2, unpaid=1, details={"nonces": 2, "gaps": 0})


@pytest.mark.parametrize(("change", "told"), BREACHES.values(), ids=BREACHES.keys())
def test_each_breach_is_told(change: Callable[[Evidence], dict[str, Any]], told: str) -> None:
    whole = evidence()

    judgement = judge(dataclasses.replace(whole, **change(whole)))

    assert [it for it in judgement.breaches if told in it], judgement.breaches


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        pytest.param(with_balance(0, 200), {"twice": 1, "paid_once": 1}, id="twice"),
        pytest.param(with_balance(1, 0), {"lost": 1, "paid_once": 1}, id="lost"),
        pytest.param(
            with_row(PayoutRow("rf_2", 1, "unknown", 4, owner(2))), {"details": {"nonces": 2, "gaps": 3}}, id="gaps"
        ),
    ],
)
def test_what_went_wrong_is_counted(change: Callable[[Evidence], dict[str, Any]], counted: dict[str, Any]) -> None:
    whole = evidence()

    judgement = judge(dataclasses.replace(whole, **change(whole)))

    assert {name: getattr(judgement, name) for name in counted} == counted


def test_a_second_ticket_may_end_as_a_duplicate_and_a_cancelled_nonce_pays_nobody() -> None:
    whole = evidence()
    whole.records[0].refunds.add("rf_9")
    cancel = Move("0x7", 2, WALLET, 0, WALLET)

    judgement = judge(
        dataclasses.replace(
            whole,
            statuses={**whole.statuses, "rf_9": "duplicate"},
            moves=[*whole.moves, cancel],
            nonces_at_rest=[0, 1, 2],
            signed=[*whole.signed, cancel],
            stored=whole.stored | {"0x7"},
        )
    )

    assert judgement.breaches == []


def test_trouble_that_a_caller_had_and_a_story_without_an_end_are_told() -> None:
    whole = evidence()
    whole.records[0].trouble.append("POST /v1/refunds: 500")
    whole.records[1].is_told = False

    breaches = judge(whole).breaches

    assert breaches == ["c0 (plain): POST /v1/refunds: 500", "c1: its story (plain) did not come to its end"]
