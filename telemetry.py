"""What the worker shows of itself: Temporal's and our metrics, that its loop turns, and what the wallets hold."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Protocol

from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

import logs
from activities.metrics import APPROVAL_WAIT, APPROVAL_WAIT_BUCKETS, WorkerMetrics
from config import MissingSettingsError, Settings
from domain.errors import NeedsOperator, TryAgain
from domain.transfers import WalletView

ALIVE_SECONDS = 5.0
BALANCE_SECONDS = 60.0

logger = logging.getLogger("refunds.worker")


class Wallet(Protocol):
    """What a chain can tell of the wallet that pays on it."""

    def view(self) -> WalletView: ...


def start(settings: Settings) -> WorkerMetrics:
    """Let Temporal's core write into our logs, and show metrics where the settings say."""
    metrics = settings.worker_metrics_address and PrometheusConfig(
        bind_address=settings.worker_metrics_address,
        durations_as_seconds=True,
        histogram_bucket_overrides={APPROVAL_WAIT: APPROVAL_WAIT_BUCKETS},
    )
    try:
        runtime = Runtime(
            telemetry=TelemetryConfig(logging=logs.of_temporal(), metrics=metrics or None, attach_service_name=False)
        )
    except (ValueError, RuntimeError) as error:
        raise MissingSettingsError(f"REFUNDS_WORKER_METRICS_ADDRESS: {error}") from None
    Runtime.set_default(runtime)
    return WorkerMetrics(runtime.metric_meter)


async def show_alive(metrics: WorkerMetrics) -> None:
    """Show, again and again, that this loop turns: a health check asks for no more."""
    while True:
        metrics.show_alive(time.time())
        await asyncio.sleep(ALIVE_SECONDS)


async def show_balances(metrics: WorkerMetrics, chains: Mapping[int, Wallet], wallets: Mapping[int, str]) -> None:
    """Show, again and again, what the wallets hold; a chain that is away is seen by the steps that need it."""
    while True:
        for chain_id, chain in chains.items():
            try:
                view = await asyncio.to_thread(chain.view)
            except (TryAgain, NeedsOperator) as error:
                logger.warning("wallet.unseen", extra={"chain_id": chain_id, "cause": error.message})
            else:
                metrics.show_balance(chain_id, wallets[chain_id], view.balance_base_units)
        await asyncio.sleep(BALANCE_SECONDS)
