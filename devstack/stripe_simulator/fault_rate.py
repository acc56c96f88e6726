"""A base rate of faults that depends on the calls alone, so that the same calls meet the same faults again."""

import hashlib
from dataclasses import asdict, dataclass

from devstack.stripe_simulator.calls import Call, Json
from devstack.stripe_simulator.faults import Fault, FaultKind
from devstack.stripe_simulator.store import Tables

_SETTING = "fault_rate"
# Left out unless they are named: a service is right to stop for 401 and 403, and to wait a day after a 500
# that is stored without an effect.
LASTING = frozenset({FaultKind.UNAUTHORIZED, FaultKind.FORBIDDEN, FaultKind.FAILURE_BEFORE})
KINDS_DEFAULT = tuple(kind for kind in FaultKind if kind not in LASTING)


@dataclass(frozen=True, kw_only=True)
class FaultRate:
    """How many of a thousand matching calls go wrong, and in which ways (each as often as the others)."""

    seed: int
    per_mille: int
    kinds: tuple[FaultKind, ...]
    method: str | None
    path_prefix: str
    hang_seconds: float


def set_rate(tables: Tables, rate: FaultRate) -> None:
    """Begin a base rate; the attempts are counted from one again."""
    tables.connection.execute("DELETE FROM attempts")
    tables.set_setting(_SETTING, asdict(rate) if rate.per_mille else None)


def end_rate(tables: Tables) -> None:
    """End the base rate."""
    tables.connection.execute("DELETE FROM attempts")
    tables.set_setting(_SETTING, None)


def show_rate(tables: Tables) -> Json | None:
    """Show the base rate, if there is one."""
    shown: Json | None = tables.setting(_SETTING, None)
    return shown


def draw(tables: Tables, call: Call) -> Fault | None:
    """Decide by seed, endpoint, idempotency key and attempt whether this call goes wrong, and how."""
    stored = show_rate(tables)
    if stored is None:
        return None
    rate = FaultRate(**{**stored, "kinds": tuple(FaultKind(kind) for kind in stored["kinds"])})
    fault = Fault(
        method=rate.method, path_prefix=rate.path_prefix, kind=rate.kinds[0], hang_seconds=rate.hang_seconds
    )
    if not fault.matches(call.method, call.path):
        return None
    attempt = _count_attempt(tables, call)
    kind = _decide(rate, f"{call.endpoint}\n{call.key or ''}\n{attempt}")
    return None if kind is None else Fault(**{**asdict(fault), "kind": kind})


def _decide(rate: FaultRate, subject: str) -> FaultKind | None:
    digest = hashlib.sha256(f"{rate.seed}\n{subject}".encode()).digest()
    if int.from_bytes(digest[:8], "big") % 1000 >= rate.per_mille:
        return None
    return rate.kinds[int.from_bytes(digest[8:16], "big") % len(rate.kinds)]


def _count_attempt(tables: Tables, call: Call) -> int:
    (attempt,) = tables.connection.execute(
        "INSERT INTO attempts (endpoint, key, attempts) VALUES (?, ?, 1) "
        "ON CONFLICT (endpoint, key) DO UPDATE SET attempts = attempts + 1 RETURNING attempts",
        (call.endpoint, call.key or ""),
    ).fetchone()
    return int(attempt)
