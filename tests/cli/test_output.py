"""What others wrote never reaches a terminal as it is, and nothing that matters is cut."""

import pytest

from cli.output import columns, counted, plain
from cli.pictures import amount, at_stake, coins, in_full, in_short, to_acknowledge, what_came_of_it

REFUND = {
    "id": "rf_1",
    "status": "awaiting_approval",
    "status_reason": None,
    "waiting_for": "approval",
    "duplicate_of": None,
    "ticket": {"system": "desk", "id": "1\x1b[2J\u202e"},
    "account_id": "acct",
    "ownership": "helpdesk_asserted",
    "deposit_id": "dep",
    "amount_minor": 1999,
    "currency": "USD",
    "rail": "crypto",
    "payment": {"rail": "crypto", "chain_id": 1, "asset": "native", "amount_base_units": str(10**30)},
    "pay_due_at": "2026-12-04T12:00:00Z",
    "attempt": 1,
    "approvals_needed": 2,
    "digest": "sha256:" + "a" * 64,
    "verdict": {
        "outcome": "review",
        "policy_version": "2026-01",
        "destination": "0x" + "5e" * 20,
        "rules": [
            {"rule": "unused", "outcome": "pass", "code": "unused", "reason": "Nothing was used."},
            {"rule": "route", "outcome": "review", "code": "sender_is_contract,odd", "reason": "Judge."},
        ],
    },
}


def test_control_characters_are_replaced() -> None:
    assert plain("a\x1b[31mb\r\nc\u202ed") == "a�[31mb��c�d"
    assert plain(None) == "-"


def test_one_is_not_written_as_many() -> None:
    assert [counted(count, "refund") for count in (0, 1, 2)] == ["0 refunds", "1 refund", "2 refunds"]
    assert [counted(count, "entry", "entries") for count in (1, 2)] == ["1 entry", "2 entries"]


def test_columns_align_and_cut_nothing() -> None:
    assert columns([("a", "x" * 200, "b"), ("long", "y", "c")]) == [
        f"a     {'x' * 200}  b",
        f"long  y{' ' * 199}  c",
    ]


def test_what_is_at_stake_is_shown_whole() -> None:
    text = "\n".join(at_stake(REFUND))

    for part in ("19.99 USD", str(10**30), "chain 1", "0x" + "5e" * 20, "sha256:" + "a" * 64, "2 needed", "Judge."):
        assert part in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_every_review_must_be_acknowledged_by_its_code() -> None:
    assert to_acknowledge(REFUND) == ["sender_is_contract", "odd"]


HISTORY = {
    "decisions": [],
    "payouts": [],
    "disputes": [],
    "fraud_warnings": [],
    "messages": [],
    "timeline": [
        {"at": "2026-11-20T12:00:00.123456Z", "event": "payout.signed", "actor": "service", "subject": None}
        | {"detail": {"attempt": 1, "tx_hash": "0xfeed", "provider_ref": None}},
        {"at": "2026-11-20T12:00:01Z", "event": "hold.placed", "actor": "service", "subject": None, "detail": {}},
        {"at": "2026-11-20T12:00:02Z", "event": "refund.rejected", "actor": "ann", "subject": "d_1"}
        | {"detail": {"reason": "ownership_denied"}},
    ],
}


def test_timeline_tells_what_each_entry_is_about_and_no_fractions_of_seconds() -> None:
    lines = in_full(REFUND | HISTORY)

    assert [line.strip() for line in lines[-3:]] == [
        "2026-11-20T12:00:00Z  payout.signed    service  0xfeed",
        "2026-11-20T12:00:01Z  hold.placed      service",
        "2026-11-20T12:00:02Z  refund.rejected  ann      d_1, ownership_denied",
    ]


def test_what_came_of_an_act_does_not_repeat_what_was_at_stake() -> None:
    text = "\n".join(what_came_of_it(REFUND | HISTORY))

    assert text.startswith("refund  rf_1\nstatus  awaiting_approval, waiting for approval")
    assert "payout.signed" in text
    assert "destination" not in text


def test_list_fits_a_hundred_columns_with_the_longest_of_our_words() -> None:
    row = REFUND | {
        "id": "rf_" + "a" * 24,
        "status": "awaiting_ownership",
        "status_reason": "ownership_not_confirmed_in_time",
        "ticket": {"system": "zammad", "id": "4711\x1b"},
        "amount_minor": 2**53 - 1,
        "updated_at": "2026-11-20T12:00:00.5+01:00",
    }

    head, first, second = in_short([row])

    assert max(map(len, (head, first, second))) <= 100
    assert first.endswith("2026-11-20T11:00:00Z")
    assert second == "    zammad:4711�, account acct, ownership_not_confirmed_in_time"


@pytest.mark.parametrize(
    ("units", "asset", "words"),
    [
        pytest.param(10**16, "native", "0.01 (10000000000000000 base units) of the native coin", id="a hundredth"),
        pytest.param(25 * 10**18, "native", f"25 ({25 * 10**18} base units) of the native coin", id="whole coins"),
        pytest.param(1, "native", f"0.{'0' * 17}1 (1 base units) of the native coin", id="the smallest"),
        pytest.param(10**20, "native", f"100 ({10**20} base units) of the native coin", id="noughts at the end"),
        pytest.param(10**6, "0xa0b8", "1000000 base units of 0xa0b8", id="a token"),
    ],
)
def test_coins_are_written_exactly(units: int, asset: str, words: str) -> None:
    assert coins(str(units), asset) == words
    payment = {"rail": "crypto", "chain_id": 1, "asset": asset, "amount_base_units": str(units)}
    assert amount({"payment": payment}) == f"{words} on chain 1"
