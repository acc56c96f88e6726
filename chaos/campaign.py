"""One run: storm, drain, heal, replay attack, judge. Each phase has an end."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from chaos.judgement import Judgement
from chaos.nemesis import Nemesis
from chaos.purses import Purse, Record
from chaos.stories import Stories
from chaos.waiting import InVain, until
from chaos.world import Options, World, open_world

STORM_SECONDS_MIN = 20.0
STORM_SECONDS_EACH = 0.8
LANES_SECONDS_MAX = 200.0  # for blows that wait for something to hit, after the storm's time is over
DRAIN_SECONDS_MAX = 90.0  # ended by the last payout
# A step that moves money may be tried again only two minutes after its last failure (`workflows/policies.py`), and
# what it then finds out is looked at and settled; and a machine may be slow.
REST_SECONDS_MAX = 240.0
OPENING_THREADS = 8
POLL_SECONDS = 1.0
# At each crash point. A turn of a wallet passes a hundred, and one that dies is missed for seconds.
CRASH_CHANCE = 0.0015
# Of all that is paid: else the run shows what a calm service does. Who dies is missed for seconds, again and again.
BEFORE_HEALING_MIN = 0.5


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
        self._nemesis = Nemesis(options.seed, self._storm_seconds, threading.Event())
        self._over = threading.Event()
        self._seconds: dict[str, float] = {}
        self._began = time.monotonic()

    def run(self) -> Result:
        """Play it to the end; everything that was started has ended when it returns."""
        with open_world(self._options, self._folder, self._over) as world:
            try:
                return self._play(world)
            finally:
                self._nemesis.ending.set()

    def _play(self, world: World) -> Result:
        stories = Stories(world.people, self._options.seed, world.rail.stories_share * self._storm_seconds)
        records = stories.plan(self._open(world))
        world.workers.start(CRASH_CHANCE)
        with stories.play(records, self._over):
            not_reached, shots, made = self._storm_and_drain(world, records)
            deaths = world.workers.deaths
            is_quiet = self._heal(world, records)
            self._over.set()
        quiet_seconds = self._mark("heal")
        world.workers.stop()
        world.rail.come_to_rest(records)
        world.rail.replay()
        self._over.clear()
        evidence = world.rail.evidence(
            records, world.people, world.database.url_to_read, quiet_seconds if is_quiet else None
        )
        judgement = world.rail.judge(evidence)
        self._mark("replay and judge")
        not_reached += world.rail.not_reached(evidence)
        if made < BEFORE_HEALING_MIN * judgement.paid_once:
            not_reached.append(f"enough payouts while faults were on ({made} of {judgement.paid_once})")
        fired = world.rail.fired() + self._nemesis.dealt + shots
        return Result(judgement, fired, not_reached, deaths, world.findings(), self._seconds)

    def _open(self, world: World) -> Sequence[Purse]:
        """Let customers pay and billing credit it, while nothing goes wrong yet."""
        purses = world.rail.open_purses(self._options.count)
        with ThreadPoolExecutor(OPENING_THREADS) as pool:
            for opening in [pool.submit(world.people.open_account, purse) for purse in purses]:
                opening.result()
        self._mark("set up")
        return purses

    def _storm_and_drain(self, world: World, records: Sequence[Record]) -> tuple[list[str], Counter[str], int]:
        """Deal every blow, then let faults go on; return what never happened, what did, and what was paid by then."""
        lanes = self._nemesis.start(world.blows(self._nemesis.ending))
        # A storm is over when every blow is dealt, or nothing is left that one could hit.
        self._until(
            lambda: not any(lane.is_alive() for lane in lanes) or self._is_settled(world, records),
            self._storm_seconds + LANES_SECONDS_MAX,
        )
        self._mark("storm")
        self._until(lambda: self._is_settled(world, records), DRAIN_SECONDS_MAX)
        self._nemesis.ending.set()
        for lane in lanes:
            lane.join()
        self._mark("drain")
        missed = [f"the blow {kind}" for kind in self._nemesis.missed]
        missed += [f"a worker at {point}" for point in world.workers.waiting()]
        shots = Counter(f"crash_point_{it['shot']}" for it in world.workers.shots())
        return missed, shots, world.rail.payouts_made()

    def _heal(self, world: World, records: Sequence[Record]) -> bool:
        """Let nothing go wrong any more; return whether everything came to its end by itself."""
        world.workers.stop()
        world.workers.disarm()
        world.rail.clear()
        if self._is_broken(world, records):
            return False
        world.workers.start(0.0)
        return self._until(lambda: self._is_settled(world, records), self._options.rest_seconds_max)

    def _is_settled(self, world: World, records: Sequence[Record]) -> bool:
        """Tell whether every story is told and nothing is open, or whether to go on is of no use."""
        if self._is_broken(world, records):
            return True
        return all(it.is_told for it in records) and world.is_over()

    def _is_broken(self, world: World, records: Sequence[Record]) -> bool:
        return self._options.stops_early and world.rail.is_broken(records, world.database.url_to_read)

    def _until(self, condition: Callable[[], bool], seconds_max: float) -> bool:
        try:
            until(condition, "the end of a phase", seconds_max, POLL_SECONDS)
        except InVain:
            return False
        return True

    def _mark(self, phase: str) -> float:
        """Write down how long a phase took."""
        now = time.monotonic()
        self._seconds[phase], self._began = round(now - self._began, 1), now
        (self._folder / "phases.json").write_text(json.dumps(self._seconds) + "\n")
        return self._seconds[phase]
