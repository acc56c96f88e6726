"""How Temporal is: there, with our namespace and search attributes, and with a worker that fetches tasks."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode

from cli.checkup.report import CALL_SECONDS_MAX, Check, away, ok, wrong
from domain.refunds import TASK_QUEUE
from workflows import attributes

DEFAULT_ADDRESS = "localhost:7233"
CALL_TIME_MAX = timedelta(seconds=CALL_SECONDS_MAX)
# A worker asks for tasks again after a minute at the latest; Temporal lists one that died for some minutes more.
QUIET_TIME_MAX = timedelta(seconds=90)
KINDS = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}
REGISTER = "Register them as deploy/temporal/namespace.sh does: `temporal operator search-attribute create`."


class BadSettings(Exception):
    """What `TEMPORAL_…` says cannot be read."""


def examine() -> Iterator[Check]:
    """Look at the Temporal of this environment."""
    return iter(asyncio.run(_examine()))


async def _examine() -> list[Check]:
    try:
        client = await _client()
    except BadSettings as error:
        return [
            wrong("temporal", f"Temporal's settings are wrong: {error}", "Mend TEMPORAL_… or the profile's file.")
        ]
    where = client.service_client.config.target_host
    try:
        await client.service_client.check_health(timeout=CALL_TIME_MAX)
    except (RPCError, RuntimeError, TimeoutError):
        return [away("temporal", f"Temporal at {where} does not answer.", "Start it, or mend TEMPORAL_ADDRESS.")]
    checks = [ok("temporal", f"Temporal at {where} answers.")]
    try:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), timeout=CALL_TIME_MAX
        )
        checks.append(ok("temporal.namespace", f"The namespace {client.namespace} is there."))
        checks.append(await _search_attributes(client))
        checks += [await _polled(client, name, kind) for name, kind in KINDS.items()]
    except RPCError as error:
        checks.append(_refused(client.namespace, error))
    return checks


async def _client() -> Client:
    try:
        config = ClientConfig.load_client_connect_config()
        settings: ClientConnectConfig = {"target_host": DEFAULT_ADDRESS, **config}
        return await Client.connect(**settings, lazy=True)
    except (RuntimeError, ValueError, OSError) as error:
        raise BadSettings(str(error)) from None


async def _search_attributes(client: Client) -> Check:
    name = "temporal.search_attributes"
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=CALL_TIME_MAX
    )
    known = answer.custom_attributes
    missing = [key.name for key in attributes.ALL if key.name not in known]
    if missing:
        return wrong(
            name, f"Search attributes are missing, so the worker does not start: {', '.join(missing)}.", REGISTER
        )
    other = [
        f"{key.name} is {IndexedValueType.Name(known[key.name]).removeprefix('INDEXED_VALUE_TYPE_').title()}"
        for key in attributes.ALL
        if known[key.name] != int(key.indexed_value_type)
    ]
    if other:
        return wrong(name, f"Search attributes have another type than ours: {', '.join(other)}.", REGISTER)
    return ok(name, f"All {len(attributes.ALL)} search attributes are registered.")


async def _polled(client: Client, name: str, kind: TaskQueueType.ValueType) -> Check:
    pollers = await _pollers(client, kind)
    if pollers:
        who = ", ".join(sorted({poller.identity for poller in pollers}))
        return ok(f"temporal.worker.{name}", f"Fetching {name} tasks: {who}.")
    return wrong(
        f"temporal.worker.{name}",
        f"No worker has fetched {name} tasks from {TASK_QUEUE} for {QUIET_TIME_MAX.seconds} s.",
        "Start one (`refunds worker`); if it runs, its log says why it does not. Refunds wait, none is lost.",
    )


async def _pollers(client: Client, kind: TaskQueueType.ValueType) -> list[PollerInfo]:
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=TASK_QUEUE), task_queue_type=kind
        ),
        timeout=CALL_TIME_MAX,
    )
    limit = datetime.now(UTC) - QUIET_TIME_MAX
    return [it for it in answer.pollers if it.last_access_time.ToDatetime(UTC) >= limit]


def _refused(namespace: str, error: RPCError) -> Check:
    if error.status == RPCStatusCode.NOT_FOUND:
        return wrong(
            "temporal.namespace",
            f"There is no namespace {namespace}.",
            "Make it as deploy/temporal/namespace.sh does, or mend TEMPORAL_NAMESPACE.",
        )
    if error.status in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED):
        return wrong(
            "temporal.namespace", f"Temporal refuses us: {error.status.name}.", "Mend TEMPORAL_API_KEY or TLS."
        )
    return away("temporal.namespace", f"Temporal answered {error.status.name}.", "Look at its log, and ask again.")
