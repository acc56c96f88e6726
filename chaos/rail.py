"""What a run needs of a rail: its outside world, what goes wrong there, and a judge of where the money is."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from chaos.judgement import Judgement
from chaos.nemesis import Blow
from chaos.people import People
from chaos.purses import Purse, Record


class Rail(AbstractContextManager[Any], Protocol):
    """One rail, while it runs. What it judges by, `evidence`, is its own matter."""

    subject: str
    """On whose behalf crash points are armed."""
    stop_point: str
    """Where a worker holds money in its hand: it is stopped there, past its heartbeat."""
    stop_seconds: float
    """How long it stands there: until another one has taken its place."""
    stories_share: float
    """Over how much of the storm, times four, people begin to ask."""
    crash_points: tuple[tuple[str, str], ...]
    """Where a worker fails or dies once, and which of both."""

    def settings(self) -> dict[str, str]: ...

    def meet(self, people: People, database_url: str, api: str) -> None: ...

    def open_purses(self, count: int) -> list[Purse]: ...

    def lanes(self, ending: threading.Event) -> dict[str, list[Blow]]: ...

    def payouts_made(self) -> int: ...

    def is_over(self, refunds: Sequence[Mapping[str, Any]]) -> bool: ...

    def clear(self) -> None: ...

    def is_broken(self, records: Sequence[Record], database_url: str) -> bool: ...

    def come_to_rest(self, records: Sequence[Record]) -> None: ...

    def replay(self) -> None: ...

    def evidence(
        self, records: Sequence[Record], people: People, database_url: str, quiet_seconds: float | None
    ) -> Any: ...

    def judge(self, evidence: Any) -> Judgement: ...

    def fired(self) -> Counter[str]: ...

    def not_reached(self, evidence: Any) -> list[str]: ...
