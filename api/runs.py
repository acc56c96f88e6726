"""Brings news to Temporal: one call that wakes the refund's run, or starts it where there is none."""

import asyncio
import secrets
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConnectConfig
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.book_runs import WORKFLOW_TYPE as RECONCILE_TYPE
from domain.book_runs import ReconcileRequest, reconcile_workflow_id
from domain.checks import CheckOutcome, CheckRequest
from domain.errors import TryAgain
from domain.refunds import TASK_QUEUE, TicketRef, workflow_id

WORKFLOW_TYPE = "RefundWorkflow"
CHECK_TYPE = "CheckWorkflow"
DEFAULT_ADDRESS = "localhost:7233"
RPC_TIMEOUT = timedelta(seconds=5)
SUMMARY_LENGTH_MAX = 90  # characters of up to four bytes each; a Temporal cluster takes 400 bytes by default
LIST_TIMEOUT = timedelta(seconds=30)
CHECK_SECONDS_MAX = 15.0  # a little longer than the step may take
HEALTH_TIMEOUT = timedelta(seconds=2)
UNNAMED = "unnamed"  # where the namespace's own id may not be read

# What Temporal says about this one call; everything else is about Temporal itself and passes with time.
FAULTS_OF_THE_CALL = frozenset([RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION])


class Runs:
    """The runs of refunds. Connects with the first call, so that the API starts while Temporal is away."""

    def __init__(self, config: ClientConnectConfig) -> None:
        self._config = config
        self._client: Client | None = None

    async def connect(self) -> None:
        """Make the one client of this process; it belongs to the event loop that is running now."""
        settings: ClientConnectConfig = {"target_host": DEFAULT_ADDRESS, **self._config}
        self._client = await Client.connect(**settings, data_converter=pydantic_data_converter, lazy=True)

    async def tell(self, refund_id: str, ticket: TicketRef) -> None:
        """Signal the run, starting it if none is open. Its history gets the ticket alone: the row holds the rest."""
        try:
            await self._connected.start_workflow(
                WORKFLOW_TYPE,
                {"ticket": {"system": ticket.system, "id": ticket.id}},
                id=workflow_id(refund_id),
                task_queue=TASK_QUEUE,
                start_signal="wake",
                start_signal_args=[],
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=f"Refund for ticket {ticket}"[:SUMMARY_LENGTH_MAX],
                rpc_timeout=RPC_TIMEOUT,
            )
        except RPCError as error:
            if error.status in FAULTS_OF_THE_CALL:
                raise
            raise TryAgain(f"Temporal did not take the news ({error.status.name})") from error
        except (RuntimeError, TimeoutError) as error:  # a lazy client reports a failed connection as RuntimeError
            raise TryAgain("Temporal cannot be reached") from error

    async def reconcile(self, request: ReconcileRequest) -> None:
        """Start the run of a reconciliation, unless it is there or has done its work."""
        try:
            await self._connected.start_workflow(
                RECONCILE_TYPE,
                request,
                id=reconcile_workflow_id(request.reconciliation_id or ""),
                task_queue=TASK_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                static_summary="reconciliation",
                rpc_timeout=RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            if error.status in FAULTS_OF_THE_CALL:
                raise
            raise TryAgain(f"Temporal did not take the request ({error.status.name})") from error
        except (RuntimeError, TimeoutError) as error:
            raise TryAgain("Temporal cannot be reached") from error

    async def running(self) -> frozenset[str]:
        """Name the refunds with an open run, by Temporal's list; it may lag, which costs a needless wake-up."""
        query = f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'"
        try:
            found = self._connected.list_workflows(query, page_size=1000, rpc_timeout=LIST_TIMEOUT)
            return frozenset([run.id.removeprefix(workflow_id("")) async for run in found])
        except (RPCError, RuntimeError, TimeoutError) as error:
            raise TryAgain("Temporal did not list its runs") from error

    async def memory(self) -> str | None:
        """Name what Temporal remembers the runs in; None while it is away. One that lost everything gets another."""
        request = DescribeNamespaceRequest(namespace=self._connected.namespace)
        try:
            found = await self._connected.workflow_service.describe_namespace(request, timeout=HEALTH_TIMEOUT)
        except RPCError as error:
            return UNNAMED if error.status == RPCStatusCode.PERMISSION_DENIED else None
        except (RuntimeError, TimeoutError):
            return None
        return found.namespace_info.id

    async def check(self, request: CheckRequest) -> CheckOutcome:
        """Let a worker judge a request without any effect; no answer in time is `TryAgain`."""
        try:
            async with asyncio.timeout(CHECK_SECONDS_MAX):
                handle = await self._connected.start_workflow(
                    CHECK_TYPE,
                    request,
                    id=f"check/{secrets.token_hex(12)}",
                    task_queue=TASK_QUEUE,
                    execution_timeout=timedelta(seconds=CHECK_SECONDS_MAX),
                    result_type=CheckOutcome,
                    rpc_timeout=RPC_TIMEOUT,
                )
                outcome: CheckOutcome = await handle.result()
                return outcome
        except (RPCError, RuntimeError, TimeoutError, WorkflowFailureError) as error:
            raise TryAgain("no worker answered the check in time") from error

    async def is_reachable(self) -> bool:
        """Tell whether Temporal answers now."""
        try:
            return await self._connected.service_client.check_health(timeout=HEALTH_TIMEOUT)
        except (RPCError, RuntimeError, TimeoutError):
            return False

    @property
    def _connected(self) -> Client:
        if self._client is None:
            raise AssertionError("connect() comes first")
        return self._client
