"""What must not stand in a log line is taken out, and what people need to read stays."""

from typing import Any

import pytest

from redaction import REDACTED, Redaction

HASH = "0x" + "ab12" * 16
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param("key sk_test_51HxAbCdEf is wrong", "51HxAbCdEf", id="stripe_secret_key"),
        pytest.param("rk_live_abcdefgh1234", "abcdefgh1234", id="stripe_restricted_key"),
        pytest.param("with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8", id="webhook_secret"),
        pytest.param("Authorization: Bearer abc.def-ghi_jkl", "abc.def", id="bearer"),
        pytest.param("Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpw", id="basic"),
        pytest.param("rfd_T0kenOfSomebody", "T0kenOf", id="token_of_a_caller"),
        pytest.param("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJzdWIi", id="jwt"),
        pytest.param("t=1,v1=" + "5f" * 32, "5f5f5f5f", id="webhook_signature"),
        pytest.param("sha256=" + "0a" * 32, "0a0a0a", id="hub_signature"),
        pytest.param("signed 0x" + "1c" * 65, "1c1c1c", id="signature_of_an_account"),
        pytest.param(f"private key {HASH}", "ab12ab12", id="private_key_after_its_name"),
        pytest.param(f"private_key={HASH}", "ab12ab12", id="private_key_assigned"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE", id="pem"),
        pytest.param('{"password": "hunter2hunter2"}', "hunter2", id="password_in_json"),
        pytest.param("postgresql://app:pa55word@db/refunds", "pa55word", id="password_in_a_url"),
        pytest.param("paid with 4242 4242 4242 4242", "4242 4242", id="card_in_groups"),
        pytest.param("paid with 4000056655665556.", "40000566", id="card_in_one"),
        pytest.param("paid with 3782-822463-10005", "822463", id="fifteen_digits"),
        pytest.param("mail of anna.o'neil+x@mail.example.co.uk came", "neil+x", id="e_mail"),
        pytest.param("mail of jörg@exämple.de came", "jörg", id="e_mail_beyond_ascii"),
    ],
)
def test_secrets_and_persons_are_taken_out_of_text(text: str, secret: str) -> None:
    cleaned = Redaction().text(text)

    assert secret not in cleaned
    assert REDACTED in cleaned


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"payout {HASH} was broadcast", id="hash_of_a_chain_transaction"),
        pytest.param(f"sent to {ADDRESS}", id="address"),
        pytest.param("sha256:" + "c3" * 32, id="digest"),
        pytest.param("rf_0123456789abcdef01234567", id="refund"),
        pytest.param("pi_3urX7hJXzm4TS08SSUGCvzCU0 and re_3dffOT8z9OnEpbEhL76Obyfhm", id="stripe_objects"),
        pytest.param("10000000000000000000 base units", id="amount_of_coins"),
        pytest.param("4242424242424241", id="digits_that_are_no_card"),
        pytest.param("2026-11-23T07:46:39.328101Z", id="moment"),
        pytest.param("A valid bearer token is needed.", id="words_about_tokens"),
        pytest.param("http://127.0.0.1:8545/path", id="url_without_user"),
    ],
)
def test_what_people_need_stays_readable(text: str) -> None:
    assert Redaction().text(text) == text


def test_a_secret_of_this_process_is_taken_out_wherever_it_stands() -> None:
    cleaned = Redaction(["correct horse battery"])(
        None, "", {"event": "x", "deep": [{"words": "it is correct horse battery, you know"}], "error": ValueError()}
    )

    assert cleaned["deep"] == [{"words": f"it is {REDACTED}, you know"}]


def test_a_short_secret_does_not_black_out_everything() -> None:
    assert Redaction(["", "a"]).text("a banana") == "a banana"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("private_key", HASH),
        ("token", "x"),
        ("keystore_password", "x"),
        ("Authorization", "x"),
        ("email", "x"),
        ("username", "x"),
        ("evidence", "x"),
        ("stripe-signature", "x"),
        ("raw", b"\x02"),
        ("payment_proof", HASH),
    ],
)
def test_a_field_named_after_a_secret_shows_nothing(field: str, value: Any) -> None:
    redact = Redaction()

    assert redact(None, "", {field: value}) == {field: REDACTED}
    assert redact(None, "", {"deep": {field: value}}) == {"deep": {field: REDACTED}}


def test_hashes_numbers_and_nothing_keep_their_type() -> None:
    event = {"tx_hash": HASH, "nonce": 4242424242424242, "attempt": 1, "ok": True, "none": None, "seconds": 1.5}

    assert Redaction()(None, "", dict(event)) == event


def test_a_card_number_that_is_a_number_is_taken_out() -> None:
    assert Redaction()(None, "", {"value": 4242424242424242}) == {"value": REDACTED}
    assert Redaction()(None, "", {"value": b"123"}) == {"value": "[3 bytes]"}
