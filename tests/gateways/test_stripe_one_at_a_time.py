"""A worker that stands still between its look and its request pays nothing twice, whatever Stripe remembers."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from activities.sending import OneAtATime
from domain.errors import TryAgain
from domain.payouts import CardPayout, PayoutStatus
from gateways.stripe.gateway import StripeGateway
from ledger.database import Database
from ledger.leases import leases
from tests.gateways.stripe_cases import payout_of, repeat_until_settled
from tests.gateways.stripe_endpoints import TEST_KEY, Simulator

SECONDS_MAX = 15.0


class Sleeper(StripeGateway):
    """A gateway whose worker stands still when it has looked and is about to send."""

    def __init__(self, url: str) -> None:
        super().__init__(SecretStr(TEST_KEY), mode="test", api_base=url)
        self.has_looked, self.wakes = threading.Event(), threading.Event()

    def _leap(self, payout: CardPayout, *more: Any) -> Any:
        self.has_looked.set()
        assert self.wakes.wait(SECONDS_MAX)
        return super()._leap(payout, *more)


def test_a_zombie_that_wakes_is_the_only_one_who_pays(
    simulator: Simulator, gateway: StripeGateway, tmp_path: Path
) -> None:
    simulator.control("profile", profile="permissive")
    payment, sleeper = simulator.pay(), Sleeper(simulator.url)
    url = f"sqlite:///{tmp_path / 'refunds.sqlite'}"
    zombie = OneAtATime(sleeper, leases(Database(url)))
    other = OneAtATime(gateway, leases(Database(url)))

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(zombie.ensure_refund, payout_of(payment), maybe_sent=False)
        assert sleeper.has_looked.wait(SECONDS_MAX)
        with pytest.raises(TryAgain, match="Another worker"):
            other.ensure_refund(payout_of(payment), maybe_sent=True)
        sleeper.wakes.set()
        first = sending.result(SECONDS_MAX)
    second = repeat_until_settled(gateway, payout_of(payment))

    assert first.status == second.status == PayoutStatus.SUCCEEDED
    assert [it["id"] for it in simulator.live_refunds(payment)] == [first.provider_ref]
    assert first.provider_ref == second.provider_ref


def test_anybody_may_look_while_one_is_sending(simulator: Simulator, gateway: StripeGateway, tmp_path: Path) -> None:
    payment = simulator.pay()
    lease = leases(Database(f"sqlite:///{tmp_path / 'refunds.sqlite'}"))

    with lease(payout_of(payment).refund_id, 1):
        seen = OneAtATime(gateway, lease).look_at_refund(payout_of(payment))

    assert seen is None
