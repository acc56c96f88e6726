"""Workflow code stays light and deterministic: what it loads, and what stops a worker at its start."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.refunds import TASK_QUEUE
from workflows import sandbox

ROOT = Path(__file__).parents[2]
HEAVY = ("stripe", "web3", "sqlalchemy", "httpx2", "requests", "structlog", "config", "gateways", "ledger", "worker")


@pytest.mark.parametrize("module", ["workflows.refund", "workflows.wallet"])
def test_a_workflow_file_loads_no_vendor_no_database_and_no_settings(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"

    answer = subprocess.run(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    loaded = {name.partition(".")[0] for name in answer.stdout.split()}
    assert "workflows" in loaded
    assert loaded & set(HEAVY) == set()


@pytest.mark.parametrize(
    "careless",
    ["import gateways.stripe.gateway", "import ledger.database", "import requests"],
    ids=["a gateway", "the database", "a client of the network"],
)
async def test_a_workflow_file_that_reaches_outside_stops_the_worker_at_its_start(
    env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, careless: str
) -> None:
    name = f"careless_{careless.rsplit(maxsplit=1)[-1].replace(chr(46), chr(95))}"
    lines = [careless, "from temporalio import workflow", "@workflow.defn", "class Careless:"]
    lines += ["    @workflow.run", "    async def run(self) -> None: ..."]
    (tmp_path / f"{name}.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    workflow = importlib.import_module(name).Careless

    with pytest.raises(RuntimeError):
        Worker(env.client, task_queue=TASK_QUEUE, workflows=[workflow], workflow_runner=sandbox.runner())


def test_every_file_of_workflows_that_holds_a_base_is_passed_through_and_none_that_holds_a_run() -> None:
    assert {"workflows.inbox", "workflows.policies", "workflows.attributes"} <= set(sandbox.SHARED)
    assert not {"workflows", "workflows.refund", "workflows.wallet"} & set(sandbox.SHARED)
