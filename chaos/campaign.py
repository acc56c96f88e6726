"""One run: storm, drain, heal, replay attack, judge. Each phase has an end, and every process that it started too."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from chaos.crypto.evidence import rows
from chaos.crypto.judge import Judgement
from chaos.crypto.rail import CryptoRail
from chaos.databases import WorkDatabase, work_database
from chaos.nemesis import Nemesis, against_processes
from chaos.people import People
from chaos.purses import Purse, Record
from chaos.stories import Stories
from chaos.waiting import InVain, until
from chaos.workers import ROOT, Workers
from devstack.stack import Stack

RAILS = {"crypto": CryptoRail}
STORM_SECONDS_MIN = 20.0
STORM_SECONDS_EACH = 0.4
LANES_SECONDS_MAX = 60.0  # for blows that wait for something to hit, after the storm's time is over
DRAIN_SECONDS_MAX = 35.0
REST_SECONDS_MAX = 120.0
OPENING_THREADS = 8
POLL_SECONDS = 1.0
# At each crash point. A turn of a wallet passes a hundred, and one that dies is missed for seconds.
CRASH_CHANCE = 0.0015
BEFORE_HEALING_MIN = 0.5  # of all that is paid: else the run shows what a calm service does
OVER = ("refunded", "rejected", "withdrawn", "ineligible", "expired", "duplicate")

# Seconds and hours of production, made short. The wallet and the watch look every second or two.
HASTE = """
orders_look_seconds = 1
payout_look_seconds = [2, 5, 5, 5, 10, 10, 10, 10, 30, 30, 60, 600]
wallet_block_seconds = 1
watch_chain_seconds = 5
"""


@dataclass(frozen=True)
class Options:
    """What a run is; together with the commit, all that is needed to run it again."""

    rail: str
    count: int
    seed: str
    database: str = "sqlite"
    endpoints: int = 1
    bug: str | None = None
    rest_seconds_max: float = REST_SECONDS_MAX
    stops_early: bool = False
    """End as soon as something is broken for certain; for planted mistakes."""


@dataclass
class Result:
    """What a run showed."""

    judgement: Judgement
    fired: Counter[str]
    not_reached: list[str]
    deaths: int
    findings: dict[str, int] = field(default_factory=dict)
    """What the service brought before people although nobody was needed in the end, by its kind."""
    seconds: dict[str, float] = field(default_factory=dict)


class Campaign:
    """Plays one run in a folder of its own."""

    def __init__(self, options: Options, folder: Path) -> None:
        self._options, self._folder = options, folder
        self._storm_seconds = max(STORM_SECONDS_MIN, STORM_SECONDS_EACH * options.count)
        self._ending = threading.Event()
        self._over = threading.Event()
        self._seconds: dict[str, float] = {}
        self._began = time.monotonic()

    def run(self) -> Result:
        """Play it to the end; everything that was started has ended when it returns."""
        options = self._options
        with ExitStack() as all_of_it:
            all_of_it.callback(self._over.set)
            all_of_it.callback(self._ending.set)
            database = all_of_it.enter_context(work_database(options.database, self._folder))
            rail = all_of_it.enter_context(
                RAILS[options.rail](self._folder, seed=options.seed, endpoints=options.endpoints)
            )
            stack = all_of_it.enter_context(
                Stack(self._folder / "stack", self._surroundings(rail, database), runs_worker=False)
            )
            if stack.worker is None:
                raise RuntimeError("the stack names no worker")
            workers = Workers(stack.worker.environment, self._folder / "workers", seed=options.seed, bug=options.bug)
            all_of_it.callback(workers.stop)
            people = People(stack.info["api"], stack.info["tokens"], self._over)
            all_of_it.callback(people.close)
            purses = rail.open_purses(options.count)
            self._open_accounts(people, purses)
            self._mark("set up")
            return self._play(stack, workers, database, rail, people, purses)

    def _play(
        self,
        stack: Stack,
        workers: Workers,
        database: WorkDatabase,
        rail: CryptoRail,
        people: People,
        purses: Sequence[Purse],
    ) -> Result:
        stories = Stories(people, self._options.seed, self._storm_seconds)
        nemesis = Nemesis(self._options.seed, self._storm_seconds, self._ending)
        records = stories.plan(purses)
        workers.start(CRASH_CHANCE)
        lanes = nemesis.start(
            {
                "processes": against_processes(
                    stack,
                    workers,
                    database,
                    self._ending,
                    subject=rail.subject,
                    stop_point=rail.stop_point,
                    crash_points=rail.crash_points,
                ),
                **rail.lanes(self._ending),
            }
        )
        is_broken = partial(self._is_broken, rail, records, database)
        with stories.play(records, self._over):
            self._until_over(lanes, database, records, is_broken)
            self._mark("storm")
            self._settle(database, records, DRAIN_SECONDS_MAX, is_broken)
            self._ending.set()
            for lane in lanes:
                lane.join()
            self._mark("drain")
            before_healing = _sent(database)
            deaths, shots = workers.deaths, Counter(str(it["shot"]) for it in workers.shots())
            not_passed = workers.waiting()
            workers.stop()
            workers.disarm()
            rail.clear()
            workers.start(0.0)
            is_quiet = self._settle(database, records, self._options.rest_seconds_max, is_broken)
            self._over.set()
        quiet_seconds = self._mark("heal")
        workers.stop()
        rail.come_to_rest(records)
        rail.replay()
        self._over.clear()
        evidence = rail.evidence(records, people, database.url_to_read, quiet_seconds if is_quiet else None)
        judgement = rail.judge(evidence)
        self._mark("replay and judge")
        fired = rail.fired() + nemesis.dealt + Counter({f"crash_point_{it}": number for it, number in shots.items()})
        not_reached = [*rail.not_reached(evidence), *(f"the blow {kind}" for kind in nemesis.missed)]
        not_reached += [f"a worker at {point}" for point in not_passed]
        if before_healing < BEFORE_HEALING_MIN * judgement.paid_once:
            not_reached.append(f"enough payouts while faults were on ({before_healing} of {judgement.paid_once})")
        return Result(judgement, fired, not_reached, deaths, _findings(database), self._seconds)

    def _surroundings(self, rail: CryptoRail, database: WorkDatabase) -> dict[str, str]:
        """Return the environment of the service; what this shell may hold of another one stays outside."""
        policy = self._folder / "policy.toml"
        policy.write_text((ROOT / "policy.toml").read_text() + HASTE)
        clean = {name: it for name, it in os.environ.items() if not name.startswith(("REFUNDS_", "TEMPORAL_"))}
        mine = {"REFUNDS_POLICY": str(policy), "REFUNDS_DATABASE_URL": database.url}
        return {**clean, **mine, **rail.settings()}

    def _open_accounts(self, people: People, purses: Sequence[Purse]) -> None:
        with ThreadPoolExecutor(OPENING_THREADS) as pool:
            for opening in [pool.submit(people.open_account, purse) for purse in purses]:
                opening.result()

    def _is_broken(self, rail: CryptoRail, records: Sequence[Record], database: WorkDatabase) -> bool:
        return self._options.stops_early and rail.is_broken(records, database.url_to_read)

    def _until_over(
        self,
        lanes: Sequence[threading.Thread],
        database: WorkDatabase,
        records: Sequence[Record],
        is_broken: Callable[[], bool],
    ) -> None:
        """Wait until every blow is dealt, or until there is nothing left that one could hit."""
        with suppress(InVain):
            until(
                lambda: not any(lane.is_alive() for lane in lanes) or self._is_settled(database, records, is_broken),
                "the last blow",
                self._storm_seconds + LANES_SECONDS_MAX,
                POLL_SECONDS,
            )

    def _settle(
        self,
        database: WorkDatabase,
        records: Sequence[Record],
        seconds_max: float,
        is_broken: Callable[[], bool],
    ) -> bool:
        """Wait until every story is told and nothing is open any more; return whether it came to that."""
        try:
            until(
                lambda: self._is_settled(database, records, is_broken),
                "everything to come to its end",
                seconds_max,
                POLL_SECONDS,
            )
        except InVain:
            return False
        return True

    def _is_settled(self, database: WorkDatabase, records: Sequence[Record], is_broken: Callable[[], bool]) -> bool:
        if is_broken():
            return True
        if not all(it.is_told for it in records):
            return False
        try:
            return all(it["status"] in OVER for it in rows(database.url_to_read, "SELECT status FROM refunds"))
        except SQLAlchemyError:
            return False  # the database is away

    def _mark(self, phase: str) -> float:
        """Write down how long a phase took."""
        now = time.monotonic()
        self._seconds[phase], self._began = round(now - self._began, 1), now
        (self._folder / "phases.json").write_text(json.dumps(self._seconds) + "\n")
        return self._seconds[phase]


def _sent(database: WorkDatabase) -> int:
    """Count the payouts that were seen in a block."""
    query = "SELECT count(*) AS number FROM payouts WHERE status IN ('pending', 'succeeded')"
    return int(rows(database.url_to_read, query)[0]["number"])


def _findings(database: WorkDatabase) -> dict[str, int]:
    query = "SELECT kind, count(*) AS number FROM findings GROUP BY kind ORDER BY kind"
    return {it["kind"]: int(it["number"]) for it in rows(database.url_to_read, query)}
