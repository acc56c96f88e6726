"""The measurements of a whole refund, of each call over HTTP, of throughput, and of what waiting costs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from bench.bare import BareRefund
from bench.figures import Figure, in_pairs, of_pairs
from bench.players import Bare, Service
from bench.processes import cpu_seconds, resident_bytes
from domain.refunds import RefundStatus

WHOLE_RATIO_MAX = 1.5
THROUGHPUT_RATIO_MIN = 0.7
AT_ONCE = 16  # the knee of the baseline on two cores lies between 4 and 16
BATCH = 32
BATCHES = 3
BYTES_PER_KB = 1024
T = TypeVar("T")


@dataclass(frozen=True)
class Sides:
    """Both players, and the processes that work for them."""

    service: Service
    bare: Bare
    worker_pid: Callable[[], int]
    bare_pid: int


async def whole(sides: Sides, pairs: int) -> Figure:
    """Measure from the request to the money, both HTTP calls and Stripe's part included."""
    measured = await in_pairs(pairs, sides.service.whole, sides.bare.whole)
    return of_pairs("whole refund, from POST to refunded", measured, aim_max=WHOLE_RATIO_MAX)


async def calls(sides: Sides, pairs: int) -> list[Figure]:
    """Measure the verdict and the approval over HTTP, beside a bare start and a bare update."""
    waiting: list[tuple[str, str]] = []
    handles: list[Any] = []

    async def verdict() -> float:
        account = await sides.service.deposit()
        began = time.perf_counter()
        refund = await sides.service.request(account)
        seen = await sides.service.verdict(refund)
        waiting.append((refund, seen["digest"]))
        return time.perf_counter() - began

    async def bare_verdict() -> float:
        began = time.perf_counter()
        handle = await sides.bare.start()
        await sides.bare.stands_in(handle, "awaiting_approval")
        handles.append(handle)
        return time.perf_counter() - began

    async def approval() -> float:
        refund, digest = waiting.pop()
        began = time.perf_counter()
        await sides.service.approve(refund, digest)
        took = time.perf_counter() - began
        await sides.service.stands_in(refund, RefundStatus.REFUNDED)
        return took

    async def bare_approval() -> float:
        handle = handles.pop()
        began = time.perf_counter()
        await handle.execute_update(BareRefund.decide, {})
        took = time.perf_counter() - began
        await sides.bare.stands_in(handle, "watched")
        return took

    return [
        of_pairs("verdict over HTTP, beside a bare start", await in_pairs(pairs, verdict, bare_verdict)),
        of_pairs("approval over HTTP, beside a bare update", await in_pairs(pairs, approval, bare_approval)),
    ]


async def throughput(sides: Sides) -> list[Figure]:
    """Measure whole refunds with many at once, in batches by turns, and the worker's processor time for each."""
    ours = bare = 0.0
    cpu_ours, cpu_bare = cpu_seconds(sides.worker_pid()), cpu_seconds(sides.bare_pid)
    for _ in range(BATCHES):
        accounts = iter(await at_once(BATCH, sides.service.deposit))
        ours += await _batch(partial(_next_whole, sides.service, accounts))
        bare += await _batch(sides.bare.whole)
    done = BATCH * BATCHES
    cpu_ours, cpu_bare = cpu_seconds(sides.worker_pid()) - cpu_ours, cpu_seconds(sides.bare_pid) - cpu_bare
    return [
        Figure(
            name=f"throughput, {AT_ONCE} at once",
            unit="refunds/s",
            ours=done / ours,
            bare=done / bare,
            aim_min=THROUGHPUT_RATIO_MIN,
            note=f"{BATCHES} batches of {BATCH} by turns",
        ),
        Figure(
            name="worker CPU for a whole refund", unit="ms", ours=1000 * cpu_ours / done, bare=1000 * cpu_bare / done
        ),
    ]


async def waiting(sides: Sides, count: int) -> list[Figure]:
    """Measure what the workers need for each refund that waits for approval, and leave `count` waiting."""
    cpu_ours, kept_ours = await _cost(sides.worker_pid(), count, lambda: _until_waiting(sides.service))
    cpu_bare, kept_bare = await _cost(sides.bare_pid, count, lambda: _until_bare_waits(sides.bare))
    note = f"{count} of each"
    return [
        Figure(name="worker CPU until one waits", unit="ms", ours=1000 * cpu_ours, bare=1000 * cpu_bare, note=note),
        Figure(name="worker memory for one that waits", unit="KB", ours=kept_ours, bare=kept_bare, note=note),
    ]


async def at_once(count: int, act: Callable[[], Awaitable[T]]) -> list[T]:
    """Do something `count` times, `AT_ONCE` of them at the same time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one() -> T:
        async with turn:
            return await act()

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def _until_waiting(service: Service) -> None:
    await service.verdict(await service.request(await service.deposit()))


async def _until_bare_waits(bare: Bare) -> None:
    await bare.stands_in(await bare.start(), "awaiting_approval")


async def _next_whole(service: Service, accounts: Iterator[str]) -> float:
    return await service.whole(next(accounts))


async def _batch(act: Callable[[], Awaitable[float]]) -> float:
    began = time.perf_counter()
    await at_once(BATCH, act)
    return time.perf_counter() - began


async def _cost(pid: int, count: int, act: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Return processor seconds and kilobytes for each, of one worker."""
    cpu, memory = cpu_seconds(pid), resident_bytes(pid)
    await at_once(count, act)
    return (cpu_seconds(pid) - cpu) / count, (resident_bytes(pid) - memory) / count / BYTES_PER_KB
