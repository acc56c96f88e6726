"""What the HTTP process counts, and what it reads from the database when it is asked for metrics."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.card_events import EventOutcome
from domain.errors import TryAgain
from domain.refunds import Rail, RefundStatus
from gateways.stripe.webhooks import HookFault
from ledger.figures import Balance, Figures, Standing

STANDING_SECONDS = 5.0  # several scrapers, or a nervous one, cost the database no more than one
BALANCE_SECONDS = 60.0  # this one reads every posting
METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
UNMATCHED = "none"
# What an event came to, why a call was none, and what is neither.
HOOK_OUTCOMES = (*EventOutcome, *HookFault, "repeated", "other_type", "delayed", "not_set_up")

routes = APIRouter(tags=["operations"])
T = TypeVar("T")
LabelValues = TypeVar("LabelValues", bound=tuple[str, ...])


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Answer in Prometheus' text format. No label holds an id of a case or a person."""
    shown: Metrics = request.app.state.metrics
    text = await run_in_threadpool(generate_latest, shown.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


class Metrics:
    """The metrics of one application."""

    def __init__(self, figures: Figures) -> None:
        # A second series beside each counter, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call] # its package leaves this one function untyped
        self.registry = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter(
            "refunds_http_requests_total",
            "Requests that were answered.",
            (*labels, "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "refunds_http_request_seconds", "How long answers took.", labels, registry=self.registry
        )
        self._hooks = Counter(
            "refunds_stripe_hook_total", "Calls to the card processor's hook.", ("outcome",), registry=self.registry
        )
        for outcome in HOOK_OUTCOMES:
            self._hooks.labels(outcome)
        self.registry.register(_FromDatabase(figures))
        ProcessCollector(registry=self.registry)

    def count(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count one request; `route` is the template, and None where no route fits the path."""
        method, route = method if method in METHODS else "other", route or UNMATCHED
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def count_hook(self, outcome: str) -> None:
        """Count one call to the card processor's hook by what came of it."""
        self._hooks.labels(outcome).inc()


class _Remembered(Generic[T]):
    """What is read at most once in a while, by one at a time."""

    def __init__(self, read: Callable[[], T], seconds: float) -> None:
        self._read, self._seconds = read, seconds
        self._lock = threading.Lock()
        self._known: tuple[float, T] | None = None

    def get(self) -> T:
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] >= self._seconds:
                self._known = time.monotonic(), self._read()
            return self._known[1]


class _FromDatabase(Collector):
    """Business figures. While the database is away they are absent, which alerts must know: see `figures_up`."""

    def __init__(self, figures: Figures) -> None:
        self._standing = _Remembered(figures.standing, STANDING_SECONDS)
        self._balance = _Remembered(figures.balance, BALANCE_SECONDS)

    def describe(self) -> list[Metric]:
        """Name nothing in advance: registering must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read what is due to be read."""
        try:
            standing, balance = self._standing.get(), self._balance.get()
        except TryAgain:
            yield _gauge("figures_up", "Whether the database could be read.", (), {(): 0})
            return
        yield _gauge("figures_up", "Whether the database could be read.", (), {(): 1})
        yield from _of_standing(standing)
        yield from _of_balance(balance)


def _of_standing(it: Standing) -> Iterator[Metric]:
    every = {(rail.value, status.value): 0 for rail in Rail for status in RefundStatus}
    rails = {(rail.value,): 0.0 for rail in Rail}
    yield _gauge("cases", "Refunds by rail and status.", ("rail", "status"), every | it.refunds)
    yield _gauge(
        "approval_oldest_age_seconds",
        "How long the refund that waits longest for approval has waited; 0 where none does.",
        ("rail",),
        rails | {(rail,): age for rail, age in it.approval_age_seconds.items()},
    )
    yield _gauge(
        "payout_unconfirmed_oldest_age_seconds",
        "How long ago the oldest payout was begun whose outcome is not known yet; 0 where none is open.",
        ("rail",),
        rails | {(rail,): age for rail, age in it.payout_age_seconds.items()},
    )
    findings = {(kind,): count for kind, count in it.findings.items()} or {("none",): 0}
    yield _gauge("findings_open", "Findings that a person must look at, by kind.", ("kind",), findings)
    stopped = {(rail.value,): int(rail.value in it.stopped_rails) for rail in Rail}
    yield _gauge("rail_stopped", "1 while people have stopped the rail.", ("rail",), stopped)
    yield _gauge("wallets_paused", "Wallets that sign nothing any more.", (), {(): len(it.paused_wallets)})
    yield _gauge("news_untold", "Refunds with news that their run has not been told.", (), {(): it.untold})
    yield _gauge("news_untold_oldest_age_seconds", "How far the sweep lags behind.", (), {(): it.untold_age_seconds})
    newest = {} if it.event_age_seconds is None else {(): it.event_age_seconds}
    yield _gauge("card_event_newest_age_seconds", "How long ago the card processor last told anything.", (), newest)


def _of_balance(it: Balance) -> Iterator[Metric]:
    yield _gauge(
        "held_minor",
        "Money held for open refunds, in the currency's smallest unit.",
        ("currency",),
        {(currency,): amount for currency, amount in it.held_minor.items()},
    )
    sums = {(currency, "postings"): amount for currency, amount in it.unbalanced_minor.items()}
    sums |= {(currency, "deposits"): amount for currency, amount in it.undeposited_minor.items()}
    yield _gauge("ledger_imbalance_minor", "Must be 0, always.", ("currency", "check"), sums)


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[LabelValues, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"refunds_{name}", text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family
