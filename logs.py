"""Sets up the logs of a process: structured, redacted, the same for our lines and those of every library."""

import logging
import sys
import traceback
from collections.abc import Iterable
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.runtime import LogForwardingConfig, LoggingConfig, TelemetryFilter
from temporalio.service import RPCError

from domain.changes import Change
from domain.decisions import Action, ResolutionAction
from domain.errors import RefundError
from domain.refunds import workflow_id
from redaction import Redaction

FRAMES_MAX = 12
# The words of any other exception may hold what a customer sent, or a whole row; its class and place are enough.
HARMLESS_WORDS = (RefundError, ApplicationError, RPCError, OSError, RuntimeError)
QUIET = ("uvicorn", "alembic", "temporalio.worker", "temporalio.core", "httpx2", "web3", "urllib3", "stripe")
_OWN_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "temporal_activity"}

changes = logging.getLogger("refunds.changes")


def set_up(secrets: Iterable[str] = ()) -> None:
    """Write all logs to stderr: one JSON object per line, or readable ones where a person sits before it."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _place,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _explained,
    ]
    structlog.configure(
        processors=[*shared, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    is_terminal = sys.stderr.isatty()
    renderer: Processor = structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[_extras, *shared],
            processors=[ProcessorFormatter.remove_processors_meta, Redaction(secrets), renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Steps that fail are told of by the worker's own watch, in our words and without those of strangers.
    activity.logger.base_logger.addFilter(lambda record: record.msg != "Completing activity as failed")
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False


def of_temporal() -> LoggingConfig:
    """Return the setting by which Temporal's own core writes into these logs."""
    forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"), append_target_to_name=False)
    return LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)


# How an entry of the audit trail is called here, where the trail's own word is no event in the past tense.
EVENTS = {
    "payout.sending": "payout.released",
    "payout.pending": "payout.sent",
    "payout.succeeded": "payout.settled",
    "payout.unknown": "payout.lost_from_sight",
    "watch.over": "watch.ended",
}
PEOPLES_ACTS = {"decision": tuple(Action), "resolution": tuple(ResolutionAction), "ownership": ("confirm", "deny")}
FOR_A_PERSON = ("finding.opened", "refund.needs_attention")
OF_BILLING = ("account.", "deposit.", "order.")
TOLD_DETAILS = (
    *("rail", "kind", "attempt", "deposit_id", "digest", "approval_wait_seconds"),
    *("provider_ref", "tx_hash", "nonce", "amount_minor", "currency", "policy_version"),
)


def write_change(change: Change) -> None:
    """Log a committed change: what moved is info, what a person must look at is an error."""
    level = logging.ERROR if change.event in FOR_A_PERSON else logging.INFO
    if change.refund_id is None and change.event.startswith(OF_BILLING):
        level = logging.DEBUG  # an import may bring a million of them
    fields = {name: change.detail[name] for name in TOLD_DETAILS if change.detail.get(name) is not None}
    # A run binds `attempt` to the tries of its step; the attempts of a payout are another matter.
    fields |= {"payout_attempt": fields.pop("attempt")} if "attempt" in fields else {}
    subject, _, act = change.event.partition(".")
    event = EVENTS.get(change.event, change.event)
    if subject in PEOPLES_ACTS and act in PEOPLES_ACTS[subject]:
        event, fields["act"] = f"{subject}.recorded", act
    if change.event.startswith("refund.") and "from" in change.detail:
        fields |= {"from": change.detail["from"], "to": change.event.removeprefix("refund.")}
        fields |= {"reason": change.detail.get("reason")}
        event = "refund.moved"
    if change.refund_id is not None:
        fields["refund_id"] = change.refund_id
    changes.log(level, event, extra={"actor": change.actor, **fields})


def _place(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Bind the step that a line was written in."""
    if activity.in_activity():
        info = activity.info()
        run = info.workflow_id or ""
        if run.startswith(workflow_id("")):
            event.setdefault("refund_id", run.removeprefix(workflow_id("")))
        event.update(
            {
                "workflow_id": run,
                "run_id": info.workflow_run_id,
                "step": info.activity_type,
                "attempt": info.attempt,
            }
        )
    return event


def _extras(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Bind what a line of the standard library carries beside its words."""
    record: logging.LogRecord = event["_record"]
    extras = {key: value for key, value in record.__dict__.items() if key not in _OWN_ATTRIBUTES}
    extras.pop("temporal_log", None)
    extras.pop("__temporal_error_identifier", None)
    run = extras.pop("temporal_workflow", None) or {}
    extras |= {key: run[key] for key in ("workflow_id", "run_id", "attempt", "workflow_type") if key in run}
    return {**event, **extras}


def _explained(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its class and place, and its words where they are known to be harmless."""
    told = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if told is True:
        told = sys.exc_info()
    error = told[1] if isinstance(told, tuple) else told
    if not isinstance(error, BaseException):
        return event
    event.setdefault("error", type(error).__name__)
    if isinstance(error, HARMLESS_WORDS):
        event["words"] = str(error)
    event["frames"] = frames_of(error)
    return event


def frames_of(error: BaseException) -> list[str]:
    """Name the places that an exception went through, innermost last."""
    found = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in found]
