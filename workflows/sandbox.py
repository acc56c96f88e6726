"""The sandbox for workflow code, configured once for worker, tests and replay alike."""

from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)
from temporalio.workflow import SandboxImportNotificationPolicy

# Stateless modules that a run may share with the process. `workflows` itself is not among them: the
# globals of a workflow file would leak from one run into another.
SHARED = ("domain", "activities", "workflows.policies", "workflows.attributes", "workflows.inbox")


def runner() -> SandboxedWorkflowRunner:
    """Return the runner. Any other import from a workflow file stops the worker at its start."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*SHARED)
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    return SandboxedWorkflowRunner(restrictions=restrictions.with_import_notification_policy(policy))
