"""Paths, queries, cursors and headers mean one thing to every reader, or are refused and change nothing."""

import base64
import json
from typing import Any

import pytest

from tests.api.front import ACCOUNT, REQUEST, Front, problem, token_of


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/accounts/acct_new%0A"),
        ("PUT", "/v1/accounts/acct%0Anew"),
        ("GET", "/v1/refunds%0A"),
        ("GET", "/v1/refunds/rf_1%0A"),
    ],
)
def test_line_break_in_a_path_is_refused_and_not_dropped(front: Front, method: str, path: str) -> None:
    body = ACCOUNT if method == "PUT" else None

    answer = front.call("shop" if body else "desk", method, path, body)

    problem(answer, 400, "malformed-request", "path", "line_break")
    problem(front.call("shop", "GET", "/v1/accounts/acct_new/balance"), 404, "not-found")


@pytest.mark.parametrize(
    ("caller", "path", "field"),
    [
        ("vera", f"/v1/audit/verification?sqe=1&hsh={'0' * 64}", "sqe"),
        ("vera", "/v1/rails?rail=card", "rail"),
        ("desk", "/v1/refunds?acount=acct", "acount"),
        ("desk", "/v1/refunds?=1", "query"),
        ("shop", "/v1/accounts/acct/balance?currency=USD", "currency"),
        ("vera", "/v1/findings?open=false&%3Cscript%3E=1", "?"),
    ],
    ids=["a head that would not be looked at", "no parameters", "a filter", "no name", "a balance", "markup"],
)
def test_parameter_that_would_be_ignored_is_named(front: Front, caller: str, path: str, field: str) -> None:
    front.scene.funded()

    problem(front.call(caller, "GET", path), 422, "invalid-request", field, "extra_forbidden")


def test_misspelt_deliver_does_not_tell_the_run_of_a_decision_after_all(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.awaiting_approval()
    body = {"decision_id": "d", "action": "approve", "digest": front.scene.row(refund).digest}

    answer = front.call("ann", "POST", f"/v1/refunds/{refund}/decisions?delivr=false", body)

    problem(answer, 422, "invalid-request", "delivr", "extra_forbidden")
    assert front.call("ann", "GET", f"/v1/refunds/{refund}").json()["decisions"] == []
    assert front.runs.calls == 0


@pytest.mark.parametrize("path", ["/v1/refunds?status=refunded&status=checking", "/v1/refunds?limit=1&limit=1"])
def test_parameter_that_is_given_twice_is_refused(front: Front, path: str) -> None:
    problem(front.call("desk", "GET", path), 422, "invalid-request", rule="once")


@pytest.mark.parametrize("number", ["1_0", "%201", "1.0", "+1", "1e1", "0x1", "%D9%A1", "", "9" * 5000])
def test_number_in_a_query_is_written_in_plain_digits(front: Front, number: str) -> None:
    problem(front.call("desk", "GET", f"/v1/refunds?limit={number}"), 422, "invalid-request", "limit")
    problem(front.call("vera", "GET", f"/v1/findings?limit={number}"), 422, "invalid-request", "limit")


@pytest.mark.parametrize("flag", ["on", "1", "y", "True", "", "null"])
def test_flag_in_a_query_is_true_or_false(front: Front, flag: str) -> None:
    problem(front.call("vera", "GET", f"/v1/findings?open={flag}"), 422, "invalid-request", "open", "bool_parsing")


GOOD_ID = "rf_" + "0" * 24
CURSORS: dict[str, Any] = {
    "before all calendars": ["0001-01-01T00:00:00+14:00", GOOD_ID],
    "after all calendars": ["9999-12-31T23:59:59-14:00", GOOD_ID],
    "no zone": ["2026-11-20T00:00:00", GOOD_ID],
    "NUL in the id": ["2026-11-20T00:00:00+00:00", "rf_\0"],
    "another kind of id": ["2026-11-20T00:00:00+00:00", "' OR 1=1 --"],
    "no text": ["2026-11-20T00:00:00+00:00", 7],
    "one part": ["2026-11-20T00:00:00+00:00"],
    "not finite": [float("nan"), GOOD_ID],
    "a number": 7,
    "null": None,
}


@pytest.mark.parametrize("value", CURSORS.values(), ids=CURSORS.keys())
def test_cursor_that_was_tampered_with_is_refused(front: Front, value: Any) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()

    answer = front.call("desk", "GET", "/v1/refunds", params={"cursor": cursor})

    problem(answer, 422, "invalid-request", "cursor", "cursor")


@pytest.mark.parametrize("cursor", ["", "7x", "-1", "\u0661", str(2**63), "9" * 20])
def test_cursor_of_findings_that_was_tampered_with_is_refused(front: Front, cursor: str) -> None:
    answer = front.call("vera", "GET", "/v1/findings", params={"cursor": cursor})

    problem(answer, 422, "invalid-request", "cursor", "cursor")


def test_two_authorizations_are_none(front: Front) -> None:
    """A proxy in front may have looked at the other one."""
    headers = [("Authorization", f"Bearer {token_of(name)}") for name in ("vera", "ada")]

    answer = front.client.get("/v1/operators", headers=headers)

    problem(answer, 401, "not-authenticated")


@pytest.mark.parametrize(
    "more",
    [
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/json")],
        [("Content-Encoding", "identity"), ("Content-Encoding", "gzip")],
    ],
    ids=["another type", "the same type", "two encodings"],
)
def test_body_that_is_described_twice_is_refused(front: Front, more: list[tuple[str, str]]) -> None:
    front.scene.funded()
    headers = [("Authorization", f"Bearer {token_of('desk')}"), ("Content-Type", "application/json"), *more]

    answer = front.client.post("/v1/refunds", content=json.dumps(REQUEST), headers=headers)

    problem(answer, 415, "unsupported-media-type", "Content-Type")
    assert front.refunds() == []


def test_body_with_a_length_and_in_chunks_is_refused(front: Front) -> None:
    front.scene.funded()
    body = json.dumps(REQUEST).encode()

    answer = front.raw(body, **{"Transfer-Encoding": "chunked", "Content-Length": str(len(body))})

    problem(answer, 400, "malformed-request", "Content-Length", "one_length")
    assert answer.headers["connection"] == "close"
    assert front.refunds() == []


def test_body_that_promises_too_much_is_refused_before_it_comes(front: Front) -> None:
    problem(front.raw(b"{}", **{"Content-Length": "104857600"}), 413, "body-too-large", "body", "body_bytes_max")
    problem(front.raw(b"{}", **{"Content-Length": "9" * 5000}), 413, "body-too-large", "body", "body_bytes_max")


HIDDEN = {"right-to-left override": "a\u202eb", "zero width": "a\u200bb", "half a pair": "a\ud800b", "bell": "a\x07b"}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
def test_hidden_characters_are_refused_wherever_one_line_is_asked_for(front: Front, hidden: str) -> None:
    front.scene.funded()
    ticket = {"system": "desk", "id": "1", "url": f"https://desk.example.com/{hidden}"}
    account = {"username": "user2", "status": "active", "email": f"{hidden}@example.com"}

    refused = [
        (
            front.call("desk", "POST", "/v1/refunds", content=json.dumps(REQUEST | {"ticket": ticket}), **JSON),
            "ticket",
        ),
        (front.call("ann", "POST", "/v1/checks", content=json.dumps(CHECK | {"ticket": ticket}), **JSON), "ticket"),
        (front.call("shop", "PUT", "/v1/accounts/acct_2", content=json.dumps(account), **JSON), "email"),
    ]

    for answer, field in refused:
        assert problem(answer, 422, "invalid-request")["field"].split(".")[0] == field
    assert front.refunds() == []
    problem(front.call("shop", "GET", "/v1/accounts/acct_2/balance"), 404, "not-found")


JSON: dict[str, Any] = {"headers": {"Content-Type": "application/json"}}
CHECK = {"deposit_id": "dep"}


def test_reconciliation_can_be_read_under_every_id_that_it_can_be_asked_for(front: Front) -> None:
    asked = front.call("vera", "POST", "/v1/reconciliations", {"reconciliation_id": "2026/11"})

    assert asked.status_code == 202
    assert front.call("vera", "GET", "/v1/reconciliations/2026%2F11").json()["id"] == "2026/11"
