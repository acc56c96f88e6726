"""Refunds of the whole account, read page by page for the comparison with our books."""

from datetime import UTC, datetime, timedelta

from gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_cases import REFUND_ID, payout_of
from tests.gateways.stripe_endpoints import Proxy, Simulator


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def test_every_refund_of_the_account_is_listed_once_whoever_made_it(
    proxied: StripeGateway, proxy: Proxy, simulator: Simulator
) -> None:
    ours, theirs = simulator.pay(), simulator.pay(500)
    made = proxied.ensure_refund(payout_of(ours))
    foreign = simulator.refund(theirs, 200, refund_id="somebody@example.com", attempt="1e9")
    since = now() - timedelta(hours=1)
    proxy.on("GET", "/v1/refunds", rewrite=lambda page: page | {"data": page["data"][:1], "has_more": True})

    first, has_more = proxied.list_refunds(since, None, None)
    second, is_more = proxied.list_refunds(since, None, first[-1].ref)

    assert (has_more, is_more) == (True, False)
    by_ref = {it.ref: it for it in (*first, *second)}
    assert set(by_ref) == {made.provider_ref, foreign}
    own, other = by_ref[made.provider_ref or ""], by_ref[foreign]
    assert (own.payment_intent, own.amount_minor, own.currency) == (ours.intent, ours.amount_minor, "USD")
    assert (own.refund_id, own.attempt, own.is_live, own.is_done) == (REFUND_ID, 1, True, True)
    assert (other.amount_minor, other.refund_id, other.attempt) == (200, None, None)


def test_a_window_holds_what_was_made_in_it(gateway: StripeGateway, simulator: Simulator) -> None:
    simulator.refund(simulator.pay(), 100)
    hour = timedelta(hours=1)

    assert len(gateway.list_refunds(now() - hour, now() + hour, None)[0]) == 1
    assert gateway.list_refunds(now() + hour, None, None) == ((), False)
    assert gateway.list_refunds(now() - 2 * hour, now() - hour, None) == ((), False)


def test_one_refund_is_read_as_it_is_now(gateway: StripeGateway, simulator: Simulator) -> None:
    ref = simulator.refund(simulator.pay(), 100)
    simulator.control(f"refunds/{ref}/fail")

    seen = gateway.find_refund(ref)

    assert seen is not None
    assert (seen.ref, seen.is_live) == (ref, False)
    assert gateway.find_refund("re_nowhere") is None
    assert gateway.find_refund("../customers") is None
