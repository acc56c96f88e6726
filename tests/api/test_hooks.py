"""The card processor's hook: what is taken, who is told, and when the answer is 200."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from domain.card_events import CardEvent
from domain.payouts import PayoutStatus
from ledger.card_events import CardEvents, Taken
from ledger.database import Database
from ledger.tables import AuditEntry, CardEventRow
from tests.api.front import Front, problem
from tests.api.hook_calls import NEXT_SECRET, SECRET, body_of, event, payment_event, refund_event, send, signature


@pytest.fixture
def refund(front: Front) -> str:
    """A refund that was paid, its run told of everything."""
    front.scene.funded()
    refund: str = front.scene.refunded()
    front.scene.news.told(front.scene.news.untold(0))
    return refund


def counted(front: Front) -> dict[str, int]:
    """What the hook's counter shows, without what never happened."""
    lines = [it.rsplit(" ", 1) for it in front.client.get("/metrics").text.splitlines()]
    mine = {
        it[0].partition('outcome="')[2].rstrip('"}'): float(it[1]) for it in lines if "stripe_hook_total{" in it[0]
    }
    return {name: int(value) for name, value in mine.items() if value}


def stored(front: Front) -> list[str]:
    with front.scene.database.read() as session:
        return list(session.scalars(select(CardEventRow.id)))


def written(front: Front) -> tuple[int, int]:
    """How much the trail and the events hold: whatever writes shows in one of them."""
    with front.scene.database.read() as session:
        entries = session.scalar(select(func.count()).select_from(AuditEntry)) or 0
        return entries, len(stored(front))


def told(front: Front) -> list[str]:
    return [refund for refund, _ in front.runs.told]


def test_an_event_of_our_refund_is_written_down_and_its_run_told_before_the_answer(front: Front, refund: str) -> None:
    sent = refund_event(refund)

    answer = send(front.client, sent)

    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert stored(front) == [sent["id"]]
    assert told(front) == [refund]
    assert front.scene.payout(refund).status == PayoutStatus.SUCCEEDED, "what it says is not applied"
    assert counted(front) == {"woke": 1}


def test_it_needs_no_token_and_takes_none(front: Front, refund: str) -> None:
    body = body_of(refund_event(refund))

    answer = front.call("ada", "POST", "/v1/hooks/stripe", content=body)

    problem(answer, 400, "malformed-request")
    assert send(front.client, body).status_code == 200


def test_an_event_that_comes_three_times_is_stored_once_and_harmless(front: Front, refund: str) -> None:
    sent = refund_event(refund)

    answers = [send(front.client, sent).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert len(stored(front)) == 1
    assert set(told(front)) == {refund}
    assert counted(front) == {"woke": 1, "repeated": 2}


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]], ids=["as made", "reversed", "shuffled"])
def test_in_any_order_events_wake_the_run_and_nothing_more(front: Front, refund: str, order: list[int]) -> None:
    sent = [
        refund_event(refund, "refund.created", status="pending"),
        refund_event(refund, "refund.updated", status="succeeded"),
        refund_event(refund, "refund.failed"),
    ]

    answers = [send(front.client, sent[number]).status_code for number in order]

    assert answers == [200, 200, 200]
    assert set(told(front)) == {refund}
    assert front.scene.payout(refund).status == PayoutStatus.SUCCEEDED


def test_a_dispute_wakes_by_its_payment_and_unfollowed_types_are_not_stored(front: Front, refund: str) -> None:
    assert send(front.client, payment_event("dispute", "charge.dispute.created")).status_code == 200
    assert send(front.client, event("payment_intent.succeeded", id="pi_dep")).status_code == 200

    assert told(front) == [refund]
    assert len(stored(front)) == 1
    assert counted(front) == {"woke": 1, "other_type": 1}


def test_edited_metadata_and_unknown_refunds_wake_nobody_and_are_counted(front: Front, refund: str) -> None:
    front.scene.deposit("other", payment=front.scene.deposit_record("other").payment)

    send(front.client, refund_event(refund, payment_intent="pi_other"))
    send(front.client, refund_event("rf_none", payment_intent="pi_other", id="re_out", metadata={}))
    send(front.client, refund_event("rf_none", payment_intent="pi_shop", id="re_shop", metadata={}))

    assert told(front) == []
    assert counted(front) == {"misfit": 1, "refunded_outside": 1, "unknown": 1}
    found = front.call("vera", "GET", "/v1/findings").json()["items"]
    assert {(it["kind"], it["evidence"]["provider_ref"], it["evidence"]["payment_intent"]) for it in found} == {
        ("refunded_outside", "re_1", "pi_other"),
        ("refunded_outside", "re_out", "pi_other"),
    }


@pytest.mark.parametrize(
    "changes", [{"livemode": True}, {"account": "acct_other"}], ids=["live mode", "connected account"]
)
def test_events_of_another_account_are_answered_and_told_to_people_once(
    front: Front, refund: str, changes: dict[str, Any]
) -> None:
    answers = [send(front.client, refund_event(refund) | changes).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert told(front) == []
    assert counted(front) == {"other_account": 3}
    (found,) = front.call("vera", "GET", "/v1/findings").json()["items"]
    assert (found["kind"], found["openings"]) == ("hook_misdirected", 1)


def test_while_secrets_rotate_both_are_taken(front: Front, refund: str) -> None:
    body = body_of(refund_event(refund))

    answers = [
        send(front.client, body, signature(body, *secrets)).status_code
        for secrets in ([SECRET], [NEXT_SECRET], ["whsec_gone", NEXT_SECRET], ["whsec_gone"])
    ]

    assert answers == [200, 200, 200, 400]


REFUSED: dict[str, tuple[Any, str]] = {
    "unsigned": (lambda body: (body, ""), "unsigned"),
    "nonsense for a signature": (lambda body: (body, "Bearer x"), "unsigned"),
    "another secret": (lambda body: (body, signature(body, "whsec_other")), "forged"),
    "a changed body": (lambda body: (body.replace(b"2000", b"2001"), signature(body)), "forged"),
    "written anew": (lambda body: (b" ".join(body.split()), signature(body)), "forged"),
    "nonsense with another secret": (lambda _: (b"\xff{", signature(b"\xff{", "whsec_other")), "forged"),
    "old": (lambda body: (body, signature(body, seconds=-400)), "old"),
    "of the future": (lambda body: (body, signature(body, seconds=400)), "future"),
    "not UTF-8": (lambda body: (body + b"\xff", signature(body + b"\xff")), "not_utf8"),
    "half": (lambda body: (body[:-5], signature(body[:-5])), "unparsable"),
    "nothing": (lambda _: (b"", signature(b"")), "unparsable"),
    "deep": (lambda _: (b"[" * 100_000, signature(b"[" * 100_000)), "unparsable"),
    "no event": (lambda _: (b'{"id": "evt_1"}', signature(b'{"id": "evt_1"}')), "unparsable"),
}


@pytest.mark.parametrize("name", REFUSED, ids=str)
def test_what_is_not_from_stripe_gets_400_without_a_reason_and_writes_nothing(
    front: Front, refund: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, fault = REFUSED[name]
    body, header = make(body_of(refund_event(refund)))
    before = written(front)

    answer = send(front.client, body, header)

    told_to_them = problem(answer, 400, "malformed-request")
    assert told_to_them["detail"] == "This is not accepted."
    assert set(told_to_them) == {"type", "title", "status", "detail", "request_id"}
    assert counted(front) == {fault: 1}
    assert written(front) == before
    assert told(front) == []
    logged = "".join(capsys.readouterr())
    assert refund not in logged
    assert "v1=" not in logged


def test_a_body_of_a_mebibyte_is_read_and_a_longer_one_refused_before_it_is_verified(front: Front) -> None:
    whole = body_of(event("payment_intent.succeeded", id="pi_1"))
    fits = whole + b" " * (1024 * 1024 - len(whole))

    assert send(front.client, fits).status_code == 200
    problem(send(front.client, fits + b" "), 413, "body-too-large")
    assert counted(front) == {"other_type": 1, "oversized": 1}


def test_an_endless_body_is_not_waited_for(front: Front) -> None:
    declared = front.client.post("/v1/hooks/stripe", content=b"{}", headers={"Content-Length": "9" * 30})
    pieces = front.client.post("/v1/hooks/stripe", content=(b" " * 65536 for _ in range(100)))

    problem(declared, 413, "body-too-large")
    problem(pieces, 413, "body-too-large")


def test_a_hook_without_a_secret_takes_nothing(front: Front, refund: str) -> None:
    front.app.state.services = replace(front.services, hook_secrets=())

    problem(send(front.client, refund_event(refund)), 503, "not-ready")

    assert counted(front) == {"not_set_up": 1}


def test_while_temporal_is_away_the_answer_is_503_and_a_redelivery_wakes_the_run(front: Front, refund: str) -> None:
    sent = refund_event(refund)
    front.runs.is_away = True

    problem(send(front.client, sent), 503, "try-again")
    assert stored(front) == [sent["id"]], "written down all the same"
    front.runs.is_away = False
    sweep(front)
    again = send(front.client, sent)

    assert again.status_code == 200
    assert told(front) == [refund]
    assert counted(front) == {"delayed": 1, "repeated": 1}


def sweep(front: Front) -> None:
    """Let the API's own sweep come by, once the news are old enough for it."""
    front.scene.clock.advance(timedelta(seconds=4))
    asyncio.run(front.app.state.telling.sweep())


def test_an_event_that_could_not_be_written_down_counts_when_it_comes_again(front: Front, refund: str) -> None:
    sent, database = refund_event(refund), front.scene.database
    impatient = Database(database.url.render_as_string(), database.now, wait_seconds_max=0.2)
    front.app.state.services = replace(front.services, card_events=CardEvents(impatient))
    locking = sqlite3.connect(str(database.url.database), isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")

    problem(send(front.client, sent), 503, "try-again")
    locking.execute("ROLLBACK")
    locking.close()
    again = send(front.client, sent)
    impatient.close()

    assert again.status_code == 200
    assert told(front) == [refund], "whoever remembers the first try takes this for a repetition"
    assert counted(front) == {"delayed": 1, "woke": 1}


class DyingEvents(CardEvents):
    """A ledger whose caller dies as soon as the event is written down."""

    def take(self, event: CardEvent, **more: Any) -> Taken:
        super().take(event, **more)
        raise RuntimeError("died between the row and the news")


@pytest.mark.parametrize("way", ["redelivery", "sweep"])
def test_a_death_between_the_row_and_the_news_loses_nothing(front: Front, refund: str, way: str) -> None:
    sent = refund_event(refund)
    front.app.state.services = replace(front.services, card_events=DyingEvents(front.scene.database))
    problem(send(front.client, sent), 500, "internal")
    assert (stored(front), told(front)) == ([sent["id"]], [])
    front.app.state.services = front.services

    if way == "redelivery":
        assert send(front.client, sent).status_code == 200
    else:
        sweep(front)

    assert told(front) == [refund]
