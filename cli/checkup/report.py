"""What one check found, and the sentence that says what to do about it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

CALL_SECONDS_MAX = 5.0  # a part that takes longer to say how it is, is not well


class Status(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Check:
    """One look at one part."""

    name: str
    status: Status
    told: str
    remedy: str | None = None
    is_reachable: bool = True
    """False where nobody answered: whether anything is wrong there cannot be told."""

    def as_data(self) -> dict[str, Any]:
        return asdict(self) | {"status": self.status.value}


def ok(name: str, told: str) -> Check:
    """Make a check that found nothing wrong."""
    return Check(name, Status.OK, told)


def warning(name: str, told: str, remedy: str) -> Check:
    """Make a check that found something to look at; refunds go on."""
    return Check(name, Status.WARNING, told, remedy)


def wrong(name: str, told: str, remedy: str) -> Check:
    """Make a check that found what keeps refunds from going on."""
    return Check(name, Status.WRONG, told, remedy)


def away(name: str, told: str, remedy: str) -> Check:
    """Make a check that nobody answered."""
    return Check(name, Status.WRONG, told, remedy, is_reachable=False)


def skew(name: str, seconds_behind: float, seconds_max: float, whose: str) -> Check:
    """Compare a clock with the one of this machine; deadlines are judged by both.

    A clock that agrees is told without seconds: they change from look to look with the call's own time and the
    clock's whole seconds, and say nothing.
    """
    if abs(seconds_behind) <= seconds_max:
        return ok(name, f"{whose} is within {seconds_max:.0f} s of this machine's.")
    side = "behind" if seconds_behind > 0 else "ahead of"
    return warning(
        name, f"{whose} is {abs(seconds_behind):.0f} s {side} this machine's.", "Set both clocks by a time server."
    )
