"""The events that no webhook brought, as Stripe lists them, read from the simulator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from pydantic import SecretStr

from domain.card_events import CardEvent, EventSubject
from gateways.stripe.events import undelivered
from gateways.stripe.gateway import StripeGateway
from tests.devstack.simulator import KEY, pay, refund
from tests.gateways.stripe_endpoints import Simulator

SINCE = datetime.now(UTC) - timedelta(days=30)


@pytest.fixture
def deaf(simulator: Simulator) -> Simulator:
    """A simulator whose webhooks nobody takes."""
    simulator.control("webhooks/targets", url="http://127.0.0.1:9/", secrets=["whsec_x"], tries_max=1)
    return simulator


@pytest.fixture
def client(simulator: Simulator) -> Any:
    http = stripe.RequestsClient(timeout=20)
    return stripe.StripeClient(KEY, base_addresses={"api": simulator.url}, http_client=http)


def all_of(client: Any, page_size: int) -> list[CardEvent]:
    found: list[CardEvent] = []
    after: str | None = None
    while True:
        page = undelivered(client, SINCE, after, page_size=page_size)
        assert len(page.events) <= page_size
        assert page.unreadable == 0
        found += page.events
        if page.next is None:
            return found
        after = page.next


def test_all_pages_of_undelivered_events_are_read_newest_first(client: Any, deaf: Simulator) -> None:
    payment = pay(client)
    made = [refund(client, payment, amount=100, metadata={"refund_id": "rf_1", "attempt": "1"}) for _ in range(3)]

    events = all_of(client, page_size=2)

    assert [it.subject_id for it in events if it.subject == EventSubject.REFUND] == [it.id for it in made[::-1]]
    assert {it.type for it in events} == {"refund.created", "charge.refunded"}, "and none of the other types"
    assert {it.payment_intent for it in events} == {payment.id}
    assert {(it.refund_id, it.attempt) for it in events if it.subject == EventSubject.REFUND} == {("rf_1", 1)}
    assert not any(it.is_live for it in events)


def test_disputes_and_warnings_name_their_payment(client: Any, deaf: Simulator) -> None:
    payment = pay(client)
    deaf.control(f"charges/{payment.latest_charge}/early_fraud_warning")
    deaf.control(f"charges/{payment.latest_charge}/dispute")

    events = all_of(client, page_size=100)

    assert {(it.subject, it.payment_intent) for it in events} == {
        (EventSubject.DISPUTE, payment.id),
        (EventSubject.EARLY_FRAUD_WARNING, payment.id),
    }


def test_what_was_delivered_is_not_listed_and_the_gateway_asks_the_same(client: Any, simulator: Simulator) -> None:
    refund(client, pay(client))
    gateway = StripeGateway(SecretStr(KEY), mode="test", api_base=simulator.url)

    page = gateway.undelivered_events(SINCE, None)

    assert (page.events, page.next) == ((), None), "no endpoint misses anything where there is none"
    assert gateway.is_live is False
