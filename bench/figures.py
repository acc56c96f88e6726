"""Turns measured seconds into what is told: medians of interleaved pairs, and their ratio."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Timed = Callable[[], Awaitable[float]]
"""Does one thing and returns the seconds that it took."""


@dataclass(frozen=True)
class Figure:
    """One line of the table. `aim_max` or `aim_min` bounds the ratio, or ours where there is no baseline."""

    name: str
    unit: str
    ours: float
    bare: float | None = None
    aim_max: float | None = None
    aim_min: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Return ours in terms of the baseline's."""
        return self.ours / self.bare if self.bare else None

    @property
    def is_met(self) -> bool | None:
        """Tell whether the aim is met; None where there is none."""
        if self.aim_max is None and self.aim_min is None:
            return None
        bounded = self.ours if self.ratio is None else self.ratio
        return (self.aim_max is None or bounded <= self.aim_max) and (self.aim_min is None or bounded >= self.aim_min)


async def in_pairs(count: int, ours: Timed, bare: Timed) -> list[tuple[float, float]]:
    """Measure both by turns, each going first as often as the other: what slows the machine slows both."""
    pairs = []
    for number in range(count):
        if number % 2:
            second, first = await bare(), await ours()
        else:
            first, second = await ours(), await bare()
        pairs.append((first, second))
    return pairs


def of_pairs(name: str, pairs: Sequence[tuple[float, float]], *, aim_max: float | None = None) -> Figure:
    """Compare the medians; the note tells how far single pairs lie apart."""
    ratios = sorted(ours / bare for ours, bare in pairs)
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    return Figure(
        name=name,
        unit="ms",
        ours=1000 * statistics.median(ours for ours, _ in pairs),
        bare=1000 * statistics.median(bare for _, bare in pairs),
        aim_max=aim_max,
        note=f"{len(pairs)} pairs; 8 of 10 between {low:.2f} and {high:.2f}",
    )
