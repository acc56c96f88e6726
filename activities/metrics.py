"""What a worker counts: ends of refunds, payouts, waits for approval, failed steps, and what its wallets hold."""

from collections.abc import Iterable

from temporalio.common import MetricMeter

from domain.changes import Change
from domain.payouts import PayoutStatus
from domain.refunds import END_STATES, Rail, RefundStatus

APPROVAL_WAIT = "refunds_approval_wait_seconds"
APPROVAL_WAIT_BUCKETS = tuple(float(hours * 3600) for hours in (1 / 60, 0.25, 1, 4, 12, 24, 48, 96, 168))
NEVER_SEEN = (PayoutStatus.QUEUED, PayoutStatus.PAID_OUTSIDE)  # no provider and no chain shows these
ALIVE = "refunds_worker_alive_at_seconds"

_PAYOUT = {f"payout.{it}": it.value for it in PayoutStatus if it not in NEVER_SEEN}
_END = {f"refund.{status}": status.value for status in END_STATES}
_PAYING = f"refund.{RefundStatus.PAYING}"


class WorkerMetrics:
    """The worker's own metrics, in the place where Temporal's stand. No label holds an id that grows in number."""

    def __init__(self, meter: MetricMeter) -> None:
        self._ended = meter.create_counter("refunds_ended_total", "Refunds that came to an end, by rail and outcome.")
        self._payouts = meter.create_counter("refunds_payouts_total", "Payouts that came to a status, by rail.")
        self._approval_wait = meter.create_histogram_float(
            APPROVAL_WAIT, "How long a refund waited for its approvals before it was paid."
        )
        self._balance = meter.create_gauge_float(
            "refunds_wallet_balance_base_units", "What a wallet holds of its chain's own coin."
        )
        self._failures = meter.create_counter(
            "refunds_step_failures_total", "Steps that failed, by step and kind of error; most are tried again."
        )
        self._alive = meter.create_gauge_float(ALIVE, "When the worker's loop last turned, in Unix time.")

    def start_at_zero(self, steps: Iterable[str]) -> None:
        """Show each series before it first counts: an increase from nothing to one is not seen as an increase."""
        for rail in Rail:
            for outcome in _END.values():
                self._ended.add(0, {"rail": rail.value, "outcome": outcome})
            for status in _PAYOUT.values():
                self._payouts.add(0, {"rail": rail.value, "status": status})
        for step in steps:
            self._failures.add(0, {"step": step, "kind": "TryAgain"})

    def count(self, change: Change) -> None:
        """Count a committed change."""
        rail = str(change.detail.get("rail"))
        if change.event in _END and "from" in change.detail:
            self._ended.add(1, {"rail": rail, "outcome": _END[change.event]})
        elif change.event in _PAYOUT:
            self._payouts.add(1, {"rail": rail, "status": _PAYOUT[change.event]})
        waited_seconds = change.detail.get("approval_wait_seconds")
        if change.event == _PAYING and waited_seconds is not None:
            self._approval_wait.record(float(waited_seconds), {"rail": rail})

    def count_failure(self, step: str, kind: str) -> None:
        """Count a step that failed; `kind` is the class of the error."""
        self._failures.add(1, {"step": step, "kind": kind})

    def show_balance(self, chain_id: int, wallet: str, balance_base_units: int) -> None:
        """Show what a wallet holds."""
        self._balance.set(float(balance_base_units), {"chain_id": str(chain_id), "wallet": wallet})

    def show_alive(self, now_seconds: float) -> None:
        """Show that the worker's loop turns."""
        self._alive.set(now_seconds)
