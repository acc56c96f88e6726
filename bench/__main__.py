"""`make bench`: start a stack, measure by turns, print one table and one line of JSON."""

import argparse
import asyncio
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from bench import card, crypto, measures, recovery
from bench.figures import Figure
from bench.measures import Sides
from bench.players import POLL_SECONDS_OF_MANY, Bare, Service
from devstack.stack import Stack
from domain.policy import Policy

NAMESPACE = "default"
FEW = 10  # below this a second decimal tells something
WARM_UP = 8  # whole refunds of each kind that are not counted


async def measure(stack: Stack, bare_pid: int, options: argparse.Namespace) -> list[Figure]:
    """Take every figure, one after the other."""
    client = await Client.connect(stack.info["temporal"], namespace=NAMESPACE, data_converter=pydantic_data_converter)
    async with httpx2.AsyncClient(timeout=30) as http:
        service = Service(stack.info, http, client)
        sides = Sides(service, Bare(client), lambda: int(stack.info["pids"]["worker"]), bare_pid)
        patient = Service(stack.info, http, client, POLL_SECONDS_OF_MANY)
        many = dataclasses.replace(sides, service=patient, bare=Bare(client, POLL_SECONDS_OF_MANY))
        for _ in range(WARM_UP):
            await sides.service.whole()
            await sides.bare.whole()
        return [
            await measures.whole(sides, options.pairs),
            *await measures.calls(sides, options.pairs),
            *await measures.throughput(many),
            *await measures.waiting(many, options.sample),
            await recovery.after_a_kill(stack, service, http),
            await recovery.with_many_waiting(stack, many.service, options.waiting),
        ]


@contextmanager
def bare_worker(stack: Stack) -> Iterator[int]:
    """Run the baseline's worker beside the stack; yield its process id once it works."""
    command = [sys.executable, "-m", "bench.bare_worker", stack.info["temporal"], NAMESPACE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise SystemExit("the bare worker did not start")
            yield process.pid
        finally:
            process.terminate()


def show(figures: Sequence[Figure], seconds: float) -> None:
    """Print the table for people and, last, one line for programs."""
    table = Table("what", "ours", "bare", "ratio", "aim", "measured by", title=f"{seconds:.0f} s on this machine")
    for it in figures:
        ours = f"{it.ours:.2f}" if it.ours < FEW else f"{it.ours:.1f}"
        bare = f"{it.bare:.1f}" if it.bare is not None else ""
        ratio = f"{it.ratio:.2f}" if it.ratio is not None else ""
        aim = f"at most {it.aim_max}" if it.aim_max else f"at least {it.aim_min}" if it.aim_min else ""
        met = {True: " met", False: " NOT MET", None: ""}[it.is_met]
        table.add_row(it.name, f"{ours} {it.unit}", bare, ratio, aim + met, it.note)
    Console(stderr=True, width=150).print(table)
    print(json.dumps([dataclasses.asdict(it) | {"ratio": it.ratio, "is_met": it.is_met} for it in figures]))


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--pairs", type=int, default=64, help="interleaved pairs of each comparison")
    parser.add_argument("--sample", type=int, default=200, help="refunds that wait, to measure what waiting costs")
    parser.add_argument("--waiting", type=int, default=1000, help="refunds that wait while everything is killed")
    parser.add_argument(
        "--rail", choices=["card", "crypto"], help="the figures of one rail; of the whole service without it"
    )
    options = parser.parse_args()
    began = time.monotonic()
    figures = of_a_rail(options.rail) if options.rail else of_the_service(options)
    show(figures, time.monotonic() - began)


def of_a_rail(rail: str) -> list[Figure]:
    """Measure the payouts of one rail under the published policy."""
    policy = Policy.parse(tomllib.loads(Path("policy.toml").read_text(encoding="utf-8")))
    return card.measure(policy) if rail == "card" else crypto.measure(policy)


def of_the_service(options: argparse.Namespace) -> list[Figure]:
    """Measure whole refunds on a stack of their own."""
    with (
        tempfile.TemporaryDirectory(prefix="refunds-bench-") as folder,
        Stack(Path(folder)) as stack,
        bare_worker(stack) as bare_pid,
    ):
        return asyncio.run(measure(stack, bare_pid, options))


if __name__ == "__main__":
    main()
