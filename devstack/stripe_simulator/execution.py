"""One call inside one database transaction: remembered answer, effect, new answer, journal."""

from devstack.stripe_simulator import idempotency, journal
from devstack.stripe_simulator.calls import Answer, Call
from devstack.stripe_simulator.endpoints import act
from devstack.stripe_simulator.errors import ApiError, server_failure
from devstack.stripe_simulator.faults import Fault, FaultKind
from devstack.stripe_simulator.store import Tables


def execute(tables: Tables, call: Call, fault: Fault | None) -> Answer:
    """Answer a call from memory or by carrying it out; refusals are answers too."""
    tables.cause = call
    answer = _answer(tables, call, None if fault is None else fault.kind)
    journal.record(tables, call, answer, fault)
    return answer


def _answer(tables: Tables, call: Call, fault: FaultKind | None) -> Answer:
    try:
        remembered = idempotency.recall(tables, call)
        if remembered is not None:
            return remembered
        if fault is FaultKind.FAILURE_BEFORE:
            raise server_failure()
        with tables.savepoint():
            body = act(tables, call)
        if fault is FaultKind.FAILURE_AFTER:
            raise server_failure()
        answer = Answer(status=200, body=body, original_request=call.request_id if call.key else None)
    except ApiError as error:
        answer = error.answer(call.request_id)
        if not error.is_stored:
            return answer
    idempotency.remember(tables, call, answer)
    return answer
