"""The one list of crash points, how one is armed from outside, and what a worker does when it passes one.

A point is named `step.effect.moment`, after the activity, the ledger's method or the call, and the moment:

- `uncommitted`: all of a database transaction is written, nothing is committed; the database's lock is held;
- `committed`: it is committed, and whoever asked for it does not know yet;
- `before`, `after`: around a call to the outside; `half_sent`: half of the request's bytes have left;
- `step.done`: the step is over, Temporal does not know yet.

Reads have no points of their own: what dies around a read dies between two effects.

Armed from outside, a point fires once, whichever worker comes first (see `Arms`). For soak runs, every point may
also fire by chance: `CRASH_SEED` and `CRASH_CHANCE` (such as 0.01) in a worker's environment, one of the modes
of `CRASH_MODES` each time. Each passage is written to a journal, and each shot, before it is fired.
"""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from domain.outbox import QuotedPayout
from domain.refunds import parse_ticket, refund_id
from domain.runs import OpenRefund

ANYBODY = "any"  # on whose behalf a point is armed that whoever passes it first may take
SHUTDOWN_SECONDS = 1.0  # between SIGTERM and SIGKILL, as an impatient supervisor does it

_DATABASE = ("uncommitted", "committed")
_CALL = ("before", "after")
_CARD = {
    "record_sending": _DATABASE,
    "leap": ("before", "half_sent", "after"),
    "record_outcome": _DATABASE,
    "record_unclear": _DATABASE,
    "record_warnings": _DATABASE,
    "stop_itself": _DATABASE,
}
_EFFECTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "open_refund": {"accept": _DATABASE},
    "check_refund": {
        "record_resolved_charge": _DATABASE,
        "identify": _DATABASE,
        "judge": _DATABASE,
        "stop_itself": _DATABASE,
    },
    "read_records": {"read_records": _DATABASE},
    "begin_payout": {"begin": _DATABASE, "hold_back": _DATABASE, "stop_itself": _DATABASE},
    "send_card_refund": _CARD,
    "look_at_card_refund": _CARD,
    "wake_wallet": {"wake": _CALL},
    "pump": {
        "signature": _CALL,
        "sign": _DATABASE,
        "broadcast": _CALL,
        "record_sends": _DATABASE,
        "see_nothing": _DATABASE,
        "see_mined": _DATABASE,
        "see_final": _DATABASE,
        "raise_fee": _DATABASE,
        "sign_cancel": _DATABASE,
        "pause": _DATABASE,
        "suspect": _DATABASE,
        "distrust": _DATABASE,
        "hold_back": _DATABASE,
        "cannot_sign": _DATABASE,
        "delay": _DATABASE,
        "unseen": _DATABASE,
        "stuck": _DATABASE,
    },
    "end_refund": {"read_records": _DATABASE, "stop_itself": _DATABASE},
    "look_for_warnings": {"record_warnings": _DATABASE},
    "tell_deadline": {"tell_deadline": _DATABASE},
    "end_watch": {"end_watch": _DATABASE},
    "answer_ticket": {"answer": _DATABASE},
    "attend": {"attend": _DATABASE},
    "expire": {"expire": _DATABASE},
    "remind": {"remind": _DATABASE},
}


class Mode(StrEnum):
    """How a worker dies at a point, or seems to."""

    KILL = "kill"
    RAISE = "raise"
    STOP = "stop"  # a zombie: SIGSTOP of itself; whoever armed it wakes it when its work was given to another
    TERM = "term"  # SIGTERM, and SIGKILL a second later


POINTS: tuple[str, ...] = tuple(
    f"{step}.{name}"
    for step, effects in _EFFECTS.items()
    for name in (*(f"{effect}.{moment}" for effect, moments in effects.items() for moment in moments), "done")
)


class CrashError(Exception):
    """The fault of a point that raises: nothing that the product knows or could classify."""


@dataclass(frozen=True)
class Line:
    """One line of the journal. `shot` names the mode where the point fired there."""

    at: float
    pid: int
    name: str
    subjects: tuple[str, ...]
    shot: str | None = None


class Arms:
    """A folder in which points are armed; claiming one is a rename, which only one process can win."""

    def __init__(self, folder: Path) -> None:
        self._armed = folder / "armed"
        self._fired = folder / "fired"
        self._journal = folder / "journal.jsonl"
        for path in (self._armed, self._fired):
            path.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str, mode: Mode, subject: str, *, nth: int = 1) -> None:
        """Let `point` fire once, at its `nth` passage on behalf of `subject`: a refund or `chain_` and its id.

        A `*` in `point` stands for whichever of several steps comes by first.
        """
        if not any(fnmatchcase(it, point) for it in POINTS):
            raise ValueError(f"there is no point {point}")
        (self._armed / f"{point}:{mode}:{subject}:{nth}").touch()

    def claim(self, point: str, subjects: tuple[str, ...]) -> Mode | None:
        """Return the mode in which `point` is to fire now, for this caller alone; None for everybody else."""
        for name in os.listdir(self._armed):
            armed_point, mode, subject, nth = name.split(":")
            if not fnmatchcase(point, armed_point) or subject not in (*subjects, ANYBODY):
                continue
            is_due = nth == "1"
            target = self._fired / name if is_due else self._armed / f"{armed_point}:{mode}:{subject}:{int(nth) - 1}"
            try:
                (self._armed / name).rename(target)
            except FileNotFoundError:
                continue  # another worker was faster
            if is_due:
                return Mode(mode)
        return None

    def note(self, name: str, subjects: tuple[str, ...], shot: Mode | None = None) -> None:
        """Write one line, in one write, so that lines of many processes stay whole."""
        line = Line(at=time.time(), pid=os.getpid(), name=name, subjects=subjects, shot=shot)
        descriptor = os.open(self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, (json.dumps(asdict(line)) + "\n").encode())
        os.close(descriptor)

    def journal(self) -> list[Line]:
        """Read every passage so far, oldest first."""
        if not self._journal.exists():
            return []
        lines = self._journal.read_text().splitlines()
        return [Line(**{**json.loads(line), "subjects": tuple(json.loads(line)["subjects"])}) for line in lines]


class Chance:
    """Fires points by chance, the same for the same seed, process number and order of passages."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._chance = float(environment.get("CRASH_CHANCE", "0"))
        self._modes = [Mode(name) for name in environment.get("CRASH_MODES", "kill,raise").split(",")]
        seed = f"{environment.get('CRASH_SEED', '0')}/{environment.get('CRASH_WORKER', '0')}"
        self._random = random.Random(seed)  # noqa: S311 - a seed that can be repeated is the point

    def draw(self) -> Mode | None:
        """Return a mode, or mostly None."""
        return self._random.choice(self._modes) if self._random.random() < self._chance else None


class Crossing:
    """What a worker's wrapped parts call when they pass a point."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._arms = Arms(folder)
        self._chance = Chance(environment)

    def note(self, name: str, subjects: tuple[str, ...]) -> None:
        """Write down a passage at which nothing can fire."""
        self._arms.note(name, subjects)

    def cross(self, point: str, subjects: tuple[str, ...]) -> None:
        """Go on; or die, stop or raise, if somebody armed this point."""
        mode = self._arms.claim(point, subjects) or self._chance.draw()
        self._arms.note(point, subjects, mode)
        match mode:
            case Mode.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()  # the signal is sure to come, and nothing may happen before
            case Mode.STOP:
                os.kill(os.getpid(), signal.SIGSTOP)
            case Mode.TERM:
                os.kill(os.getpid(), signal.SIGTERM)
                threading.Event().wait(SHUTDOWN_SECONDS)
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()
            case Mode.RAISE:
                raise CrashError(point)


def subjects_in(*values: Any) -> tuple[str, ...]:
    """Find on whose behalf something is done: refunds, and chains, among the arguments of a call."""
    found: list[str] = []
    for value in values:
        if isinstance(value, list | tuple):
            found.extend(subjects_in(*value))
        if isinstance(value, QuotedPayout):
            found.append(value.queued.refund_id)
        if isinstance(value, str) and value.startswith("rf_"):
            found.append(value)
        for name, prefix in (("refund_id", ""), ("chain_id", "chain_")):
            known = getattr(value, name, None)
            if known is not None:
                found.append(f"{prefix}{known}")
        if isinstance(value, OpenRefund):
            found.append(refund_id(parse_ticket(value.raw)))
    return tuple(found)
