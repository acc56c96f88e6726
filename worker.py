"""The composition root of the Temporal worker: build gateways, ledger and activities, register them, run."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Protocol

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

import crypto_rail
import logs
import telemetry
from activities.books import BooksActivities, CardBooks, ChainBooks
from activities.card import CardActivities, CardProcessor
from activities.card_sweep import CardEventSource, CardSweepActivities
from activities.cases import CaseActivities
from activities.checks import CheckActivities
from activities.crypto import CryptoActivities
from activities.heartbeats import Heartbeats
from activities.metrics import WorkerMetrics
from activities.outbox import Chain
from activities.payments import CardPayments, ChainPayments, PaymentActivities, PaymentReader
from activities.schedules import keep_daily_card_sweep, keep_daily_reconciliation
from activities.sending import OneAtATime
from activities.stops import RailStops, stopping
from activities.wallets import TemporalWalletRuns
from activities.watching import StepWatch
from config import MissingSettingsError, Settings
from crypto_rail import ConfiguredChain
from domain.errors import NeedsOperator, TryAgain
from domain.limits import Limits
from domain.policy import Policy
from domain.refunds import TASK_QUEUE, Rail
from gateways.evm.settings import limits_of
from gateways.stripe.gateway import StripeGateway
from ledger import migrate
from ledger.booked import Booked
from ledger.card_events import CardEvents
from ledger.checking import Checking
from ledger.database import Database
from ledger.intake import Intake
from ledger.leases import leases
from ledger.messages import Messages
from ledger.outbox import NO_LIMITS, Outbox
from ledger.payouts import Payouts
from ledger.previews import Previews
from ledger.progress import Progress
from ledger.rails import Rails
from ledger.reconciliations import Reconciliations
from ledger.sightings import Sightings
from ledger.signing import Signing
from ledger.wallets import Wallets
from workflows import attributes, payloads, sandbox
from workflows.card_sweep import CardSweepWorkflow
from workflows.check import CheckWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.refund import RefundWorkflow
from workflows.wallet import WalletWorkflow

ACTIVITY_THREADS = 16
WRITE_SECONDS_MAX = 10.0  # a step that cannot write by then gives its thread to another, and is repeated
# After this time a run goes on at another worker when the one that had it in memory died. Ten seconds by default.
STICKY_TIMEOUT = timedelta(seconds=2)
GRACEFUL_SHUTDOWN = timedelta(seconds=30)  # longer than any call to a provider may take to answer
ABANDON_SECONDS = 2.0  # for steps to notice that they are cancelled, once the time to end by themselves is over
EXIT_ABANDONED = 1
NO_METRICS = WorkerMetrics(MetricMeter.noop)


class CardRail(CardPayments, CardProcessor, CardBooks, CardEventSource, Protocol):
    """Everything that is asked of a card processor."""

    def check(self) -> None: ...


class CryptoRail(ChainPayments, Chain, ChainBooks, Protocol):
    """Everything that is asked of a chain."""


logger = logging.getLogger("refunds.worker")


async def connect() -> Client:
    """Connect to Temporal by its own conventions: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, profiles."""
    options = ClientConfig.load_client_connect_config()
    return await Client.connect(**options, data_converter=payloads.converter)


def build_card(settings: Settings) -> StripeGateway | None:
    """Return the card processor, or None where no card rail is set up."""
    if settings.stripe_secret_key is None:
        return None
    try:
        return StripeGateway(
            settings.stripe_secret_key,
            mode=settings.stripe_mode or "test",
            api_base=settings.stripe_api_base,
            requests_per_second=settings.stripe_requests_per_second,
        )
    except ValueError as error:
        raise MissingSettingsError(f"REFUNDS_STRIPE_SECRET_KEY and REFUNDS_STRIPE_API_BASE: {error}") from None


def build_steps(
    client: Client,
    database: Database,
    policy: Policy,
    *,
    card: CardRail | None,
    chains: Mapping[int, CryptoRail],
    wallets: Mapping[int, str],
    limits: Limits,
) -> list[Callable[..., Any]]:
    """Give each activity what it needs, and list their steps."""
    intake, checking = Intake(database, policy), Checking(database, policy)
    payouts = Payouts(database, policy, wallets)
    progress, stops = Progress(database, policy), Rails(database)
    cases = CaseActivities(
        intake=intake, progress=progress, waits=checking, messages=Messages(database), policy=policy
    )
    payments = PaymentActivities(
        reader=PaymentReader(card, chains), checking=checking, payouts=payouts, progress=progress, stops=stops
    )
    card_sweep = CardSweepActivities(source=card, events=CardEvents(database))
    sender = OneAtATime(card, leases(database)) if card is not None else None
    cards = CardActivities(processor=sender, payouts=payouts, stops=stops)
    crypto = CryptoActivities(
        chains=chains,
        outbox=Outbox(database, limits),
        signing=Signing(database, policy, limits),
        sightings=Sightings(database, policy),
        wallets=Wallets(database, policy),
        refunds=intake,
        wallet_runs=TemporalWalletRuns(client),
        handling=policy.handling,
    )
    booked, reconciliations = Booked(database, policy), Reconciliations(database)
    books = BooksActivities(card=card, chains=chains, wallets=wallets, booked=booked, reconciliations=reconciliations)
    checks = CheckActivities(reader=PaymentReader(card, chains), previews=Previews(database, policy))
    return [
        *(cases.open_refund, cases.read_records, cases.attend, cases.expire, cases.remind, cases.answer_ticket),
        cases.tell_deadline,
        *(payments.check_refund, payments.begin_payout, payments.end_refund),
        *(cards.send_card_refund, cards.look_at_card_refund, cards.look_for_warnings, cards.end_watch),
        *(card_sweep.take_missed_events, card_sweep.wake_open_payouts),
        *(crypto.wake_wallet, crypto.pump),
        *(books.open_books, books.compare_card_day, books.compare_wallet, books.compare_ledger, books.close_books),
        checks.check_only,
    ]


def build_worker(
    client: Client,
    database: Database,
    policy: Policy,
    *,
    card: CardRail | None,
    chains: Mapping[int, CryptoRail],
    wallets: Mapping[int, str],
    limits: Limits = NO_LIMITS,
    metrics: WorkerMetrics = NO_METRICS,
    graceful_shutdown: timedelta = GRACEFUL_SHUTDOWN,
) -> Worker:
    """Put the parts together. `wallets` names the address that pays on each chain."""
    steps = build_steps(client, database, policy, card=card, chains=chains, wallets=wallets, limits=limits)
    metrics.start_at_zero(step.__name__ for step in steps)
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[RefundWorkflow, WalletWorkflow, CheckWorkflow, ReconcileWorkflow, CardSweepWorkflow],
        activities=steps,
        activity_executor=ThreadPoolExecutor(max_workers=ACTIVITY_THREADS, thread_name_prefix="activity"),
        max_concurrent_activities=ACTIVITY_THREADS,
        workflow_runner=sandbox.runner(),
        graceful_shutdown_timeout=graceful_shutdown,
        interceptors=[Heartbeats(), StepWatch(metrics)],
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
    )


async def require_search_attributes(client: Client) -> None:
    """Refuse to work where an upsert would fail: the run that makes one would be stuck for ever."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    known = await client.operator_service.list_search_attributes(request)
    missing = [key.name for key in attributes.ALL if key.name not in known.custom_attributes]
    if missing:
        raise MissingSettingsError(f"Temporal's namespace lacks the search attributes {', '.join(missing)}.")


def report_card(card: CardRail, stops: RailStops) -> None:
    """Say at the start if the card rail cannot work now. Refunds on it wait; those on the others go on."""
    try:
        with stopping(stops, Rail.CARD):
            card.check()
    except (TryAgain, NeedsOperator) as error:
        logger.error("rail.unready", extra={"rail": "card", "cause": error.message})


def require_chains(configured: Sequence[ConfiguredChain]) -> None:
    """Refuse to start on settings that an answer proves wrong; say of the rest which chain cannot work now."""
    for trouble in crypto_rail.require_fit(configured):
        logger.error("rail.unready", extra={"rail": "crypto", "entry": trouble.entry, "cause": trouble.told})


async def run(settings: Settings, configured: Sequence[ConfiguredChain]) -> None:
    """Work until SIGTERM or SIGINT, then let running steps finish."""
    metrics = telemetry.start(settings)
    database = Database(settings.database_url, wait_seconds_max=WRITE_SECONDS_MAX)
    database.listeners += [logs.write_change, metrics.count]
    if not migrate.is_current(database):
        raise MissingSettingsError(
            "The database has another schema than this version: run this version's `refunds migrate`."
        )
    policy, card = settings.load_policy(), build_card(settings)
    chains = {chain.settings.chain_id: chain.gateway for chain in configured}
    wallets = {chain.settings.chain_id: chain.settings.wallet for chain in configured}
    await asyncio.to_thread(require_chains, configured)
    client = await connect()
    await require_search_attributes(client)
    patience = timedelta(seconds=settings.worker_shutdown_seconds)
    worker = build_worker(
        client,
        database,
        policy,
        card=card,
        chains=chains,
        wallets=wallets,
        limits=limits_of([chain.settings for chain in configured]),
        metrics=metrics,
        graceful_shutdown=patience,
    )
    beside = [
        asyncio.create_task(telemetry.show_alive(metrics)),
        asyncio.create_task(keep_daily_reconciliation(client)),
        asyncio.create_task(crypto_rail.keep_watch(configured, Wallets(database, policy))),
    ]
    if card is not None:
        beside.append(asyncio.create_task(keep_daily_card_sweep(client)))
        beside.append(asyncio.create_task(asyncio.to_thread(report_card, card, Rails(database))))
    if settings.worker_metrics_address:
        beside.append(asyncio.create_task(telemetry.show_balances(metrics, chains, wallets)))
    for task in beside:
        task.add_done_callback(tell_of_end)
    gc.freeze()  # what is loaded by now stays: no collection need walk over it
    await work_until_told(worker, patience.total_seconds() + ABANDON_SECONDS)
    for task in beside:
        task.cancel()
    database.close()


def tell_of_end(task: asyncio.Task[None]) -> None:
    """Say so when something beside the worker ends by a fault: nobody else waits for it."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("worker.side_task_failed", exc_info=error)


async def work_until_told(worker: Worker, patience_seconds: float) -> None:
    """Work until a signal comes, take nothing new from then on, and let what runs end within `patience_seconds`.

    What has not ended by then is given up with the process: it was recorded as begun, and whoever runs it next
    looks first what became of it.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    working, told = asyncio.create_task(worker.run()), asyncio.create_task(stop.wait())
    logger.info("worker.started")
    await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        logger.info("worker.stopping")
        ending = asyncio.create_task(worker.shutdown())
        _, late = await asyncio.wait({ending}, timeout=patience_seconds)
        if late:
            logger.error("worker.steps_abandoned", extra={"patience_seconds": patience_seconds})
            # No way in good order is left: a thread that waits for an answer cannot be ended.
            sys.stderr.flush()
            os._exit(EXIT_ABANDONED)
    await working
    logger.info("worker.stopped")


def main(settings: Settings) -> int:
    """Run the worker until it is told to stop; return the exit status."""
    settings.require_rails()
    configured = crypto_rail.load(settings)
    logs.set_up([*settings.secrets(), *(secret for chain in configured for secret in chain.settings.secrets)])
    try:
        asyncio.run(run(settings, configured))
    except MissingSettingsError:
        raise
    except Exception as error:  # the edge of the process: whoever starts it again reads the log
        logger.critical("worker.failed", exc_info=error)
        return EXIT_ABANDONED
    return 0
