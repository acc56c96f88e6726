"""A record of every call that asked for a refund, whatever became of it."""

import json

from devstack.stripe_simulator.calls import Answer, Call, Json
from devstack.stripe_simulator.faults import Fault
from devstack.stripe_simulator.spoiling import sent_status
from devstack.stripe_simulator.store import Tables


def record(tables: Tables, call: Call, answer: Answer | None, fault: Fault | None) -> None:
    """Write down a call that asked for a refund; `answer_status` is null when no answer was sent."""
    if not call.is_refund_creation:
        return
    body: Json = {} if answer is None else answer.body
    entry: Json = {
        "at": tables.now(),
        "request_id": call.request_id,
        "idempotency_key": call.key,
        "answer_status": sent_status(answer, fault),
        "is_replay": answer is not None and answer.is_replay,
        "error_code": body.get("error", {}).get("code"),
        "refund": body.get("id"),
        "params": call.params,
        "fault": None if fault is None else fault.kind,
    }
    tables.connection.execute("INSERT INTO journal (entry) VALUES (?)", (json.dumps(entry),))


def entries(tables: Tables) -> list[Json]:
    """Read the journal, oldest first."""
    rows = tables.connection.execute("SELECT sequence, entry FROM journal ORDER BY sequence")
    return [{"sequence": sequence, **json.loads(entry)} for sequence, entry in rows]
