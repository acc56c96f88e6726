"""`Idempotency-Key` over HTTP: the first answer again, whatever has happened since."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import anyio.to_thread
import pytest
from httpx2 import Response

from domain.errors import TryAgain
from domain.refunds import TicketRef
from ledger.intake import Requester
from tests.api.front import ACCOUNT, CRYPTO, DEPOSIT, ORDER, REQUEST, Front, problem

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def start(front: Front, key: str = KEY, **changes: Any) -> Response:
    return front.call("desk", "POST", "/v1/refunds", REQUEST | changes, headers={"Idempotency-Key": key})


def test_same_call_gets_its_first_answer_although_the_refund_went_on(front: Front) -> None:
    front.scene.funded()
    first = start(front)
    front.scene.check(first.json()["id"])

    again = start(front)

    assert again.status_code == 202
    assert again.content == first.content
    assert again.json()["status"] == "checking"
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert front.call("desk", "GET", f"/v1/refunds/{first.json()['id']}").json()["status"] == "awaiting_approval"


def test_body_written_in_another_order_is_the_same_body(front: Front) -> None:
    front.scene.funded()
    start(front)

    turned = front.call(
        "desk", "POST", "/v1/refunds", dict(reversed(REQUEST.items())), headers={"Idempotency-Key": f'"{KEY}"'}
    )

    assert turned.headers["idempotent-replayed"] == "true"


def test_same_key_with_another_body_is_refused_and_does_nothing(front: Front) -> None:
    front.scene.funded()
    start(front)

    other = start(front, ticket={"system": "desk", "id": "2"})

    problem(other, 422, "idempotency-key-reused", "Idempotency-Key", "one_call_per_key")
    assert len(front.refunds()) == 1


def test_same_key_for_another_thing_on_the_same_route_is_refused(front: Front) -> None:
    front.call("shop", "PUT", "/v1/accounts/acct", ACCOUNT, headers={"Idempotency-Key": KEY})

    other = front.call("shop", "PUT", "/v1/accounts/acct_2", ACCOUNT, headers={"Idempotency-Key": KEY})

    problem(other, 422, "idempotency-key-reused")


def test_refusal_is_an_answer_too(front: Front) -> None:
    front.call("shop", "PUT", "/v1/accounts/acct", ACCOUNT)
    refused = front.call("shop", "PUT", "/v1/orders/o", ORDER, headers={"Idempotency-Key": KEY})
    problem(refused, 409, "insufficient-balance")
    front.call("shop", "PUT", "/v1/deposits/dep", DEPOSIT)

    again = front.call("shop", "PUT", "/v1/orders/o", ORDER, headers={"Idempotency-Key": KEY})
    anew = front.call("shop", "PUT", "/v1/orders/o", ORDER, headers={"Idempotency-Key": "another"})

    assert again.content == refused.content
    assert again.headers["content-type"] == "application/problem+json"
    assert anew.status_code == 200


def test_answer_about_the_person_is_not_kept(front: Front) -> None:
    front.scene.funded()
    refund = front.scene.awaiting_approval(requester=Requester(name="ann", is_helpdesk=True))
    body = {"decision_id": "d", "action": "approve", "digest": front.scene.row(refund).digest}
    path, headers = f"/v1/refunds/{refund}/decisions", {"Idempotency-Key": KEY}
    problem(front.call("ann", "POST", path, body, headers=headers), 403, "not-allowed")

    again = front.call("ann", "POST", path, body, headers=headers)

    problem(again, 403, "not-allowed")
    assert "idempotent-replayed" not in again.headers


def test_answer_of_a_database_that_was_away_is_not_kept(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    front.scene.funded()

    def away(*_: Any, **__: Any) -> None:
        raise TryAgain("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(front.scene.intake, "accept", away)
        problem(start(front), 503, "try-again")

    assert start(front).status_code == 202


def test_bug_is_not_kept(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    front.scene.funded()

    def broken(*_: Any, **__: Any) -> None:
        raise AssertionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(front.scene.intake, "accept", broken)
        problem(start(front), 500, "internal")

    assert start(front).status_code == 202


def test_second_call_while_the_first_is_worked_on_is_told_to_ask_again(front: Front) -> None:
    front.scene.funded()
    begun, go_on = Event(), Event()
    tell = front.runs.tell

    async def slow(refund_id: str, ticket: TicketRef) -> None:
        begun.set()
        await anyio.to_thread.run_sync(go_on.wait, 10)
        await tell(refund_id, ticket)

    front.runs.tell = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(start, front)
        assert begun.wait(10)
        second = start(front)
        go_on.set()

    refused = problem(second, 409, "idempotency-key-in-use", "Idempotency-Key", "one_at_a_time")
    assert refused["status"] == 409
    assert second.headers["retry-after"] == "1"
    assert first.result().status_code == 202
    assert start(front).content == first.result().content


def test_crowd_with_one_key_gets_one_answer_or_is_told_to_ask_again(front: Front) -> None:
    front.call("shop", "PUT", "/v1/accounts/acct", ACCOUNT)
    front.call("shop", "PUT", "/v1/deposits/dep", DEPOSIT)
    headers = {"Idempotency-Key": KEY}

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(front.call, "shop", "PUT", "/v1/orders/o", ORDER, headers=headers) for _ in range(24)]
        answers = Counter(it.result().status_code for it in asked)

    assert set(answers) <= {200, 409}
    assert answers[200] >= 1
    assert front.scene.balance()["used_minor"] == ORDER["amount_minor"]


BAD_KEYS = {
    "empty": [""],
    "too long": ["k" * 256],
    "space": ["two words"],
    "quote inside": ['a"b'],
    "not ascii": ["schlüssel"],
    "twice": ["one", "two"],
}


@pytest.mark.parametrize("keys", BAD_KEYS.values(), ids=BAD_KEYS)
def test_bad_key_is_refused_and_named(front: Front, keys: list[str]) -> None:
    front.scene.funded()
    headers = [(b"idempotency-key", key.encode()) for key in keys]
    headers += [(b"authorization", b"Bearer rfd_desk_token"), (b"content-type", b"application/json")]

    answer = front.client.request("POST", "/v1/refunds", json=REQUEST, headers=headers)

    problem(answer, 400, "malformed-request", "Idempotency-Key", "idempotency_key")
    assert front.refunds() == []


def test_crypto_deposit_with_a_key_of_the_greatest_length_is_kept(front: Front) -> None:
    front.call("shop", "PUT", "/v1/accounts/acct", ACCOUNT)
    body, headers = DEPOSIT | {"payment": CRYPTO}, {"Idempotency-Key": "k" * 255}

    first, again = (front.call("shop", "PUT", "/v1/deposits/d", body, headers=headers) for _ in range(2))

    assert first.status_code == 200
    assert again.headers["idempotent-replayed"] == "true"


def test_reading_pays_no_heed_to_a_key(front: Front) -> None:
    for _ in range(2):
        answer = front.call("vera", "GET", "/v1/findings", headers={"Idempotency-Key": "two words"})
        assert answer.status_code == 200
        assert "idempotent-replayed" not in answer.headers


def test_a_switch_is_carried_out_each_time_whatever_its_key(front: Front) -> None:
    """A script stops the rail under a fixed key; what it did the first time was undone since."""
    stop = ("vera", "POST", "/v1/rails/card/stop", {"reason": "odd payouts"})
    front.call(*stop, headers={"Idempotency-Key": KEY})
    for person in ("ann", "bob"):
        front.call(person, "POST", "/v1/rails/card/start", {"reason": "mended"}, headers={"Idempotency-Key": KEY})

    again = front.call(*stop, headers={"Idempotency-Key": KEY})

    assert again.json()["is_stopped"]
    rails = front.call("vera", "GET", "/v1/rails").json()["items"]
    assert {it["rail"]: it["is_stopped"] for it in rails} == {"card": True, "crypto": False}


def test_an_operator_is_deactivated_again_under_the_same_key(front: Front) -> None:
    for act in ("deactivate", "activate", "deactivate"):
        front.call("ada", "POST", f"/v1/operators/ann/{act}", {"reason": "a drill"}, headers={"Idempotency-Key": KEY})

    assert front.call("ann", "GET", "/v1/rails").status_code == 401


def test_a_word_to_start_that_comes_again_does_not_count_for_a_later_stop(front: Front) -> None:
    stop = ("vera", "POST", "/v1/rails/card/stop")
    start = ("ann", "POST", "/v1/rails/card/start", {"reason": "mended"})
    front.call(*stop, {"reason": "odd payouts"})
    front.call(*start, headers={"Idempotency-Key": KEY})
    front.call("bob", "POST", "/v1/rails/card/start", {"reason": "mended"})
    front.call(*stop, {"reason": "odd again"})

    front.call(*start, headers={"Idempotency-Key": KEY})

    card, _ = front.call("vera", "GET", "/v1/rails").json()["items"]
    assert (card["is_stopped"], card["start_asked"]) == (True, [])
