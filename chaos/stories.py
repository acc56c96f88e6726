"""What people do with one refund: the stories, how many of each, and when each begins, all by the seed."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chaos.chance import choose, draw, shuffled
from chaos.people import OutOfTime, People
from chaos.purses import Purse, Record

AT_ONCE_MAX = 48
LATE_SECONDS_MAX = 20.0
Story = Callable[["Stories", Record], None]


class Stories:
    """Plays one story for each purse, side by side."""

    def __init__(self, people: People, seed: object, seconds: float) -> None:
        self._people, self._seed, self._seconds = people, seed, seconds

    def plan(self, purses: Sequence[Purse]) -> list[Record]:
        """Give each purse its story: every one at least once, as far as the purses go, and the common ones often."""
        names = list(STORIES)[: len(purses)]
        often = [name for name, (weight, _) in STORIES.items() for _ in range(weight)]
        names += [choose(often, self._seed, "story", number) for number in range(len(names), len(purses))]
        return [Record(*it) for it in zip(purses, shuffled(names, self._seed, "stories"), strict=True)]

    def play(self, records: Sequence[Record], ending: threading.Event) -> ThreadPoolExecutor:
        """Begin them all, spread over the storm; return at once."""
        pool = ThreadPoolExecutor(min(AT_ONCE_MAX, len(records)), thread_name_prefix="story")
        by_start = sorted(records, key=lambda it: self._chance(it, "start"))
        # A thread that waits for its start keeps the next ones waiting, so they stand in the order of their starts.
        for record in by_start:
            pool.submit(self._play, record, ending)
        return pool

    def _play(self, record: Record, ending: threading.Event) -> None:
        try:
            self._people.pause(self._chance(record, "start") * self._seconds / 4)
            STORIES[record.story][1](self, record)
            record.is_told = True
        except OutOfTime as error:
            record.trouble.append(f"no answer in time to {error}")
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the judge tells of it
            record.trouble.append(f"{type(error).__name__}: {error}")

    def _chance(self, record: Record, what: str) -> float:
        return draw(self._seed, record.purse.name, what)

    def _ticket(self, record: Record, number: int = 1) -> str:
        return f"{record.purse.name}-{number}"

    def _ask(self, record: Record) -> str | None:
        return self._people.request(record, self._ticket(record))

    def _approve(self, record: Record, refund: str, operator: str = "approver_1", number: int = 1) -> bool:
        decision = f"approve-{record.purse.name}-{number}"
        return self._people.decide(record, refund, "approve", operator, decision)

    def _plain(self, record: Record) -> None:
        if refund := self._ask(record):
            self._approve(record, refund)

    def _late(self, record: Record) -> None:
        if refund := self._ask(record):
            self._people.pause(LATE_SECONDS_MAX * self._chance(record, "late"))
            self._approve(record, refund)

    def _same_ticket(self, record: Record) -> None:
        """The same request three times at once, and again when it is approved."""
        together(*(lambda: self._ask(record) for _ in range(3)))
        for refund in set(record.refunds):
            self._approve(record, refund)
        self._ask(record)

    def _second_ticket(self, record: Record) -> None:
        """Two tickets for one deposit at the same time: one of them is a duplicate of the other."""
        tickets = [self._ticket(record, number) for number in (1, 2)]
        together(*(lambda ticket=ticket: self._people.request(record, ticket) for ticket in tickets))
        together(
            *(
                lambda refund=refund: self._approve(record, refund, number=hash_of(refund))
                for refund in record.refunds
            )
        )

    def _approved_twice(self, record: Record) -> None:
        if refund := self._ask(record):
            self._people.until_decidable(refund)
            together(
                lambda: self._approve(record, refund, "approver_1", 1),
                lambda: self._approve(record, refund, "approver_2", 2),
                lambda: self._approve(record, refund, "approver_1", 1),
            )

    def _rejected(self, record: Record) -> None:
        if refund := self._ask(record):
            self._people.decide(record, refund, "reject", "approver_1", f"reject-{record.purse.name}")
            self._approve(record, refund, "approver_2", 2)

    def _approve_or_reject(self, record: Record) -> None:
        if refund := self._ask(record):
            self._people.until_decidable(refund)
            reject = f"reject-{record.purse.name}"
            together(
                lambda: self._approve(record, refund),
                lambda: self._people.decide(record, refund, "reject", "approver_2", reject),
            )

    def _withdrawn(self, record: Record) -> None:
        """The customer changes their mind, sometimes in the very moment of the approval."""
        if refund := self._ask(record):
            self._people.until_decidable(refund)
            if self._chance(record, "race") < 0.5:
                together(lambda: self._people.withdraw(record, refund), lambda: self._approve(record, refund))
            else:
                self._people.withdraw(record, refund)
                self._approve(record, refund)

    def _spent(self, record: Record) -> None:
        """An order is charged against the deposit while it is asked for, or while it is approved."""
        if self._chance(record, "when") < 0.5:
            together(lambda: self._ask(record), lambda: self._people.spend(record))
            for refund in set(record.refunds):
                self._approve(record, refund)
        elif asked := self._ask(record):
            self._people.until_decidable(asked)
            together(lambda: self._people.spend(record), lambda: self._approve(record, asked))


STORIES: dict[str, tuple[int, Story]] = {
    "plain": (9, Stories._plain),
    "late": (4, Stories._late),
    "same ticket again": (2, Stories._same_ticket),
    "second ticket": (1, Stories._second_ticket),
    "approved twice": (2, Stories._approved_twice),
    "rejected": (1, Stories._rejected),
    "approved or rejected": (1, Stories._approve_or_reject),
    "withdrawn": (1, Stories._withdrawn),
    "spent": (1, Stories._spent),
}


def together(*acts: Callable[[], Any]) -> None:
    """Do several things at the same time; return when all are done, and raise what the first of them raised."""
    with ThreadPoolExecutor(len(acts)) as pool:
        for doing in [pool.submit(act) for act in acts]:
            doing.result()


def hash_of(refund: str) -> int:
    """Tell two refunds of one purse apart in the names of decisions."""
    return int(draw(refund) * 10**6)
