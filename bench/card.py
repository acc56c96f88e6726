"""The card rail's figures: requests to Stripe for a refund, its time beside the bare calls, refunds per second.

The steps of a refund are measured alone, on a ledger file and a simulator of their own: with Temporal around them
most of the time would be Temporal's. Refunds per second are those of a whole stack with one worker.
"""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import httpx2
import stripe
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import ActivityEnvironment

from activities.card import CardActivities
from activities.payments import PaymentActivities, PaymentReader
from activities.sending import OneAtATime
from bench.figures import Figure, of_pairs
from bench.players import BenchFailedError, Service
from bench.wallet_line import ACCOUNT, DESK, furnish
from chaos.card.faults import Faults
from chaos.card.proxy import CardProxy
from chaos.card.simulator import KEY, Simulator
from devstack.stack import Stack
from domain.decisions import Action
from domain.money import Money
from domain.payments import CardPaymentRef
from domain.policy import Policy
from domain.refunds import RefundRequest, RefundState, RefundStatus, refund_id
from domain.runs import PayoutKey, RefundKey
from gateways.stripe.client import CONNECT_SECONDS_MAX, READ_SECONDS_MAX, build_client
from gateways.stripe.gateway import StripeGateway
from ledger.billing import DepositRecord
from ledger.checking import Checking
from ledger.database import Database
from ledger.feed import Feed
from ledger.intake import Intake
from ledger.leases import Lease, leases
from ledger.payouts import Payouts
from ledger.progress import Progress
from ledger.rails import Rails
from ledger.records import NewDecision, Records
from ledger.views import Views

PAIRS = 100
WARM_UP = 10
COUNTED = 20
REQUESTS_MAX = 4
TIME_RATIO_MAX = 2.0
AT_ONCE = 8
UNPACED = 1000.0  # requests a second: what is measured is our work, not our restraint
BATCH = 32
BATCHES = 3
AMOUNT_MINOR = 2000
T = TypeVar("T")


class CardLine:
    """Takes refunds from the request to the money by calling their steps one after the other."""

    def __init__(
        self, database: Database, policy: Policy, gateway: StripeGateway, lease: Lease | None = None
    ) -> None:
        payouts, stops = Payouts(database, policy), Rails(database)
        self._feed, self._intake = Feed(database, policy), Intake(database, policy)
        self._records, self._views = Records(database, policy), Views(database)
        self._payments = PaymentActivities(
            reader=PaymentReader(gateway, {}),
            checking=Checking(database, policy),
            payouts=payouts,
            progress=Progress(database, policy),
            stops=stops,
        )
        sender = OneAtATime(gateway, lease or leases(database))
        self._cards = CardActivities(processor=sender, payouts=payouts, stops=stops)

    def credit(self, payment_intent: str) -> str:
        """Let billing credit a payment; return the deposit."""
        deposit = DepositRecord(
            id=f"dep_{payment_intent}",
            account_id=ACCOUNT,
            credited=Money(amount_minor=AMOUNT_MINOR, currency="USD"),
            paid_at=datetime.now(UTC) - timedelta(days=1),
            payment=CardPaymentRef(payment_intent=payment_intent, amount_minor=AMOUNT_MINOR, currency="USD"),
        )
        self._feed.put_deposit(deposit, actor="billing")
        return deposit.id

    def refund(self, deposit: str) -> float:
        """Take a deposit from the request to the money; return the seconds of our steps, not of people's calls."""
        key, seconds = self.begin(deposit)
        seconds += _timed(lambda: self.send(key))
        if self._views.refund(key.refund_id)["status"] != RefundStatus.REFUNDED:
            raise BenchFailedError(f"{key.refund_id} was not refunded")
        return seconds

    def begin(self, deposit: str) -> tuple[PayoutKey, float]:
        """Ask, check, approve and begin the payout, so that it only has to be sent; return the steps' seconds too."""
        body = {
            "ticket": {"system": "bench", "id": deposit},
            "channel": "ticket",
            "account": {"id": ACCOUNT},
            "rail": "card",
            "deposit_id": deposit,
            "requested_at": datetime.now(UTC).isoformat(),
        }
        request = RefundRequest.parse(body)
        self._intake.accept(request, DESK)
        key = RefundKey(refund_id=refund_id(request.ticket))
        checked = _timed(lambda: _run(self._payments.check_refund, key))
        digest = self._views.refund(key.refund_id)["digest"]
        if digest is None:
            raise BenchFailedError(f"{key.refund_id} has no verdict")
        decision = NewDecision(decision_id=f"d-{deposit}", action=Action.APPROVE, digest=digest)
        self._records.decide(key.refund_id, decision, operator="ann")
        begun = _timed(lambda: _run(self._payments.begin_payout, key))
        return PayoutKey(refund_id=key.refund_id, attempt=1), checked + begun

    def send(self, key: PayoutKey) -> RefundState:
        """Look, leap, and book what is seen; a second run looks first."""
        return _run(self._cards.send_card_refund, key)


@dataclass(frozen=True)
class Place:
    """A simulator, the steps on it, the same steps through a proxy that counts, and Stripe's client by itself."""

    simulator: Simulator
    line: CardLine
    counted: CardLine
    proxy: CardProxy
    bare: stripe.StripeClient
    numbers: Iterator[int]

    def payment(self) -> str:
        """Let a customer pay."""
        return self.simulator.open_purse(0).owner

    def refund_barely(self) -> float:
        """Make the calls that a refund makes, and nothing else: three looks and the request."""
        payment, number = self.payment(), next(self.numbers)
        expand = {"expand": ["latest_charge.refunds"]}

        def calls() -> None:
            for _ in range(REQUESTS_MAX - 1):
                self.bare.v1.payment_intents.retrieve(payment, params=expand)  # type: ignore[arg-type] # a plain dict
            self.bare.v1.refunds.create(
                params={"payment_intent": payment, "amount": AMOUNT_MINOR, "reason": "requested_by_customer"},
                options={"idempotency_key": f"bare/{number}"},
            )

        return _timed(calls)


def measure(policy: Policy) -> list[Figure]:
    """Take every figure of the rail, one after the other."""
    with place(policy) as found:
        requests, time_beside = count_requests(found), compare(found)
    return [requests, time_beside, asyncio.run(throughput())]


def _gateway(url: str) -> StripeGateway:
    return StripeGateway(SecretStr(KEY), mode="test", api_base=url, requests_per_second=UNPACED)


@contextmanager
def place(policy: Policy) -> Iterator[Place]:
    """Start a simulator without faults, and a ledger file."""
    with tempfile.TemporaryDirectory(prefix="refunds-bench-") as name:
        folder = Path(name)
        with (
            Simulator(folder, "faithful") as simulator,
            CardProxy(simulator.url, Faults(0, read_rates={}, refund_rates={})) as proxy,
        ):
            database = Database(f"sqlite:///{folder / 'refunds.sqlite'}")
            furnish(database, policy)
            bare = build_client(
                SecretStr(KEY),
                mode="test",
                api_base=simulator.url,
                connect_seconds_max=CONNECT_SECONDS_MAX,
                read_seconds_max=READ_SECONDS_MAX,
                requests_per_second=UNPACED,
            )
            try:
                lines = [CardLine(database, policy, _gateway(url)) for url in (simulator.url, proxy.url)]
                yield Place(simulator, lines[0], lines[1], proxy, bare, count())
            finally:
                database.close()


def count_requests(place: Place) -> Figure:
    """Count what refunds ask of Stripe while nothing goes wrong."""
    deposits = [place.counted.credit(place.payment()) for _ in range(COUNTED)]
    before = Counter(place.proxy.journal.calls())
    for deposit in deposits:
        place.counted.refund(deposit)
    asked = Counter(place.proxy.journal.calls()) - before
    told = ", ".join(f"{number / COUNTED:.2f} {call}" for call, number in asked.most_common())
    note = f"{COUNTED} refunds: {told}; each look of the watch is one more"
    return Figure(
        "requests to Stripe for a refund", "requests", asked.total() / COUNTED, aim_max=REQUESTS_MAX, note=note
    )


def compare(place: Place) -> Figure:
    """Measure a refund's steps beside the calls that they make, by turns."""
    pairs = []
    for number in range(WARM_UP + PAIRS):
        deposit = place.line.credit(place.payment())
        if number % 2:
            bare, ours = place.refund_barely(), place.line.refund(deposit)
        else:
            ours, bare = place.line.refund(deposit), place.refund_barely()
        pairs.append((ours, bare))
    return of_pairs("a refund's steps, beside the bare calls", pairs[WARM_UP:], aim_max=TIME_RATIO_MAX)


async def throughput() -> Figure:
    """Measure whole refunds, from the request to the money, on a stack with one worker."""
    with tempfile.TemporaryDirectory(prefix="refunds-bench-") as folder, Stack(Path(folder)) as stack:
        client = await Client.connect(stack.info["temporal"], data_converter=pydantic_data_converter)
        async with httpx2.AsyncClient(timeout=30) as http:
            service = Service(stack.info, http, client)
            await _batch(service, AT_ONCE)
            paces = [BATCH / await _batch(service, BATCH) for _ in range(BATCHES)]
    note = f"{BATCHES} batches of {BATCH}, {AT_ONCE} at once, from {min(paces):.1f} to {max(paces):.1f}; whole stack"
    return Figure("refunds by card with one worker", "refunds/s", median(paces), note=note)


async def _batch(service: Service, refunds: int) -> float:
    """Take so many refunds from the request to the money, some at once; return the seconds."""
    accounts = [await service.deposit() for _ in range(refunds)]
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(account: str) -> None:
        async with turns:
            await service.whole(account)

    began = time.perf_counter()
    await asyncio.gather(*(one(account) for account in accounts))
    return time.perf_counter() - began


def _timed(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _run(step: Callable[..., T], argument: object) -> T:
    return ActivityEnvironment().run(step, argument)
