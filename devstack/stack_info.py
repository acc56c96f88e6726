"""What others must know to use a running stack: addresses, keys, tokens and process ids."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class ChainInfo(BaseModel):
    """One chain; `depositor_key` belongs to a funded test account, and is absent where the chain is not ours."""

    model_config = ConfigDict(frozen=True)

    chain_id: int
    rpc: str
    deposit_address: str
    wallet: str
    depositor_key: str | None
    tokens: dict[str, str] = {}


class StackInfo(BaseModel):
    """The one line of JSON; `pids` and `temporal_ui` leave out what runs elsewhere."""

    model_config = ConfigDict(frozen=True)

    api: str
    console: str
    temporal: str
    temporal_ui: str | None
    stripe: str
    stripe_key: str
    stripe_webhook_secret: str
    chains: tuple[ChainInfo, ...]
    tokens: dict[str, str]
    worker_metrics: str | None = None
    pids: dict[str, int] = {}

    def with_pids(self, pids: Mapping[str, int]) -> "StackInfo":
        """Return the same stack with these processes."""
        return self.model_copy(update={"pids": dict(pids)})

    def as_json(self) -> str:
        """Write it as one line."""
        return self.model_dump_json()

    def as_table(self) -> str:
        """Write it for a person."""
        rows = [("API", self.api), ("Temporal", self.temporal)]
        rows += [("Temporal UI", self.temporal_ui)] if self.temporal_ui else []
        rows += [("worker metrics", self.worker_metrics)] if self.worker_metrics else []
        rows += [("Stripe", f"{self.stripe} ({self.stripe_key})")]
        for chain in self.chains:
            rows.append((f"chain {chain.chain_id}", f"{chain.rpc} (deposits to {chain.deposit_address})"))
        rows += [(f"token of {name}", token) for name, token in self.tokens.items()]
        width = max(len(name) for name, _ in rows)
        return "\n".join([*(f"{name:<{width}}  {value}" for name, value in rows), *self._for_the_command_line()])

    def _for_the_command_line(self) -> list[str]:
        """Write lines to copy: the help desk asks, an approver decides."""
        lines = []
        for role, person in (("helpdesk", "the help desk"), ("approver_1", "an approver")):
            if role in self.tokens:
                lines += ["", f"In another terminal, to use `refunds` as {person}:"]
                lines += [f"export REFUNDS_API_URL={self.api} REFUNDS_TOKEN={self.tokens[role]}"]
        return lines
