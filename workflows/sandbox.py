"""The sandbox for workflow code, configured once for worker, tests and replay alike."""

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)
from temporalio.workflow import Info, SandboxImportNotificationPolicy

# Stateless modules that a run may share with the process. `workflows` itself is not among them: the
# globals of a workflow file would leak from one run into another.
SHARED = (
    "domain",
    "activities",
    "workflows.policies",
    "workflows.attributes",
    "workflows.inbox",
    "workflows.standing",
)


def restrictions() -> SandboxRestrictions:
    """Return what workflow code may reach. Any other import from a workflow file stops the worker at its start."""
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    return SandboxRestrictions.default.with_passthrough_modules(*SHARED).with_import_notification_policy(policy)


def runner() -> SandboxedWorkflowRunner:
    """Return the runner."""
    return Runner(restrictions=restrictions())


class Runner(SandboxedWorkflowRunner):
    """The library's sandbox, entered to run a workflow and for nothing else."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Make the run's sandbox."""
        return _Instance(super().create_instance(det))


class _Instance(WorkflowInstance):
    """A run in its sandbox. What its payloads belong to is not asked for.

    The library enters the sandbox up to five times for each payload to learn that, for converters and stores that
    treat payloads by their place. Ours treats all alike, and the asking was a fifth of a worker's processor time.
    """

    def __init__(self, inside: WorkflowInstance) -> None:
        self._inside = inside

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._inside.activate(act)

    def get_info(self) -> Info:
        return self._inside.get_info()

    def get_thread_id(self) -> int | None:
        return self._inside.get_thread_id()

    def get_serialization_context(self, command_info: object) -> None:
        """Name no place."""

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)
