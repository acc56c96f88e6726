"""How long it takes to come back: a worker killed while it pays, and everything killed with many refunds waiting."""

import asyncio
import os
import signal
import time
from functools import partial
from statistics import median

import httpx2

from bench.figures import Figure
from bench.measures import at_once
from bench.players import BenchFailedError, Service, until
from devstack.stack import Stack
from domain.refunds import RefundStatus

KILLS = 3
HANG_SECONDS = 60


async def after_a_kill(stack: Stack, service: Service, http: httpx2.AsyncClient) -> Figure:
    """Kill the worker after Stripe took the refund and before it answered; measure until the refund is booked."""
    seconds = []
    for _ in range(KILLS):
        account = await service.deposit()
        refund = await service.request(account)
        seen = await service.verdict(refund)
        await _hang_one_answer(stack, http)
        await service.approve(refund, seen["digest"])
        await until(partial(_is_at_stripe, stack, http, seen["payment"]["payment_intent"]))
        os.kill(stack.info["pids"]["worker"], signal.SIGKILL)
        killed = time.perf_counter()
        await service.stands_in(refund, RefundStatus.REFUNDED)
        seconds.append(time.perf_counter() - killed)
        if len(await _refunds(stack, http, seen["payment"]["payment_intent"])) != 1:
            raise BenchFailedError("the money moved more than once")
    low, high = min(seconds), max(seconds)
    note = f"{KILLS} kills, {low:.1f} to {high:.1f} s; the money moved once each time"
    return Figure(name="paid after SIGKILL of a paying worker", unit="s", ours=median(seconds), note=note)


async def with_many_waiting(stack: Stack, service: Service, count: int) -> Figure:
    """Kill Temporal, API and worker with `count` refunds waiting; measure until one approved afterwards is paid."""

    async def wait_for_approval() -> tuple[str, str]:
        refund = await service.request(await service.deposit())
        return refund, (await service.verdict(refund))["digest"]

    refunds = await at_once(count, wait_for_approval)
    before = dict(stack.info["pids"])
    for name in ("temporal", "api", "worker"):
        os.kill(before[name], signal.SIGKILL)
    killed = time.perf_counter()
    refund, digest = refunds[0]
    await until(lambda: _is_approved(service, refund, digest))
    await service.stands_in(refund, RefundStatus.REFUNDED)
    took = time.perf_counter() - killed
    note = "Temporal, API and worker killed; until one that is approved then is paid"
    return Figure(name=f"restart with {count} waiting", unit="s", ours=took, note=note)


async def _is_approved(service: Service, refund: str, digest: str) -> bool | None:
    try:
        await service.approve(refund, digest)
    except (BenchFailedError, httpx2.HTTPError):
        await asyncio.sleep(0.1)
        return None
    return True


async def _hang_one_answer(stack: Stack, http: httpx2.AsyncClient) -> None:
    fault = {"method": "POST", "path_prefix": "/v1/refunds", "kind": "hang_after", "times": 1}
    answer = await http.post(f"{stack.info['stripe']}/_sim/faults", json=fault | {"hang_seconds": HANG_SECONDS})
    answer.raise_for_status()


async def _is_at_stripe(stack: Stack, http: httpx2.AsyncClient, payment_intent: str) -> bool | None:
    return True if await _refunds(stack, http, payment_intent) else None


async def _refunds(stack: Stack, http: httpx2.AsyncClient, payment_intent: str) -> list[object]:
    answer = await http.get(
        f"{stack.info['stripe']}/v1/refunds",
        params={"payment_intent": payment_intent},
        headers={"Authorization": f"Bearer {stack.info['stripe_key']}"},
    )
    return list(answer.raise_for_status().json()["data"])
