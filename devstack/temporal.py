"""The local Temporal: its development server on a SQLite file, and how to see that it and a worker are there."""

import os
import shutil
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from devstack.ports import HOST
from domain.refunds import TASK_QUEUE
from workflows import attributes

NAMESPACE = "default"
CALL_SECONDS_MAX = timedelta(seconds=2)

# At its default of 20 a second, each hand-over of a task waits about 50 ms.
_POLLS_PER_SECOND = 1000
_PROCESSORS = ("transferProcessor", "timerProcessor", "visibilityProcessor")
# Together four times faster than the default journal, and a crash of the process loses nothing.
_SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")


class TemporalMissing(Exception):
    """The binary is neither beside this Python nor on PATH."""

    def __init__(self) -> None:
        super().__init__(
            "The local Temporal needs its CLI: run `make setup`, which installs the pinned one, "
            "or put `temporal` on PATH, or set TEMPORAL_ADDRESS to a server that runs already."
        )


def find_temporal() -> str:
    """Find the pinned binary in this Python's environment, else one on PATH."""
    pinned = Path(sys.executable).with_name("temporal")
    found = str(pinned) if os.access(pinned, os.X_OK) else shutil.which("temporal")
    if found is None:
        raise TemporalMissing
    return found


def temporal_command(port: int, ui_port: int, metrics_port: int, database: Path) -> tuple[str, ...]:
    """Build the command line of a server that goes on where it stopped when it is started on the same file."""
    command = [find_temporal(), "server", "start-dev", "--ip", HOST, "--log-level", "error"]
    command += ["--port", str(port), "--ui-port", str(ui_port), "--metrics-port", str(metrics_port)]
    command += ["--ui-disable-news-fetch", "--db-filename", str(database)]
    for pragma in _SQLITE_PRAGMAS:
        command += ["--sqlite-pragma", pragma]
    for processor in _PROCESSORS:
        command += ["--dynamic-config-value", f"history.{processor}MaxPollRPS={_POLLS_PER_SECOND}"]
    for key in attributes.ALL:
        command += ["--search-attribute", f"{key.name}={key.indexed_value_type.name.title()}"]
    return tuple(command)


class TemporalProbe:
    """Asks a Temporal server what only a working one can answer; connects when it is first asked."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._client: Client | None = None

    async def serves(self, _: int) -> bool:
        """Tell whether it answers and knows the attributes, the last thing that it sets up at its start."""
        try:
            client = await self._connected()
            known = await client.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace=client.namespace), timeout=CALL_SECONDS_MAX
            )
        except (RPCError, RuntimeError):
            return False
        return known.custom_attributes.keys() >= {key.name for key in attributes.ALL}

    async def is_polled_by(self, pid: int) -> bool:
        """Tell whether the worker with this pid waits for tasks; one that died is listed for minutes more."""
        try:
            client = await self._connected()
            for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
                queue = await client.workflow_service.describe_task_queue(
                    DescribeTaskQueueRequest(
                        namespace=client.namespace, task_queue=TaskQueue(name=TASK_QUEUE), task_queue_type=kind
                    ),
                    timeout=CALL_SECONDS_MAX,
                )
                # The SDK's default identity is pid@host.
                if not any(poller.identity.startswith(f"{pid}@") for poller in queue.pollers):
                    return False
        except (RPCError, RuntimeError):
            return False
        return True

    async def _connected(self) -> Client:
        if self._client is None:
            config = ClientConfig.load_client_connect_config(override_env_vars=dict(self._environment))
            self._client = await Client.connect(**config)
        return self._client
