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
    """The one line of JSON; `pids` and `temporal_ui` leave out what runs elsewhere.

    `console` is where operators' pages belong: on the API's own address. The table shows it once pages are there.
    """

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
        width = max(len(name) for name, _ in rows)
        return "\n".join([*(f"{name:<{width}}  {value}" for name, value in rows), *self._to_copy()])

    def _to_copy(self) -> list[str]:
        """Write what another terminal needs: the addresses, and each caller's token under the caller's name."""
        places = {"REFUNDS_API_URL": self.api, "TEMPORAL_ADDRESS": self.temporal}
        stripe = {"STRIPE_URL": self.stripe, "STRIPE_KEY": self.stripe_key}
        tokens = [{name.upper(): token} for name, token in self.tokens.items()]
        lines = [" ".join(f"{name}={value}" for name, value in one.items()) for one in (places, stripe, *tokens)]
        return [
            "",
            "To copy into another terminal; `REFUNDS_TOKEN=$APPROVER_1 .venv/bin/refunds list` asks as that person:",
            *(f"export {line}" for line in lines),
        ]
