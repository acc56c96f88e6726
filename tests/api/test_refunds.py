"""A help desk starts, reads, lists and withdraws refunds."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.front import REQUEST, Front, problem
from tests.ledger.scene import PAID_CHAIN, SENDER


def test_request_is_answered_with_the_whole_refund_and_its_run_is_told(front: Front) -> None:
    front.scene.funded()

    answer = front.call("desk", "POST", "/v1/refunds", REQUEST)

    assert answer.status_code == 202
    refund = answer.json()
    assert refund["status"] == "checking"
    assert refund["ticket"] == REQUEST["ticket"]
    assert refund["ownership"] == "helpdesk_asserted"
    assert refund["requested_at"] == "2026-11-20T12:00:00Z"
    assert refund["timeline"][0]["event"] == "refund.requested"
    assert refund["timeline"][0]["actor"] == "desk"
    assert front.runs.told == [(refund["id"], "desk:1")]


def test_same_ticket_again_returns_the_same_refund_whatever_else_it_says(front: Front) -> None:
    front.scene.funded()
    first = front.start()

    again = front.start(channel="email", account={"id": "someone-else"})

    assert again["id"] == first["id"]
    assert again["channel"] == "ticket"
    assert len(front.refunds()) == 1


def test_account_can_be_named_by_username_as_a_mail_does(front: Front) -> None:
    front.scene.funded()

    refund = front.start(channel="email", account={"username": "user-acct"}, payment_proof="pi_dep")

    assert refund["account_id"] == "acct"
    assert refund["ownership"] == "unverified"


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown account": ({"account": {"id": "nobody"}}, "account.id", "known_account"),
    "an unknown username": ({"account": {"username": "nobody"}}, "account.username", "known_account"),
    "the deposit of someone else": ({"deposit_id": "theirs"}, "deposit_id", "known_deposit"),
    "a rail without deposits": ({"rail": "crypto"}, "rail", "deposit_on_rail"),
    "a request from the future": ({"requested_at": "2026-11-20T12:05:01Z"}, "requested_at", "not_in_future"),
    "a proof that matches nothing": ({"payment_proof": "pi_other"}, "payment_proof", "matches_deposit"),
    "a proof of the other rail": ({"payment_proof": "0x" + "1" * 64}, "payment_proof", "rail"),
    "a claim that nobody can check": ({"session_claim": "e.y.J"}, "session_claim", "verifier_configured"),
}


@pytest.mark.parametrize(("changes", "field", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_what_contradicts_the_books_is_refused_and_starts_nothing(
    front: Front, changes: dict[str, Any], field: str, rule: str
) -> None:
    front.scene.funded()
    front.scene.account("other")
    front.scene.deposit("theirs", account_id="other")

    answer = front.call("desk", "POST", "/v1/refunds", REQUEST | changes)

    problem(answer, 422, "invalid-request", field, rule)
    assert front.refunds() == []
    assert front.runs.calls == 0


def test_list_pages_through_all_refunds_newest_first(front: Front) -> None:
    front.scene.funded()
    for number in range(5):
        front.scene.clock.advance(timedelta(seconds=1 if number % 2 else 0))  # some share their moment
        front.scene.request(str(number))
    seen: list[str] = []
    cursor: str | None = None

    for _ in range(3):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = front.call("desk", "GET", "/v1/refunds", params=query).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert cursor is None
    assert seen == [row["id"] for row in front.refunds()]
    assert len(set(seen)) == 5


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({"ticket": "desk:1"}, ["1"], id="ticket with its system"),
        pytest.param({"ticket": "2"}, ["2"], id="ticket alone"),
        pytest.param({"account": "acct"}, ["2", "1"], id="account"),
        pytest.param({"account": "other"}, [], id="another account"),
        pytest.param({"deposit": "dep"}, ["1"], id="deposit"),
        pytest.param({"status": "checking"}, ["2"], id="status"),
        pytest.param({"status": "awaiting_approval", "deposit": "dep"}, ["1"], id="two filters"),
    ],
)
def test_list_can_be_filtered(front: Front, query: dict[str, str], found: list[str]) -> None:
    front.scene.funded()
    front.scene.awaiting_approval("1")
    front.scene.clock.advance(timedelta(seconds=1))
    front.scene.request("2")

    answer = front.call("vera", "GET", "/v1/refunds", params=query)

    assert [item["ticket"]["id"] for item in answer.json()["items"]] == found
    assert answer.json()["next_cursor"] is None


@pytest.mark.parametrize(
    "cursor",
    ["x", "%%%", "W10=", "WzEsMl0=", "WyIyMDI2LTExLTIwIiwgInJmXzEiXQ==", "bnVsbA==", "W1tbW1tb"],
    ids=["not base64", "percent signs", "empty list", "numbers", "naive time", "null", "broken json"],
)
def test_made_up_cursor_is_refused(front: Front, cursor: str) -> None:
    answer = front.call("desk", "GET", "/v1/refunds", params={"cursor": cursor})

    problem(answer, 422, "invalid-request", "cursor", "cursor")


@pytest.mark.parametrize(
    ("query", "field"),
    [({"statuss": "checking"}, "statuss"), ({"status": "gone"}, "status"), ({"limit": "0"}, "limit")],
    ids=["unknown filter", "unknown status", "no rows"],
)
def test_wrong_filter_is_refused_instead_of_listing_everything(
    front: Front, query: dict[str, str], field: str
) -> None:
    problem(front.call("desk", "GET", "/v1/refunds", params=query), 422, "invalid-request", field)


def test_withdrawal_is_recorded_once_and_told(front: Front) -> None:
    front.scene.funded()
    refund = front.start()["id"]

    for _ in range(2):
        answer = front.call("desk", "POST", f"/v1/refunds/{refund}/withdraw", {"reason": "found my SIM"})
        assert answer.status_code == 202

    events = [line["event"] for line in answer.json()["timeline"]]
    assert events.count("withdrawal.recorded") == 1
    assert front.runs.told == [(refund, "desk:1")] * 3
    assert "found my SIM" not in str(answer.json()["timeline"])


def test_withdrawal_comes_too_late_once_paying_has_begun(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.paying()

    answer = front.call("desk", "POST", f"/v1/refunds/{refund}/withdraw", {"reason": "stop"})

    problem(answer, 409, "wrong-state", "status")


def test_finished_refund_shows_its_payout_and_the_payment_that_went_back(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.refunded()

    shown = front.call("desk", "GET", f"/v1/refunds/{refund}").json()

    assert shown["status"] == "refunded"
    assert shown["payment"] == {
        "rail": "card",
        "payment_intent": "pi_dep",
        "amount_minor": 2000,
        "currency": "USD",
    }
    assert [payout["status"] for payout in shown["payouts"]] == ["succeeded"]
    assert shown["verdict"]["outcome"] == "pass"
    assert [rule["rule"] for rule in shown["verdict"]["rules"]] == ["window", "unused", "settled", "clean", "route"]
    assert [decision["operator"] for decision in shown["decisions"]] == ["ann"]


def test_chain_amounts_are_decimal_strings_and_the_destination_is_shown_in_full(front: Front) -> None:
    front.scene.funded(rail="crypto")
    refund = front.scene.paying(facts=PAID_CHAIN, rail="crypto")
    front.scene.sign(refund)

    shown = front.call("vera", "GET", f"/v1/refunds/{refund}").json()

    assert shown["payment"]["amount_base_units"] == "25000000000000000000"
    assert shown["verdict"]["destination"] == SENDER
    (payout,) = shown["payouts"]
    assert payout["to"] == SENDER
    assert payout["amount_base_units"] == "25000000000000000000"
    assert payout["nonce"] == 0
