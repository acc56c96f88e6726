"""Sends webhooks: to each target one at a time, again after a failure, and on after a restart."""

import asyncio
import contextlib
import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import httpx2

from devstack.stripe_simulator import deliveries
from devstack.stripe_simulator.deliveries import Delivery
from devstack.stripe_simulator.events import show_event
from devstack.stripe_simulator.signatures import signed
from devstack.stripe_simulator.store import Store, Tables
from devstack.stripe_simulator.targets import Target, list_targets

_HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Accept": "*/*; q=0.5, application/xml",
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
}


@dataclass(frozen=True)
class Parcel:
    """One try, signed at the moment it was packed."""

    delivery: Delivery
    target: Target
    body: bytes
    headers: dict[str, str]


class Deliverer:
    """The background task of the process; a target that hangs holds up only its own line."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Send what is due, until cancelled; a try that is cut off is made again after the next start."""
        # Neither a proxy nor a kept connection may stand between a receiver's restart and the next try, and
        # each try has a limit of its own.
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with (
            httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=None, limits=limits) as http,
            asyncio.TaskGroup() as senders,
        ):
            while True:
                self._store.changed.clear()
                parcels, due_at = await self._store.transaction(partial(_pack, busy=frozenset(self._busy)))
                for parcel in parcels:
                    self._busy.add(parcel.target.id)
                    senders.create_task(self._send(http, parcel))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if due_at is None else max(due_at - time.time(), 0)):
                        await self._store.changed.wait()

    async def _send(self, http: httpx2.AsyncClient, parcel: Parcel) -> None:
        target = parcel.target
        status, error = None, None
        try:
            async with asyncio.timeout(target.timeout_seconds):
                answer = await http.post(target.url, content=parcel.body, headers=parcel.headers)
                status = answer.status_code
        except TimeoutError:
            error = f"no answer within {target.timeout_seconds} s"
        except (httpx2.HTTPError, httpx2.InvalidURL) as failure:
            error = f"{type(failure).__name__}: {failure}"
        try:
            await self._store.transaction(
                lambda tables: deliveries.record_try(
                    tables, parcel.delivery, target, answer_status=status, error=error
                )
            )
        finally:
            self._busy.discard(target.id)
            self._store.changed.set()


def _pack(tables: Tables, *, busy: Collection[str]) -> tuple[list[Parcel], float | None]:
    settings = deliveries.read_settings(tables)
    # One moment for both questions: what became due between them would be neither sent nor waited for.
    now = time.time()
    parcels = []
    for target in list_targets(tables):
        delivery = None if target.id in busy else deliveries.next_due(tables, target, settings, now)
        if delivery is not None:
            parcels.append(_pack_one(tables, delivery, target))
    return parcels, deliveries.next_due_at(tables, settings, now)


def _pack_one(tables: Tables, delivery: Delivery, target: Target) -> Parcel:
    # Indented as Stripe sends it: who verifies anything but the raw bytes finds out.
    body = json.dumps(show_event(tables, delivery.event), indent=2).encode()
    # The real clock, whatever the simulated one says: the receiver compares it with its own.
    body, signature = signed(body, target.secrets, int(time.time()), delivery.forgery)
    return Parcel(delivery, target, body, {**_HEADERS, **signature})
