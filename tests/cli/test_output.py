"""What others wrote never reaches a terminal as it is, and nothing that matters is cut."""

from cli.output import columns, plain
from cli.pictures import at_stake, to_acknowledge

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
