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


def test_table_tells_the_counts(shell: Shell) -> None:
    done = shell.run("import", "-", caller="shop", stdin=lines(records("table")))

    assert (done.status, done.err) == (0, "")
    assert done.out == "1 accounts, 1 deposits, 2 orders recorded; 0 lines refused; 0 not sent\n"


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
