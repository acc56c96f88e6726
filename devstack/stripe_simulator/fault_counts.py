"""Which kinds of faults fired how often, at which endpoints; a soak reads it when it is over."""

from devstack.stripe_simulator.calls import Answer, Call, Json
from devstack.stripe_simulator.faults import Fault, FaultKind
from devstack.stripe_simulator.store import Tables

_FAILURES = (FaultKind.FAILURE_BEFORE, FaultKind.FAILURE_AFTER)


def count(tables: Tables, call: Call, answer: Answer | None, fault: Fault | None) -> None:
    """Count a fault that changed what the caller sees; one that met a replay or a refusal may not have."""
    if fault is None or not _did_fire(answer, fault.kind):
        return
    tables.connection.execute(
        "INSERT INTO faults_fired (kind, endpoint, times) VALUES (?, ?, 1) "
        "ON CONFLICT (kind, endpoint) DO UPDATE SET times = times + 1",
        (fault.kind, call.endpoint),
    )


def list_fired(tables: Tables) -> list[Json]:
    """Show the counts, per kind and endpoint."""
    rows = tables.connection.execute("SELECT kind, endpoint, times FROM faults_fired ORDER BY kind, endpoint")
    return [{"kind": kind, "endpoint": endpoint, "times": times} for kind, endpoint, times in rows]


def forget(tables: Tables) -> None:
    """Begin to count from nothing."""
    tables.connection.execute("DELETE FROM faults_fired")


def _did_fire(answer: Answer | None, kind: FaultKind) -> bool:
    if kind not in _FAILURES:
        return True
    return answer is not None and answer.status == 500 and not answer.is_replay
