"""A request is read strictly, refused by name, and never quoted back."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from domain.refunds import (
    ARROWS,
    END_STATES,
    UNPAID_ENDS,
    WITHDRAWABLE,
    RefundRequest,
    RefundStatus,
    TicketRef,
    parse_ticket,
    refund_id,
    wallet_workflow_id,
    workflow_id,
)

GOOD: dict[str, Any] = {
    "ticket": {"system": "zammad", "id": "4711", "url": "https://desk.example/4711"},
    "channel": "ticket",
    "account": {"id": "acct"},
    "rail": "card",
    "requested_at": "2026-11-20T12:00:00Z",
}
CANARY = "canary-4f2a"
STRANGE = [
    pytest.param("a\u202eb", id="right-to-left override"),
    pytest.param("a\u2066b", id="bidirectional isolate"),
    pytest.param("a\u200bb", id="zero width space"),
    pytest.param("a\u200db", id="zero width joiner"),
    pytest.param("\ufeffab", id="byte order mark"),
    pytest.param("a\x00b", id="null"),
    pytest.param("a\nb", id="line break"),
    pytest.param("a\x1b[31m", id="terminal escape"),
    pytest.param("a\x85b", id="next line"),
    pytest.param("a\u2028b", id="line separator"),
    pytest.param("a\ud800b", id="lone surrogate"),
    pytest.param("a\ue000b", id="private use"),
    pytest.param(" a", id="space in front"),
    pytest.param("a\u00a0", id="no-break space at the end"),
    pytest.param("", id="empty"),
    pytest.param("a" * 129, id="129 characters"),
]


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the good request with one field set, where `path` names it with points."""
    outer, _, inner = path.partition(".")
    return GOOD | {outer: GOOD[outer] | {inner: value} if inner else value}


def refusal(raw: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        RefundRequest.parse(raw)
    return refused.value


def test_a_good_request_is_read() -> None:
    request = RefundRequest.parse(GOOD)

    assert request.requested_at == datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    assert (request.locale, request.deposit_id, request.payment_proof) == ("en", None, None)


def test_unknown_fields_are_ignored_here() -> None:
    assert RefundRequest.parse(GOOD | {"destination": "0xevil"}) == RefundRequest.parse(GOOD)


def test_a_moment_is_kept_in_utc() -> None:
    request = RefundRequest.parse(changed("requested_at", "2026-11-20T14:00:00+02:00"))

    assert request.requested_at == datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    assert request.requested_at.tzinfo == UTC


@pytest.mark.parametrize("field", ["ticket", "channel", "account", "rail", "requested_at"])
def test_a_missing_field_is_named(field: str) -> None:
    error = refusal({name: value for name, value in GOOD.items() if name != field})

    assert (error.field, error.rule) == (field, "missing")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("ticket", CANARY, id="ticket as a text"),
        pytest.param("ticket", None, id="no ticket"),
        pytest.param("ticket.id", 4711, id="ticket id as a number"),
        pytest.param("ticket.id", {"canary": CANARY}, id="ticket id as an object"),
        pytest.param("ticket.system", f"Zammad {CANARY}", id="system with a capital and a space"),
        pytest.param("ticket.system", "a" * 33, id="system of 33 characters"),
        pytest.param("ticket.url", f"javascript:{CANARY}", id="url that runs"),
        pytest.param("ticket.url", f'https://x/"{CANARY}', id="url with a quote"),
        pytest.param("ticket.url", f"https://x/\u202e{CANARY}", id="url with an override"),
        pytest.param("ticket.url", f"https://x/\x00{CANARY}", id="url with a null"),
        pytest.param("ticket.url", "https://x/" + "a" * 2048, id="url that is too long"),
        pytest.param("channel", CANARY, id="unknown channel"),
        pytest.param("channel", "Ticket", id="channel in capitals"),
        pytest.param("account", {}, id="neither id nor username"),
        pytest.param("account", {"id": CANARY, "username": CANARY}, id="both id and username"),
        pytest.param("account", [CANARY], id="account as a list"),
        pytest.param("rail", f"bank {CANARY}", id="unknown rail"),
        pytest.param("rail", 1, id="rail as a number"),
        pytest.param("requested_at", CANARY, id="no time"),
        pytest.param("requested_at", "2026-11-20T12:00:00", id="time without a zone"),
        pytest.param("requested_at", 1795521600, id="time as a number"),
        pytest.param("requested_at", "1795521600", id="time as digits"),
        pytest.param("requested_at", "2026-11-20", id="day without a time"),
        pytest.param("requested_at", "0001-01-01T00:00:00+14:00", id="time before the calendar in UTC"),
        pytest.param("requested_at", "9999-12-31T23:59:59-14:00", id="time after the calendar in UTC"),
        pytest.param("requested_at", [CANARY], id="time as a list"),
        pytest.param("deposit_id", 7, id="deposit as a number"),
        pytest.param("payment_proof", CANARY, id="no known kind of proof"),
        pytest.param("payment_proof", "pi_", id="payment without an id"),
        pytest.param("payment_proof", "0x" + "a" * 63, id="hash of 63 digits"),
        pytest.param("payment_proof", "0x" + "a" * 65, id="hash of 65 digits"),
        pytest.param("payment_proof", "0x" + "a" * 64 + "\n", id="hash and a line break"),
        pytest.param("payment_proof", "pi_" + "a" * 251, id="payment id of 251 characters"),
        pytest.param("session_claim", "a" * 4097, id="claim that is too long"),
        pytest.param("locale", f"<b>{CANARY}", id="no locale"),
    ],
)
def test_what_breaks_a_rule_is_named_and_never_quoted(path: str, value: Any) -> None:
    error = refusal(changed(path, value))

    assert error.field is not None
    assert path.startswith(error.field) or error.field.startswith(path)
    assert error.rule
    assert CANARY not in error.message
    assert error.message.isprintable()


@pytest.mark.parametrize("path", ["ticket.id", "account.id", "account.username", "deposit_id"])
@pytest.mark.parametrize("value", STRANGE)
def test_an_id_holds_printable_characters_only(path: str, value: str) -> None:
    raw = changed("account", {"username": value}) if path == "account.username" else changed(path, value)

    error = refusal(raw)

    assert error.field == path
    assert not value.strip("a ") or value not in error.message


@pytest.mark.parametrize(
    "value",
    ["a", "a" * 128, "工单 4711", "Ünï-cöde", "مرحبا", "a b", "<b>"],
    ids=["one character", "128 characters", "Chinese", "accents", "Arabic", "space inside", "markup, never rendered"],
)
def test_an_id_may_be_of_any_script(value: str) -> None:
    assert RefundRequest.parse(changed("ticket.id", value)).ticket.id == value


@pytest.mark.parametrize(
    "raw",
    [None, [], "a text", 1, True, b"bytes"],
    ids=["nothing", "a list", "a text", "a number", "a truth value", "bytes"],
)
def test_what_is_no_object_is_refused_as_a_whole(raw: Any) -> None:
    assert refusal(raw).field == "body"
    with pytest.raises(InvalidRequest) as refused:
        parse_ticket(raw)
    assert refused.value.field == "body"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        pytest.param({}, "ticket", id="no ticket"),
        pytest.param({"ticket": {"system": "desk"}}, "ticket.id", id="no id"),
        pytest.param({"ticket": {"system": "desk", "id": "\ud800"}}, "ticket.id", id="lone surrogate"),
    ],
)
def test_a_ticket_alone_is_read_just_as_strictly(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_ticket(raw)

    assert refused.value.field == field


def test_a_ticket_alone_is_enough_to_name_the_refund() -> None:
    ticket = parse_ticket({"ticket": GOOD["ticket"], "channel": "nonsense"})

    assert refund_id(ticket) == refund_id(RefundRequest.parse(GOOD).ticket)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys([*GOOD, "deposit_id", "payment_proof"], JSON)))
def test_any_json_is_read_or_refused_and_nothing_else_happens(raw: Any) -> None:
    try:
        request, refused = RefundRequest.parse(raw), None
    except InvalidRequest as error:
        request, refused = None, error

    assert (request is None) == (refused is not None)
    assert refused is None or (refused.field and refused.rule and refused.message.isprintable())


def test_the_id_of_a_refund_is_that_of_its_ticket_for_ever() -> None:
    ticket = TicketRef(system="zammad", id="4711")

    assert refund_id(ticket) == "rf_4f4b9f77c6b4bd33235f240d"
    assert refund_id(TicketRef(system="zammad", id="4711", url="https://elsewhere.example/")) == refund_id(ticket)
    assert workflow_id(refund_id(ticket)) == f"refund/{refund_id(ticket)}"


@pytest.mark.parametrize(
    ("system", "id"),
    [
        pytest.param("zammad", "4712", id="another ticket"),
        pytest.param("zendesk", "4711", id="another help desk"),
        pytest.param("zammad4", "711", id="the same letters cut elsewhere"),
    ],
)
def test_another_ticket_is_another_refund(system: str, id: str) -> None:
    assert refund_id(TicketRef(system=system, id=id)) != refund_id(TicketRef(system="zammad", id="4711"))


def test_the_wallet_s_run_is_named_by_chain_and_address() -> None:
    assert wallet_workflow_id(1, "0xabc") == "wallet/1/0xabc"


def test_every_state_but_the_unpaid_ends_leads_somewhere() -> None:
    assert set(ARROWS) == set(RefundStatus) - UNPAID_ENDS
    assert all(ARROWS[status] for status in ARROWS)


def test_nobody_withdraws_once_money_may_move() -> None:
    assert WITHDRAWABLE.isdisjoint(END_STATES | {RefundStatus.PAYING, RefundStatus.CONFIRMING})
    assert all(RefundStatus.WITHDRAWN in ARROWS[status] for status in WITHDRAWABLE)


def test_only_a_decided_refund_is_ever_paid_and_a_paid_one_is_never_let_go() -> None:
    into_paying = {status for status, targets in ARROWS.items() if RefundStatus.PAYING in targets}

    assert into_paying == {RefundStatus.AWAITING_APPROVAL}
    assert ARROWS[RefundStatus.REFUNDED] == {RefundStatus.NEEDS_ATTENTION}
    assert ARROWS[RefundStatus.PAYING].isdisjoint(UNPAID_ENDS)
    assert ARROWS[RefundStatus.CONFIRMING].isdisjoint(UNPAID_ENDS)
