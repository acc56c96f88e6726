"""Card numbers are found as people paste them, and what only looks a little like one is left alone."""

import pytest

from domain.card_numbers import field_with_card_number, holds_card_number, mask
from domain.errors import InvalidRequest
from domain.refunds import OWN_IDS, RefundRequest, parse_ticket

# The numbers that card schemes and processors publish for tests.
NUMBERS = [
    "4242424242424242",
    "4111 1111 1111 1111",
    "4000-0566-5566-5556",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "3782 822463 10005",
    "6011111111111117",
    "30569309025904",
    "3530111333300000",
    "6205500000000000004",
    "4222222222222",
    "4242 \u2013 4242 \u2013 4242 \u2013 4242",
    "\uff14\uff12" * 8,  # as some keyboards write digits
]
HARMLESS = [
    "4242424242424241",
    "1732370400000",
    "215469871234567",
    "424242424242",
    "42424242424242424242",
    "pi_3MtwBwLkdIwHu7ix28a3tqPa",
    "2026-11-20T10:00:00.123456Z",
    "0x" + "4242424242424242" * 4,
    "sha256:" + "4242424242424242" * 4,
    "42424242-4242-4242-8242-424242424242",
    "acct_42424242424242424242424242424242",
    "424242424242424242424242",
    "https://desk.example/tickets/4711?at=1732370400000",
]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("around", ["{}", "card {} 12/28 123", "no 12 {}", "Visa{}!", "https://d.example/?q={}&x=1"])
def test_a_card_number_is_found_wherever_it_stands(number: str, around: str) -> None:
    assert holds_card_number(around.format(number))


def test_a_card_number_is_found_in_an_address_that_hides_its_spaces() -> None:
    assert holds_card_number("https://d.example/?q=4242%204242%204242%204242")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_card_number_passes(text: str) -> None:
    assert not holds_card_number(text)
    assert mask(text) == text


def test_a_masked_number_shows_its_last_four_digits_and_is_none_any_more() -> None:
    masked = mask("paid with 4242 4242 4242 4242 and 378282246310005, on 2026-11-20")

    assert masked == "paid with **** **** **** 4242 and ***********0005, on 2026-11-20"
    assert mask(masked) == masked


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"ticket": {"id": "4242424242424242"}}, "ticket.id"),
        ({"ticket": {"id": 4242424242424242}}, "ticket.id"),
        ({"made_up": [{"deep": "4242 4242 4242 4242"}]}, "made_up.deep"),
        ({"ticket": {"4242424242424242": 1}}, "ticket"),
        ({"account": {"id": "4242424242424242"}}, "account.id"),
        ({"ticket": {"id": "6205500000000000004"}}, None),
        ({"ticket": {"id": "6205500000000000004 "}}, "ticket.id"),
        ({"account": {"id": "6205500000000000004"}, "deposit_id": "6205500000000000004"}, None),
        ({"account": {"id": "user_6205500000000000004"}, "deposit_id": "dep-6205500000000000004"}, None),
        ({"account": {"id": "card 6205500000000000004"}}, "account.id"),
        ({"account": {"id": "user_4242424242424242"}}, "account.id"),
        ({"account": {"username": "6205500000000000004"}}, "account.username"),
    ],
)
def test_the_field_is_named_and_never_the_number(raw: object, field: str | None) -> None:
    assert field_with_card_number(raw, OWN_IDS) == field


def test_json_of_any_depth_is_looked_through() -> None:
    raw: object = "4242424242424242"
    for _ in range(50_000):
        raw = [raw]

    assert field_with_card_number(raw, frozenset()) == "body"


def test_a_start_with_a_card_number_anywhere_is_refused_before_any_step() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_ticket({"ticket": {"system": "zammad", "id": "1"}, "note": "4242424242424242"})

    assert (refused.value.field, refused.value.rule) == ("note", "card_number")
    assert "4242" not in refused.value.message


@pytest.mark.parametrize("proof", ["cs_test_a1B2c3D4e5", "cs_live_a1B2c3D4e5", "in_1MtHbELkdIwHu7ix", "re_1abc"])
def test_a_proof_that_names_something_else_at_the_processor_is_told_apart(proof: str) -> None:
    raw = {
        "ticket": {"system": "zammad", "id": "1"},
        "channel": "email",
        "account": {"id": "acct_1"},
        "rail": "card",
        "requested_at": "2026-11-20T10:00:00Z",
        "payment_proof": proof,
    }

    with pytest.raises(InvalidRequest) as refused:
        RefundRequest.parse(raw)

    assert (refused.value.field, refused.value.rule) == ("payment_proof", "payment_id")
    assert "pi_, ch_ or py_" in refused.value.message
