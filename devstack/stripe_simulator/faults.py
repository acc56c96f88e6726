"""Faults armed through the control plane, each for the next calls that match it."""

from dataclasses import asdict, dataclass
from enum import StrEnum

from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.store import Tables

HANG_SECONDS_DEFAULT = 30.0


class FaultKind(StrEnum):
    """What goes wrong; `after` means after the commit, so the call has had its effect.

    Both kinds of 500 are remembered for the idempotency key, as Stripe does. A call that is answered from
    memory is replayed unharmed by them: the code that would fail does not run.
    """

    DROP_BEFORE = "drop_before"
    HANG_BEFORE = "hang_before"
    FAILURE_BEFORE = "500_before"
    UNAVAILABLE_BEFORE = "503_before"
    PAGE_BEFORE = "200_html_before"
    CONFLICT = "409"
    RATE_LIMIT = "429"
    RATE_LIMIT_WITH_DELAY = "429_retry_after"
    LOCK_TIMEOUT = "429_lock_timeout"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    DROP_AFTER = "drop_after"
    HANG_AFTER = "hang_after"
    FAILURE_AFTER = "500_after"
    BAD_GATEWAY_AFTER = "502_html_after"
    GATEWAY_TIMEOUT_AFTER = "504_html_after"
    PAGE_AFTER = "200_html_after"
    EMPTY_AFTER = "empty_after"
    WRONG_JSON_AFTER = "wrong_json_after"
    TRUNCATE_AFTER = "truncate_after"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One armed fault; `method` None matches every method."""

    method: str | None
    path_prefix: str
    kind: FaultKind
    hang_seconds: float = HANG_SECONDS_DEFAULT
    times: int = 1

    def matches(self, method: str, path: str) -> bool:
        """Whether a call is one that this fault is for."""
        return self.method in (None, method) and path.startswith(self.path_prefix)


def arm(tables: Tables, fault: Fault) -> None:
    """Arm a fault behind those that are armed already."""
    tables.connection.execute(
        "INSERT INTO faults (method, path_prefix, kind, hang_seconds, times) "
        "VALUES (:method, :path_prefix, :kind, :hang_seconds, :times)",
        asdict(fault),
    )


def disarm_all(tables: Tables) -> None:
    """Take back every fault that is armed and did not fire yet."""
    tables.connection.execute("DELETE FROM faults")


def take(tables: Tables, method: str, path: str) -> Fault | None:
    """Use up one of the first armed fault that matches."""
    for sequence, fault in _armed(tables):
        if fault.matches(method, path):
            tables.connection.execute("UPDATE faults SET times = times - 1 WHERE sequence = ?", (sequence,))
            tables.connection.execute("DELETE FROM faults WHERE times <= 0")
            return fault
    return None


def list_armed(tables: Tables) -> list[Json]:
    """Show what is still armed."""
    return [asdict(fault) for _, fault in _armed(tables)]


def _armed(tables: Tables) -> list[tuple[int, Fault]]:
    rows = tables.connection.execute(
        "SELECT sequence, method, path_prefix, kind, hang_seconds, times FROM faults ORDER BY sequence"
    )
    return [
        (
            sequence,
            Fault(
                method=method,
                path_prefix=path_prefix,
                kind=FaultKind(kind),
                hang_seconds=hang_seconds,
                times=times,
            ),
        )
        for sequence, method, path_prefix, kind, hang_seconds, times in rows
    ]
