"""`refunds import` feeds a file of records, in the order of their own times, and loses none."""

import json
from typing import Any

from tests.cli.shell import NOWHERE, Shell


def records(prefix: str) -> list[dict[str, Any]]:
    """An account, a deposit and two orders, in an order in which they cannot be booked."""
    account = f"{prefix}_acct"
    order = {"type": "order", "account_id": account, "product": "sms", "currency": "USD"}
    return [
        order | _order(f"{prefix}_o2", 1950, "2026-11-20T12:00:00+00:00"),
        order | _order(f"{prefix}_o1", 50, "2026-11-20T11:00:00Z"),
        {
            "type": "deposit",
            "id": f"{prefix}_dep",
            "account_id": account,
            "amount_minor": 2000,
            "currency": "USD",
            "paid_at": "2026-11-20T10:00:00Z",
            "terms_version": "2026-01",
            "payment": {"rail": "card", "payment_intent": f"pi_{prefix}"},
        },
        {"type": "account", "id": account, "username": prefix, "email": f"{prefix}@example.com", "status": "active"},
    ]


def _order(identifier: str, amount_minor: int, created_at: str) -> dict[str, Any]:
    return {"id": identifier, "amount_minor": amount_minor, "status": "charged", "created_at": created_at}


def lines(items: list[Any]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def test_file_of_any_order_is_booked_by_its_own_times_and_importing_again_changes_nothing(shell: Shell) -> None:
    path = shell.folder / "windows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + lines(records("windows")).replace(b"\n", b"\r\n") + b"\r\n")

    for _ in range(2):
        done = shell.run("import", str(path), "-o", "json", caller="shop")
        assert done.status == 0, done.err
        assert done.json == {"recorded": {"account": 1, "deposit": 1, "order": 2}, "refused": [], "not_sent": 0}

    scene = shell.scene()
    assert scene.balance("windows_acct")["used_minor"] == 2000
    assert scene.balance("windows_acct")["spendable_minor"] == 0


def test_bad_lines_are_named_by_number_field_and_rule_and_nothing_after_them_is_lost(shell: Shell) -> None:
    good = records("mixed")
    bad: list[Any] = [
        good[0] | {"id": "mixed_o9", "amount_minor": "1950"},
        good[0] | {"id": "mixed_o8", "created_at": "yesterday"},
        {"type": "voucher", "id": "v"},
        {"type": "order", "id": 7},
        ["order"],
        good[1] | {"id": "mixed_o7", "amount_minor": 5000},
    ]
    content = b'{"type": "order"\n' + lines(bad) + b'{"type": "order", "id": "a", "id": "b"}\n\n' + lines(good)

    done = shell.run("import", "-", "-o", "json", caller="shop", stdin=content)

    assert done.status == 1
    assert done.json["recorded"] == {"account": 1, "deposit": 1, "order": 2}
    assert done.json["not_sent"] == 0
    assert [(it["line"], it["field"], it["rule"]) for it in done.json["refused"]] == [
        (1, None, "json"),
        (2, "amount_minor", "int_type"),
        (3, "created_at", "rfc3339"),
        (4, "type", "known_type"),
        (5, "id", "required"),
        (6, None, "object"),
        (7, "amount_minor", "spendable_balance"),
        (8, None, "unique_keys"),
    ]
    assert "line 2: amount_minor: must be a whole number (field amount_minor, rule int_type)" in done.err


def test_no_id_can_end_an_import_or_lead_to_another_address(shell: Shell) -> None:
    good = records("ids")
    strange = {"type": "account", "username": "strange", "status": "active"}
    bad = [
        strange | {"id": it} for it in ("x" * 129, "x" * 100_000, "a\nb", "a\n", "a\u202eb", " a", "\0", "a\ud800")
    ]
    dots = [strange | {"id": it, "username": f"strange{it}"} for it in (".", "..", "%2e%2e", "../deposits/a")]

    done = shell.run("import", "-", "-o", "json", caller="shop", stdin=lines(bad + dots + good))

    assert done.status == 1, done.err
    assert done.json["recorded"] == {"account": 1 + len(dots), "deposit": 1, "order": 2}
    assert done.json["not_sent"] == 0
    assert [(it["line"], it["field"]) for it in done.json["refused"]] == [(number + 1, "id") for number in range(8)]
    assert {it["rule"] for it in done.json["refused"]} == {"string_too_long", "value_error", "unicode"}


def test_strange_values_are_named_and_end_no_import(shell: Shell) -> None:
    good = records("strange")
    order, deposit = good[0], good[2]
    crypto = {"rail": "crypto", "chain_id": 31337, "tx_hash": "0x" + "1" * 64, "asset": "native"}
    bad: list[Any] = [
        order | {"created_at": "0001-01-01T00:00:00+14:00"},
        order | {"created_at": "9999-12-31T23:59:59-14:00"},
        order | {"amount_minor": 10**40},
        order | {"product": "x" * 70_000},
        order | {"account_id": "a\u202eb"},
        order | {"destination": "0x" + "1" * 40},
        deposit | {"payment": crypto | {"amount_base_units": "1" * 79}},
        deposit | {"payment": crypto | {"amount_base_units": "1e18"}},
        deposit | {"payment": crypto | {"tx_hash": "0x1"}},
        deposit | {"payment": []},
    ]

    content = lines(bad) + b'{"type":"order","id":"n","amount_minor":NaN}\n' + b"[" * 70_000 + b"\n\xff\xfe\n"
    done = shell.run("import", "-", "-o", "json", caller="shop", stdin=content + lines(good))

    assert done.json["recorded"] == {"account": 1, "deposit": 1, "order": 2}, done.err
    assert [(it["line"], it["field"]) for it in done.json["refused"]] == [
        (1, "created_at"),
        (2, "created_at"),
        (3, "amount_minor"),
        (4, "body"),
        (5, "account_id"),
        (6, "destination"),
        (7, "payment.amount_base_units"),
        (8, "payment.amount_base_units"),
        (9, "payment.tx_hash"),
        (10, "payment"),
        (11, None),
        (12, None),
        (13, None),
    ]
    assert all(it["rule"] for it in done.json["refused"])


def test_table_tells_the_counts(shell: Shell) -> None:
    done = shell.run("import", "-", caller="shop", stdin=lines(records("table")))

    assert (done.status, done.err) == (0, "")
    assert done.out == "1 account, 1 deposit, 2 orders recorded; 0 lines refused; 0 not sent\n"


def test_wrong_role_is_said_once_and_not_of_every_line(shell: Shell) -> None:
    done = shell.run("import", "-", caller="ann", stdin=lines(records("role")))

    assert done.status == 1
    assert done.err.count("not-allowed") == 1
    assert "line" not in done.err


def test_api_that_is_away_leaves_a_file_that_can_be_imported_again(shell: Shell) -> None:
    stdin = lines(records("away"))
    done = shell.run("import", "-", "-o", "json", caller="shop", stdin=stdin, REFUNDS_API_URL=NOWHERE)

    assert done.status == 3
    assert done.json["not_sent"] == 4
    assert "Import the same file again" in done.err


def test_missing_file_is_wrong_usage(shell: Shell) -> None:
    assert shell.run("import", "nowhere.jsonl", caller="shop").status == 2


def test_file_of_another_kind_is_not_listed_to_its_end(shell: Shell) -> None:
    done = shell.run("import", "-", "-o", "json", caller="shop", stdin=b"id,amount\n" * 50)

    assert done.status == 1
    assert done.err.count("line ") == 20
    assert done.err.splitlines()[-1] == "... and 30 more; is this JSON Lines?"
    assert len(done.json["refused"]) == 50


def test_refusals_of_the_api_fill_the_list_up_to_its_end(shell: Shell) -> None:
    orders = [{"type": "order", "id": f"o{number}"} for number in range(22)]

    done = shell.run("import", "-", caller="shop", stdin=b"{\n" + lines(orders))

    assert done.status == 1
    assert done.err.count("line ") == 20
    assert done.err.splitlines()[-1] == "... and 3 more"


def test_file_without_records_says_so(shell: Shell) -> None:
    for content in (b"", b"\n\n", b"\xef\xbb\xbf"):
        done = shell.run("import", "-", caller="shop", stdin=content)
        assert (done.status, done.err) == (1, "The file holds no records.\n")
