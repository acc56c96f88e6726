"""One call inside one database transaction: remembered answer, effect, new answer, journal."""

from devstack.stripe_simulator import fault_counts, idempotency, journal
from devstack.stripe_simulator.calls import Answer, Call, Json
from devstack.stripe_simulator.endpoints import act
from devstack.stripe_simulator.errors import ApiError, server_failure
from devstack.stripe_simulator.faults import Fault, FaultKind
from devstack.stripe_simulator.refund_life import pass_time
from devstack.stripe_simulator.store import Tables


def execute(tables: Tables, call: Call, fault: Fault | None) -> Answer:
    """Answer a call from memory or by carrying it out; refusals are answers too."""
    pass_time(tables)
    # After it, because what time brings about is not the doing of this call.
    tables.cause = call
    answer = _answer(tables, call, None if fault is None else fault.kind)
    write_down(tables, call, answer, fault)
    return answer


def write_down(tables: Tables, call: Call, answer: Answer | None, fault: Fault | None) -> None:
    """Keep in the journal what became of a call, and count the fault that it met."""
    journal.record(tables, call, answer, fault)
    fault_counts.count(tables, call, answer, fault)


def _answer(tables: Tables, call: Call, fault: FaultKind | None) -> Answer:
    try:
        remembered = idempotency.recall(tables, call)
        if remembered is not None:
            return remembered
        if fault is FaultKind.FAILURE_BEFORE:
            raise server_failure()
        body = _act(tables, call)
        if fault is FaultKind.FAILURE_AFTER:
            raise server_failure()
        answer = Answer(status=200, body=body, original_request=call.request_id if call.key else None)
    except ApiError as error:
        answer = error.answer(call.request_id)
        if not error.is_stored:
            return answer
    idempotency.remember(tables, call, answer)
    return answer


def _act(tables: Tables, call: Call) -> Json:
    with tables.savepoint():
        try:
            return act(tables, call)
        except ApiError as error:
            if not error.keeps_effect:
                raise
            refused = error
    raise refused
