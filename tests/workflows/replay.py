"""Replays a recorded history with today's code, and tells what today's code gave to each activity on the way."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    Interceptor,
    Replayer,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from workflows import payloads, sandbox
from workflows.card_sweep import CardSweepWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.refund import RefundWorkflow
from workflows.wallet import WalletWorkflow

Given = tuple[str, Any]
"""The name of an activity and what it was given, as JSON."""

_NOTE = "note_what_an_activity_is_given"
_CONVERTER = payloads.converter.payload_converter


@dataclass
class Listening(Interceptor):
    """Hears what a run gives to its activities, through the wall of the sandbox."""

    note: Callable[[str, bytes], None]

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions[_NOTE] = self.note
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        payloads = workflow.payload_converter().to_payloads(input.args)
        workflow.extern_functions()[_NOTE](input.activity, payloads[0].data if payloads else b"null")
        return super().start_activity(input)


def load(path: Path) -> WorkflowHistory:
    """Return a recorded history; the id of its workflow stands in its first event."""
    events = json.loads(path.read_text())
    first = events["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(first["workflowId"], events)


async def replay(history: WorkflowHistory) -> list[Given]:
    """Replay without a server; raise where today's code takes other steps, and return what it gave to each."""
    given: list[Given] = []
    replayer = Replayer(
        workflows=[RefundWorkflow, WalletWorkflow, ReconcileWorkflow, CardSweepWorkflow],
        workflow_runner=sandbox.runner(),
        data_converter=payloads.converter,
        interceptors=[Listening(lambda name, data: given.append((name, json.loads(data))))],
    )
    await replayer.replay_workflow(history)
    return given


def recorded(history: WorkflowHistory) -> list[Given]:
    """List the activities that a history holds, with what each was given."""
    return [
        (event.activity_task_scheduled_event_attributes.activity_type.name, _first(event))
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


def results(history: WorkflowHistory) -> Iterator[Given]:
    """Tell what each finished activity of a history answered."""
    names = {
        event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    }
    for event in history.events:
        if event.HasField("activity_task_completed_event_attributes"):
            done = event.activity_task_completed_event_attributes
            yield names[done.scheduled_event_id], json.loads(done.result.payloads[0].data or b"null")


def _first(event: HistoryEvent) -> Any:
    payloads = event.activity_task_scheduled_event_attributes.input.payloads
    return json.loads(payloads[0].data) if payloads else None
