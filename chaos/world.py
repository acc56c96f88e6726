"""Everything that a run consists of: the database, the rail, the service, its workers and the people who call it."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from chaos.card.rail import CardRail
from chaos.crypto.rail import CryptoRail
from chaos.databases import WorkDatabase, rows, work_database
from chaos.nemesis import POINTS, Blow, against_processes
from chaos.people import People
from chaos.rail import Rail
from chaos.server import planted_stack
from chaos.workers import ROOT, Workers
from devstack.stack import Stack

RAILS: dict[str, Callable[..., Rail]] = {"card": CardRail, "crypto": CryptoRail}

# A paid card refund is looked at soon, then ever more rarely, and never more rarely than this while a run lasts.
WATCH_SECONDS = (4, 8, 14, 22, *range(34, 900, 12))
# What lies before an operator for a dispute is looked at once a day, should each webhook be lost.
DISPUTE_LOOK_SECONDS = 20

# Seconds and hours of production, made short. The wallet and the watch look every second or two.
HASTE = """
orders_look_seconds = 1
payout_look_seconds = [2, 5, 5, 5, 10, 10, 10, 10, 30, 30, 60, 600]
wallet_block_seconds = 1
watch_chain_seconds = 5
watch_card_hours = {watch_card_hours}
dispute_look_hours = {dispute_look_hours}
fee_raise_seconds = 5
fee_raise_blocks = 0
"""


@dataclass(frozen=True)
class Options:
    """What a run is; together with the commit, all that is needed to run it again."""

    rail: str
    count: int
    seed: str
    database: str
    endpoints: int
    profile: str
    bug: str | None
    rest_seconds_max: float
    stops_early: bool
    """End as soon as something is broken for certain; for planted mistakes."""


@dataclass(frozen=True)
class World:
    """The parts, all of them running but the workers."""

    database: WorkDatabase
    rail: Rail
    stack: Stack
    workers: Workers
    people: People

    def blows(self, ending: threading.Event) -> dict[str, list[Blow]]:
        """Let the storm begin; return the blows, by lanes that are dealt side by side."""
        rail = self.rail
        against_all = against_processes(
            self.stack,
            self.workers,
            self.database,
            ending,
            subject=rail.subject,
            stop_point=rail.stop_point,
            stop_seconds=rail.stop_seconds,
            crash_points=rail.crash_points,
        )
        # What is armed waits for its moment by itself, and must not come behind a worker that stands still.
        armed = [it for it in against_all if it.kind == "armed"]
        others = [it for it in against_all if it.kind != "armed"]
        return {"processes": others, POINTS: armed, **rail.lanes(ending)}

    def is_over(self) -> bool:
        """Tell whether no refund is open any more; it is not known while the database is away."""
        try:
            query = "SELECT id, status, waiting_for FROM refunds"
            return self.rail.is_over(rows(self.database.url_to_read, query))
        except SQLAlchemyError:
            return False

    def findings(self) -> dict[str, int]:
        """Count what the service brought before people, by its kind."""
        query = "SELECT kind, count(*) AS number FROM findings GROUP BY kind ORDER BY kind"
        return {it["kind"]: int(it["number"]) for it in rows(self.database.url_to_read, query)}


@contextmanager
def open_world(options: Options, folder: Path, over: threading.Event) -> Iterator[World]:
    """Start everything but the workers; whatever was started has ended afterwards."""
    with ExitStack() as parts:
        parts.callback(over.set)
        database = parts.enter_context(work_database(options.database, folder))
        rail: Rail = parts.enter_context(
            RAILS[options.rail](folder, seed=options.seed, endpoints=options.endpoints, profile=options.profile)
        )
        surroundings = _surroundings(folder, rail, database)
        stack = parts.enter_context(_stack(folder / "stack", surroundings, options))
        if stack.worker is None:
            raise RuntimeError("the stack names no worker")
        workers = Workers(stack.worker.environment, folder / "workers", seed=options.seed, bug=options.bug)
        parts.callback(workers.stop)
        people = People(stack.info["api"], stack.info["tokens"], over)
        parts.callback(people.close)
        rail.meet(people, database.url_to_read, stack.info["api"])
        yield World(database, rail, stack, workers, people)


def _stack(folder: Path, surroundings: dict[str, str], options: Options) -> Stack:
    """Make the stack; a mistake about cards may be one of the API's."""
    if options.bug and options.rail == "card":
        return planted_stack(folder, surroundings, options.bug)
    return Stack(folder, surroundings, runs_worker=False)


def _surroundings(folder: Path, rail: Rail, database: WorkDatabase) -> dict[str, str]:
    """Return the environment of the service; what this shell may hold of another one stays outside."""
    policy = folder / "policy.toml"
    hours = [round(it / 3600, 7) for it in WATCH_SECONDS]
    haste = HASTE.format(watch_card_hours=hours, dispute_look_hours=round(DISPUTE_LOOK_SECONDS / 3600, 7))
    policy.write_text((ROOT / "policy.toml").read_text() + haste)
    clean = {name: it for name, it in os.environ.items() if not name.startswith(("REFUNDS_", "TEMPORAL_"))}
    mine = {"REFUNDS_POLICY": str(policy), "REFUNDS_DATABASE_URL": database.url}
    return {**clean, **mine, **rail.settings()}
