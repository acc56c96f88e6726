"""PostgreSQL dies under the whole stack: callers are told to try again, and money moves once."""

import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from devstack.stack import Stack
from tests.outages.city import City, until
from tests.outages.parts import ENVIRONMENT, PostgresServer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def city(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: PostgresServer,
    policy: Path,
    broken_trail: Callable[[str], str | None],
) -> Iterator[City]:
    outside = {"REFUNDS_POLICY": str(policy), "REFUNDS_DATABASE_URL": postgres.url}
    with Stack(tmp_path_factory.mktemp("stack"), {**ENVIRONMENT, **outside}) as stack:
        city = City(stack.info)
        yield city
        city.close()
        assert broken_trail(postgres.url) is None


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGKILL], ids=["stopped at once", "killed"])
def test_refunds_on_both_rails_outlive_the_death_of_the_database(
    city: City, postgres: PostgresServer, number: signal.Signals, record_testsuite_property: Record
) -> None:
    fresh, card, (coins,) = city.pay_card(), city.pay_card(), city.pay_coins(1)
    request = city.new_request(fresh)
    city.until_final([coins])
    refunds = [city.ask(purse) for purse in (coins, card)]
    for refund in refunds:
        city.stands(refund, "awaiting_approval")
    nonce = city.wallet_nonce()
    hang = {"method": "POST", "path_prefix": "/v1/refunds", "kind": "hang_after", "hang_seconds": 2}
    city.simulator("faults", hang)
    for refund in refunds:
        city.decide(refund)
    until(city.are_faults_spent, "the refund to be asked for at Stripe")

    ended_at = postgres.end(number)
    answers = [
        city.send("helpdesk", "POST", "/v1/refunds", request),
        city.send("viewer", "GET", f"/v1/refunds/{refunds[0]}"),
    ]
    ready = httpx2.get(f"{city.info['api']}/readyz", trust_env=False)
    until(lambda: len(city.stripe_refunds(card)) == 1, "Stripe to have made the refund")
    postgres.start()
    up_at = time.monotonic()

    assert [answer.status_code for answer in answers] == [503, 503]
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    assert (ready.status_code, "database" in ready.json()["detail"]) == (503, True)
    started = city.insist("helpdesk", "POST", "/v1/refunds", request)["id"]
    record_testsuite_property(f"postgres_{number.name}_seconds_away", round(up_at - ended_at, 1))
    record_testsuite_property(f"postgres_{number.name}_seconds_until_answer", round(time.monotonic() - up_at, 1))
    city.decide(started)
    for refund, purse in zip((*refunds, started), (coins, card, fresh), strict=True):
        city.stands(refund, "refunded")
        city.assert_paid_once(purse)
    record_testsuite_property(f"postgres_{number.name}_seconds_until_refunded", round(time.monotonic() - up_at, 1))
    assert city.wallet_nonce() == nonce + 1


def test_a_connection_cut_inside_a_database_transaction_writes_nothing_and_is_repeated(
    city: City, postgres: PostgresServer
) -> None:
    fresh, card = city.pay_card(), city.pay_card()
    request = city.new_request(fresh)
    refund = city.ask(card)
    city.stands(refund, "awaiting_approval")
    city.simulator("faults", {"method": "GET", "path_prefix": "/v1/", "kind": "hang_before", "hang_seconds": 1})
    city.decide(refund)
    until(city.are_faults_spent, "the last check to be under way")
    answers: list[httpx2.Response] = []

    with postgres.admin.connect() as admin, postgres.admin.connect() as watching:
        admin.execute(text("BEGIN"))
        admin.execute(text("SELECT * FROM audit_head FOR UPDATE"))  # nobody can write behind this
        call = functools.partial(city.send, "helpdesk", "POST", "/v1/refunds", request)
        caller = threading.Thread(target=lambda: answers.append(call()), daemon=True)
        caller.start()
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        until(lambda: watching.execute(waiting).scalar_one() >= 2, "a call and a step to be inside")
        cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        assert len(watching.execute(cut).all()) >= 2
        caller.join(30)
        admin.execute(text("ROLLBACK"))

    assert [answer.status_code for answer in answers] == [503]
    with postgres.admin.connect() as watching:
        found = text("SELECT count(*) FROM refunds WHERE ticket_id = :ticket")
        assert watching.execute(found, {"ticket": request["ticket"]["id"]}).scalar_one() == 0
    started = city.insist("helpdesk", "POST", "/v1/refunds", request)["id"]
    city.decide(started)
    for each, purse in ((refund, card), (started, fresh)):
        city.stands(each, "refunded")
        city.assert_paid_once(purse)
