"""A short soak: two workers at once on each payout, on real code but without Temporal, while answers are lost.

The long one, with processes that die, is `make chaos RAIL=card`.
"""

import threading
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

import worker
from bench.card import CardLine
from bench.wallet_line import furnish
from chaos.card import bugs
from chaos.card import proxy as proxies
from chaos.card.bank import DAY_AND_AN_HOUR_SECONDS
from chaos.card.faults import NEEDS_STRIPES_GUARDS, Fault, Faults
from chaos.card.judge import is_paid_twice, judge_attempts
from chaos.card.proxy import CardProxy
from chaos.card.simulator import KEY, Simulator
from chaos.waiting import until
from domain.policy import Policy
from domain.refunds import RefundStatus
from domain.runs import PayoutKey
from gateways.stripe.gateway import StripeGateway
from ledger.database import Database
from ledger.leases import Lease

ROOT = Path(__file__).resolve().parents[2]
REFUNDS = 6
TRIES_MAX = 200
PAUSE, PAUSE_SECONDS = threading.Event(), 0.05  # as Temporal pauses, only shorter
# All that a run of seconds has the time for, and more often than anybody will meet it.
RATES = {
    **dict.fromkeys((Fault.LOST_BEFORE, Fault.TRUNCATED, Fault.BAD_GATEWAY, Fault.IN_USE, Fault.BUSY), 0.08),
    Fault.LOST_REPLY: 0.25,
    Fault.LATE_REQUEST: 0.1,
}


class Soak:
    """Payouts that only have to be sent, two workers for all of them."""

    def __init__(self, simulator: Simulator, folder: Path, profile: str, lease: Lease | None) -> None:
        self._simulator, self._folder, self._profile, self._lease = simulator, folder, profile, lease

    def run(self) -> None:
        """Send them all from both workers at once, then deliver what was lost, where Stripe keeps its guards."""
        without = frozenset() if self._profile == "faithful" else NEEDS_STRIPES_GUARDS
        faults = Faults(1, read_rates=dict.fromkeys(RATES, 0.01), refund_rates=RATES, without=without)
        faults.factor = 0.0
        simulator = self._simulator
        simulator.tell("profile", profile=self._profile)
        with CardProxy(simulator.url, faults) as proxy:
            workers = [self._worker(proxy.url) for _ in range(2)]
            purses = [simulator.open_purse(0) for _ in range(REFUNDS)]
            proxy.names.update({it.owner: f"c{number}" for number, it in enumerate(purses)})
            keys = [workers[0].begin(workers[0].credit(it.owner))[0] for it in purses]
            faults.factor = 1.0
            with ThreadPoolExecutor(2 * REFUNDS) as pool:
                ends = [pool.submit(_send, worker, key) for key in keys for worker in workers]
                statuses = [it.result() for it in ends]
            until(lambda: proxy.is_calm, "late requests to arrive", 20)
            mine = {it.owner for it in purses}
            at_rest, posts = simulator.paybacks(), proxy.journal.posts
            if self._profile == "faithful":
                for _ in range(2):
                    for post in posts:
                        proxy.deliver_again(post)
                    simulator.tell("clock", advance_seconds=DAY_AND_AN_HOUR_SECONDS)
            paybacks = [it for it in simulator.paybacks() if it.payment_intent in mine]

        assert any(it.is_lost and it.made for it in posts)
        assert not is_paid_twice(paybacks)
        assert judge_attempts([it for it in at_rest if it.payment_intent in mine], frozenset(), frozenset()) == []
        assert sorted(it.payment_intent for it in paybacks if it.is_live) == sorted(mine)
        assert statuses == [RefundStatus.REFUNDED] * 2 * REFUNDS

    def _worker(self, url: str) -> CardLine:
        database = Database(f"sqlite:///{self._folder / 'refunds.sqlite'}")
        policy = Policy.parse(tomllib.loads((ROOT / "policy.toml").read_text()))
        if not (self._folder / "refunds.sqlite").exists():
            furnish(database, policy)
        gateway = StripeGateway(
            SecretStr(KEY), mode="test", api_base=url, read_seconds_max=4.0, requests_per_second=1000
        )
        return CardLine(database, policy, gateway, self._lease)


def _send(worker: CardLine, key: PayoutKey) -> RefundStatus:
    """Try as Temporal does, only sooner."""
    for _ in range(TRIES_MAX):
        try:
            return worker.send(key).status
        except ApplicationError as error:
            if error.non_retryable:
                raise
            PAUSE.wait(PAUSE_SECONDS)
    raise TimeoutError(key.refund_id)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("stripe"), "faithful") as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "LATE_SECONDS", 1.0)


@pytest.mark.parametrize("profile", ["faithful", "permissive"])
def test_two_workers_at_once_pay_each_refund_once_whatever_is_lost(
    simulator: Simulator, tmp_path: Path, profile: str
) -> None:
    Soak(simulator, tmp_path, profile, None).run()


def test_the_soak_sees_what_a_stripe_without_guards_would_pay_twice(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bugs, "_replace", monkeypatch.setattr)
    bugs.no_lease()
    database = Database(f"sqlite:///{tmp_path / 'refunds.sqlite'}")

    with pytest.raises(AssertionError, match="is_paid_twice"):
        Soak(simulator, tmp_path, "permissive", worker.leases(database)).run()
