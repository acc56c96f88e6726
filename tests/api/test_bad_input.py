"""Whatever comes in over the wire ends in a 4xx problem and leaves no trace: no row, no run, no echo."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.front import REQUEST, Front, problem

GOOD = json.dumps(REQUEST)


def with_id(identifier: str) -> bytes:
    """The good body, its ticket id replaced by raw JSON."""
    return GOOD.replace('"id": "1"', f'"id": {identifier}').encode()


BODIES: dict[str, tuple[bytes, int, str, str]] = {
    "nothing": (b"", 400, "malformed-json", "json"),
    "blanks": (b"   ", 400, "malformed-json", "json"),
    "half an object": (GOOD[:-1].encode(), 400, "malformed-json", "json"),
    "two objects": (GOOD.encode() * 2, 400, "malformed-json", "json"),
    "an array": (b"[]", 422, "invalid-request", "object"),
    "null": (b"null", 422, "invalid-request", "object"),
    "a number": (b"1e3", 422, "invalid-request", "object"),
    "latin 1": (with_id('"é"').decode().encode("latin-1"), 400, "malformed-json", "utf8"),
    "utf-16": (GOOD.encode("utf-16"), 400, "malformed-json", "utf8"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), 400, "malformed-json", "json"),
    "NaN": (with_id("NaN"), 400, "malformed-json", "finite_numbers"),
    "Infinity": (with_id("-Infinity"), 400, "malformed-json", "finite_numbers"),
    "infinite float": (with_id("1e999"), 422, "invalid-request", "string_type"),
    "giant integer": (with_id("9" * 5000), 400, "malformed-json", "number_length"),
    "large integer": (with_id("9" * 40), 422, "invalid-request", "string_type"),
    "duplicate key": (
        GOOD.replace('"rail"', '"rail": "crypto", "rail"').encode(),
        400,
        "malformed-json",
        "unique_keys",
    ),
    "duplicate key inside": (with_id('"1", "id": "2"'), 400, "malformed-json", "unique_keys"),
    "deep arrays": (b"[" * 30_000 + b"]" * 30_000, 400, "malformed-json", "depth"),
    "deep objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "malformed-json", "depth"),
    "a little too deep": (with_id("[" * 20 + "]" * 20), 400, "malformed-json", "depth"),
    "lone surrogate": (with_id('"\\ud800"'), 422, "invalid-request", "unicode"),
    "lone surrogate as a key": (b'{"\\udfff": 1}', 422, "invalid-request", "unicode"),
    "NUL": (with_id('"a\\u0000b"'), 422, "invalid-request", "unicode"),
    "raw control sign": (with_id('"a\x01b"'), 400, "malformed-json", "json"),
    "right-to-left override": (with_id('"a\\u202eb"'), 422, "invalid-request", "value_error"),
    "white space at the end": (with_id('"1 "'), 422, "invalid-request", "value_error"),
    "empty id": (with_id('""'), 422, "invalid-request", "string_too_short"),
    "long id": (with_id(json.dumps("x" * 129)), 422, "invalid-request", "string_too_long"),
    "number for text": (with_id("4711"), 422, "invalid-request", "string_type"),
    "object for text": (with_id("{}"), 422, "invalid-request", "string_type"),
    "null for text": (with_id("null"), 422, "invalid-request", "string_type"),
}


@pytest.mark.parametrize(("body", "status", "slug", "rule"), BODIES.values(), ids=BODIES.keys())
def test_strange_body_is_refused(front: Front, body: bytes, status: int, slug: str, rule: str) -> None:
    front.scene.funded()

    answer = front.raw(body)

    problem(answer, status, slug, rule=rule)
    assert len(answer.content) < 1000
    assert_no_trace(front)


FIELDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown field": ({"amount_minor": 1}, "amount_minor", "extra_forbidden"),
    "destination": ({"destination": "0x" + "1" * 40}, "destination", "extra_forbidden"),
    "address to pay to": ({"to": "0x" + "1" * 40}, "to", "extra_forbidden"),
    "status": ({"status": "refunded"}, "status", "extra_forbidden"),
    "callback": ({"callback_url": "http://127.0.0.1/"}, "callback_url", "extra_forbidden"),
    "unknown field inside": ({"ticket": {"system": "desk", "id": "1", "x": 1}}, "ticket.x", "extra_forbidden"),
    "markup as a field": ({"<script>alert(1)</script>": 1}, "?", "extra_forbidden"),
    "missing ticket id": ({"ticket": {"system": "desk"}}, "ticket.id", "missing"),
    "system in capitals": ({"ticket": {"system": "Desk", "id": "1"}}, "ticket.system", "string_pattern_mismatch"),
    "url of a script": (
        {"ticket": {"system": "desk", "id": "1", "url": "javascript:alert(1)"}},
        "ticket.url",
        "string_pattern_mismatch",
    ),
    "two ways to name the account": ({"account": {"id": "acct", "username": "u"}}, "account", "exactly_one"),
    "no way to name the account": ({"account": {}}, "account", "exactly_one"),
    "channel of no kind": ({"channel": "phone"}, "channel", "enum"),
    "rail of no kind": ({"rail": "cash"}, "rail", "enum"),
    "proof of no kind": ({"payment_proof": "order 123"}, "payment_proof", "string_pattern_mismatch"),
    "proof that names something else": ({"payment_proof": "cs_123"}, "payment_proof", "payment_id"),
    "time of no kind": ({"requested_at": "yesterday"}, "requested_at", "rfc3339"),
    "time before all calendars": ({"requested_at": "0001-01-01T00:00:00+14:00"}, "requested_at", "year"),
    "locale of no kind": ({"locale": "../../etc"}, "locale", "string_pattern_mismatch"),
}


@pytest.mark.parametrize(("changes", "field", "rule"), FIELDS.values(), ids=FIELDS.keys())
def test_wrong_field_is_named(front: Front, changes: dict[str, Any], field: str, rule: str) -> None:
    front.scene.funded()

    answer = front.call("desk", "POST", "/v1/refunds", REQUEST | changes)

    problem(answer, 422, "invalid-request", field, rule)
    assert "script>" not in answer.text
    assert_no_trace(front)


SENTENCES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"acount": 1}, "`acount` is not a field here"),
    "unknown beside others": ({"rail": "cash", "ticket": {}, "acount": 1}, "`acount` is not a field here"),
    "unknown inside": (
        {"ticket": {"system": "desk", "id": "1", "urll": "secret"}},
        "`ticket.urll` is not a field here",
    ),
    "a card number as a name": ({"4242424242424242": 1}, "`?` is not a field here"),
    "missing": ({"ticket": {"system": "desk"}}, "ticket.id: must be given"),
    "pattern": (
        {"ticket": {"system": "secret words", "id": "1"}},
        "ticket.system: must be written in small letters, such as zammad",
    ),
    "empty": ({"deposit_id": ""}, "deposit_id: must not be empty"),
    "too long": ({"deposit_id": "secret" * 30}, "deposit_id: must be at most 128 characters long"),
    "choice": ({"channel": "secret"}, "channel: must be ticket or email"),
    "number for text": ({"deposit_id": 4711}, "deposit_id: must be a text"),
    "time": ({"requested_at": "secret"}, "requested_at: must be a time such as 2026-11-20T10:00:00Z"),
    "number for an object": ({"account": 7}, "account: must be an object"),
}


@pytest.mark.parametrize(("changes", "sentence"), SENTENCES.values(), ids=SENTENCES.keys())
def test_wrong_field_is_explained_in_plain_words(front: Front, changes: dict[str, Any], sentence: str) -> None:
    answer = front.call("desk", "POST", "/v1/refunds", REQUEST | changes)

    said = answer.json()
    assert said.pop("request_id")  # random digits of our own, which may look like anything
    assert said["detail"] == sentence
    assert "secret" not in str(said)
    assert "4242" not in str(said)


def test_numbers_and_flags_are_explained_in_plain_words(front: Front) -> None:
    order = {"account_id": "a", "product": "sms", "currency": "USD", "status": "charged"}
    order |= {"created_at": "2026-11-20T11:30:00Z"}
    owner = {"confirmation_id": "c", "action": "confirm", "evidence": "e", "requested_at_confirmed": "secret"}

    numbers = [
        front.call("shop", "PUT", "/v1/orders/o", order | {"amount_minor": it}).json()["detail"]
        for it in ("9", 1.5, 0)
    ]
    flag = front.call("ann", "POST", "/v1/refunds/rf_1/ownership", owner).json()["detail"]

    assert numbers == ["amount_minor: must be a whole number"] * 2 + ["amount_minor: must be at least 1"]
    assert flag == "requested_at_confirmed: must be true or false"


@pytest.mark.parametrize("missing", ["ticket", "channel", "account", "rail", "requested_at"])
def test_missing_field_is_named(front: Front, missing: str) -> None:
    body = {name: value for name, value in REQUEST.items() if name != missing}

    problem(front.call("desk", "POST", "/v1/refunds", body), 422, "invalid-request", missing, "missing")
    assert_no_trace(front)


def test_emoji_and_other_scripts_are_welcome(front: Front) -> None:
    front.scene.funded()

    assert front.start(ticket={"system": "desk", "id": "票据-😀"})["ticket"]["id"] == "票据-😀"


@pytest.mark.parametrize("size", [64 * 1024 + 1, 5_000_000], ids=["one byte", "megabytes"])
def test_body_above_the_limit_is_refused_while_it_is_read(front: Front, size: int) -> None:
    problem(front.raw(b" " * size), 413, "body-too-large", "body", "body_bytes_max")


def test_body_in_chunks_without_a_length_is_stopped_at_the_limit(front: Front) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 1024

    answer = front.call("desk", "POST", "/v1/refunds", content=chunks(), headers={"Content-Type": "application/json"})

    problem(answer, 413, "body-too-large")


def test_body_at_the_limit_is_read(front: Front) -> None:
    front.scene.funded()

    assert front.raw(GOOD.encode().ljust(64 * 1024)).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
    ],
    ids=["form", "text", "latin 1", "two types", "none", "gzip"],
)
def test_other_media_types_are_refused(front: Front, headers: dict[str, str]) -> None:
    front.scene.funded()

    problem(front.raw(GOOD.encode(), **headers), 415, "unsupported-media-type", "Content-Type")
    assert_no_trace(front)


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=utf-8"]
)
def test_json_in_utf_8_is_accepted(front: Front, media_type: str) -> None:
    front.scene.funded()

    assert front.raw(GOOD.encode(), **{"Content-Type": media_type}).status_code == 202


@pytest.mark.parametrize(
    "path",
    [
        "/v1/accounts/%00/balance",
        "/v1/accounts/%20a/balance",
        "/v1/accounts//balance",
        f"/v1/accounts/{'x' * 129}/balance",
    ],
    ids=["NUL", "white space", "empty", "long"],
)
def test_wrong_id_in_the_path_is_refused(front: Front, path: str) -> None:
    problem(front.call("shop", "GET", path), 422, "invalid-request", "account_id")


@pytest.mark.parametrize("path", ["/v1/refunds?ticket=%ff", "/v1/refunds/%c3%28"], ids=["query", "path"])
def test_address_that_is_not_utf_8_is_refused(front: Front, path: str) -> None:
    problem(front.call("desk", "GET", path), 400, "malformed-request", rule="utf8")


def test_decision_of_a_stranger_shape_changes_nothing(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.awaiting_approval()
    good = {"decision_id": "d", "action": "approve", "digest": front.scene.row(refund).digest}
    version = front.scene.row(refund).version

    for wrong in ({"operator": "bob"}, {"approved": True}, {"acknowledge": "all"}, {"digest": "x"}, {"action": 1}):
        answer = front.call("ann", "POST", f"/v1/refunds/{refund}/decisions", good | wrong)
        problem(answer, 422, "invalid-request", next(iter(wrong)))

    assert front.scene.row(refund).version == version
    assert front.runs.calls == 0


def assert_no_trace(front: Front) -> None:
    assert front.refunds() == []
    assert front.runs.calls == 0
