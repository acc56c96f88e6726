"""Starts and wakes the workflow that drives a wallet."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from domain.refunds import TASK_QUEUE, wallet_workflow_id
from domain.runs import WalletKey

RPC_TIMEOUT = timedelta(seconds=5)


class TemporalWalletRuns:
    """One workflow per wallet, kept single by its id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def wake(self, key: WalletKey) -> None:
        """Signal the wallet's workflow, starting it if none runs: one call, so none can slip between."""
        await self._client.start_workflow(
            "WalletWorkflow",
            key,
            id=wallet_workflow_id(key.chain_id, key.wallet),
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="wake",
            rpc_timeout=RPC_TIMEOUT,
            static_summary=f"payouts of {key.wallet} on chain {key.chain_id}",
        )
