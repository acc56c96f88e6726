"""Decides what a stack consists of: which components it starts, which it is given, and the environment of each."""

import base64
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from devstack import chain
from devstack.callers import database_url, new_tokens
from devstack.chain_state import ChainState
from devstack.chain_tokens import DECIMALS, TOKENS, with_tokens
from devstack.data_folder import DataFolder
from devstack.keystore import write_keystore
from devstack.ports import HOST, Ports
from devstack.processes import Program
from devstack.readiness import answers, serves_chain
from devstack.stack_info import ChainInfo, StackInfo
from devstack.temporal import NAMESPACE, TemporalProbe, temporal_command
from domain.errors import InvalidRequest
from gateways.evm.settings import load_chains
from gateways.stripe.webhooks import EVENT_TYPES

ROOT = Path(__file__).resolve().parent.parent
WALLET_FEE_WEI_CAP = 500 * 10**9  # for each unit of gas; far above what a local chain asks

SIMULATOR_REQUESTS_PER_SECOND = "100"  # nobody else asks it, and a demo is not to wait
HOOK_PATH = "/v1/hooks/stripe"

_EVERYONE = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_FOR_CLIENTS = ("REFUNDS_API_URL", "REFUNDS_TOKEN")
_FOR_THE_API = (
    "REFUNDS_API_HOST",
    "REFUNDS_API_PORT",
    "REFUNDS_STRIPE_WEBHOOK_SECRET",
    "REFUNDS_STRIPE_WEBHOOK_SECRET_FILE",
)
# Whoever answers the outside world holds no key that moves money.
_FOR_THE_WORKER = (
    "REFUNDS_STRIPE_API_BASE",
    "REFUNDS_STRIPE_SECRET_KEY",
    "REFUNDS_STRIPE_SECRET_KEY_FILE",
    "REFUNDS_STRIPE_REQUESTS_PER_SECOND",
    "REFUNDS_CHAINS",
    "REFUNDS_KEYSTORE",
    "REFUNDS_KEYSTORE_PASSWORD_FILE",
)
_CHAINS_TOML = """\
[[chains]]
chain_id = {chain_id}
name = "anvil"
rpc_urls = ["{rpc}"]
finality = "finalized"
min_depth = 1
deposit_addresses = ["{deposit_address}"]
wallet = "{wallet}"
min_amount_base_units = "1"
max_fee_per_gas_wei_cap = "{fee_cap}"
"""
_TOKEN_TOML = """
[[chains.tokens]]
address = "{token.address}"
symbol = "{token.symbol}"
decimals = {decimals}
min_amount_base_units = "1"
blacklist = "{token.blacklist}"
"""


class WrongSurroundings(Exception):
    """The environment names a component, but not all that is needed to use it."""


class Plan:
    """One stack on one folder. `components` come first; `services`, ours, need them and the database."""

    def __init__(
        self,
        folder: DataFolder,
        outside: Mapping[str, str],
        http: httpx2.AsyncClient,
        *,
        runs_worker: bool = True,
    ) -> None:
        """Choose ports and write the files that components read; the folder must be claimed."""
        self._folder, self._outside, self._http = folder, outside, http
        self._ports = Ports(folder.path / "ports.json")
        self._everyone = {name: outside[name] for name in _EVERYONE if name in outside}
        self._python = {**self._everyone, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.components: list[Program] = []
        self.database_url = outside.get("REFUNDS_DATABASE_URL") or database_url(folder.path / "refunds.sqlite")

        temporal = self._plan_temporal()
        stripe = self._plan_stripe()
        crypto, chains = self._plan_chains()
        self._service = {
            **self._python,
            **{name: value for name, value in outside.items() if name.startswith("REFUNDS_")},
            "REFUNDS_POLICY": outside.get("REFUNDS_POLICY") or str(ROOT / "policy.toml"),
            "REFUNDS_DATABASE_URL": self.database_url,
            **temporal,
            **stripe,
            **crypto,
        }
        api = f"http://{HOST}:{self._ports.of('api')}"
        self._worker_metrics = f"{HOST}:{self._ports.of('worker_metrics')}"
        self.worker = self._plan_worker(TemporalProbe(temporal))
        self.services = [self._plan_api(api), *([self.worker] if runs_worker else [])]
        self.info = StackInfo(
            api=api,
            console=api,
            temporal=temporal["TEMPORAL_ADDRESS"],
            temporal_ui=None if "TEMPORAL_ADDRESS" in outside else f"http://{HOST}:{self._ports.of('temporal_ui')}",
            stripe=stripe["REFUNDS_STRIPE_API_BASE"],
            stripe_key=stripe["REFUNDS_STRIPE_SECRET_KEY"],
            stripe_webhook_secret=stripe["REFUNDS_STRIPE_WEBHOOK_SECRET"],
            chains=chains,
            tokens=new_tokens(folder),
            worker_metrics=f"http://{self._worker_metrics}/metrics",
        )

    def _plan_temporal(self) -> dict[str, str]:
        """Return Temporal's own variables; a profile or key meant for another server must not reach ours."""
        if self._outside.get("TEMPORAL_ADDRESS"):
            return {name: value for name, value in self._outside.items() if name.startswith("TEMPORAL_")}
        port, ui, metrics = (self._ports.of(name) for name in ("temporal", "temporal_ui", "temporal_metrics"))
        environment = {
            "TEMPORAL_ADDRESS": f"{HOST}:{port}",
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }
        self.components.append(
            Program(
                name="temporal",
                command=temporal_command(port, ui, metrics, self._folder.path / "temporal.sqlite"),
                environment=self._everyone,
                is_ready=TemporalProbe(environment).serves,
                ports=(port, ui, metrics),
            )
        )
        return environment

    def _plan_stripe(self) -> dict[str, str]:
        """Return the card rail's settings. A key from outside is only for the address that came with it."""
        made = self._folder.remember(
            "stripe.json",
            {
                "REFUNDS_STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(24)}",
                "REFUNDS_STRIPE_WEBHOOK_SECRET": f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
            },
        )
        if base := self._outside.get("REFUNDS_STRIPE_API_BASE"):
            given = {name: self._outside[name] for name in made if self._outside.get(name)}
            if "REFUNDS_STRIPE_SECRET_KEY" not in given and urlsplit(base).hostname not in (HOST, "localhost"):
                raise WrongSurroundings(f"REFUNDS_STRIPE_API_BASE is {base}: set REFUNDS_STRIPE_SECRET_KEY too.")
            return _with_mode({"REFUNDS_STRIPE_API_BASE": base, **made, **given})
        port = self._ports.of("stripe")
        base = f"http://{HOST}:{port}"
        database = self._folder.path / "stripe.sqlite"
        # The environment of a process is its own; its command line can be read by everybody on the machine.
        hook = {
            "STRIPE_SIMULATOR_WEBHOOK_URL": f"http://{HOST}:{self._ports.of('api')}{HOOK_PATH}",
            "STRIPE_SIMULATOR_WEBHOOK_SECRET": made["REFUNDS_STRIPE_WEBHOOK_SECRET"],
            "STRIPE_SIMULATOR_WEBHOOK_EVENTS": ",".join(EVENT_TYPES),
        }
        self.components.append(
            Program(
                name="stripe",
                command=_python("devstack.stripe_simulator", "--port", str(port), "--database", str(database)),
                environment={**self._python, **hook},
                is_ready=answers(self._http, f"{base}/_sim/healthz"),
                ports=(port,),
            )
        )
        pace = self._outside.get("REFUNDS_STRIPE_REQUESTS_PER_SECOND") or SIMULATOR_REQUESTS_PER_SECOND
        own = {"REFUNDS_STRIPE_API_BASE": base, "REFUNDS_STRIPE_REQUESTS_PER_SECOND": pace}
        return _with_mode({**own, **made})

    def _plan_chains(self) -> tuple[dict[str, str], tuple[ChainInfo, ...]]:
        """Return the crypto rail's settings and what others may know about its chains."""
        if self._outside.get("REFUNDS_CHAINS"):
            return self._given_chains()
        name = f"chain_{chain.CHAIN_ID}"
        port = self._ports.of(name)
        state = ChainState(self._folder.path / f"{name}.json")
        rpc, wallet = f"http://{HOST}:{port}", chain.wallet()
        self.components.append(
            Program(
                name=name,
                command=tuple(chain.anvil_command(port, state.file)),
                environment=self._everyone,
                is_ready=with_tokens(serves_chain(self._http, rpc, chain.CHAIN_ID), rpc),
                ports=(port,),
                before_start=state.mend,
                beside=state.keep_copies,
            )
        )
        info = ChainInfo(
            chain_id=chain.CHAIN_ID,
            rpc=rpc,
            deposit_address=chain.deposit_address(),
            wallet=wallet.address,
            depositor_key="0x" + bytes(chain.depositor().key).hex(),
            tokens={token.symbol: token.address for token in TOKENS},
        )
        text = _CHAINS_TOML.format(**info.model_dump(), fee_cap=WALLET_FEE_WEI_CAP)
        text += "".join(_TOKEN_TOML.format(token=token, decimals=DECIMALS) for token in TOKENS)
        keystore, password_file = (self._folder.path / name for name in ("keystore.json", "keystore.password"))
        write_keystore(keystore, password_file, bytes(wallet.key), secrets.token_urlsafe(32))
        settings = {
            "REFUNDS_CHAINS": str(self._folder.write_private("chains.toml", text)),
            "REFUNDS_KEYSTORE": str(keystore),
            "REFUNDS_KEYSTORE_PASSWORD_FILE": str(password_file),
        }
        return settings, (info,)

    def _given_chains(self) -> tuple[dict[str, str], tuple[ChainInfo, ...]]:
        names = ("REFUNDS_CHAINS", "REFUNDS_KEYSTORE", "REFUNDS_KEYSTORE_PASSWORD_FILE")
        if missing := [name for name in names if not self._outside.get(name)]:
            raise WrongSurroundings(
                f"REFUNDS_CHAINS is set, so the wallet's key is needed: set {', '.join(missing)}."
            )
        try:
            chains = load_chains(Path(self._outside["REFUNDS_CHAINS"]))
        except InvalidRequest as error:
            raise WrongSurroundings(f"REFUNDS_CHAINS: {error}") from None
        infos = tuple(
            ChainInfo(
                chain_id=one.chain_id,
                rpc=one.rpc_urls[0],
                deposit_address=one.deposit_addresses[0],
                wallet=one.wallet,
                depositor_key=None,
            )
            for one in chains
        )
        return {name: self._outside[name] for name in names}, infos

    def _plan_api(self, api: str) -> Program:
        port = self._ports.of("api")
        own = {"REFUNDS_API_HOST": HOST, "REFUNDS_API_PORT": str(port)}
        return Program(
            name="api",
            command=_python("cli.main", "serve"),
            environment=_without({**self._service, **own}, _FOR_CLIENTS + _FOR_THE_WORKER),
            is_ready=answers(self._http, f"{api}/readyz"),
            ports=(port,),
        )

    def _plan_worker(self, temporal: TemporalProbe) -> Program:
        port = self._ports.of("worker_metrics")
        own = {"REFUNDS_WORKER_METRICS_ADDRESS": self._worker_metrics}
        return Program(
            name="worker",
            command=_python("cli.main", "worker"),
            environment=_without({**self._service, **own}, _FOR_CLIENTS + _FOR_THE_API),
            is_ready=temporal.is_polled_by,
            ports=(port,),
        )


def _with_mode(stripe: dict[str, str]) -> dict[str, str]:
    """Name the mode of the key, which the API needs to know and must not hold the key for."""
    mode = "live" if "_live_" in stripe["REFUNDS_STRIPE_SECRET_KEY"][:8] else "test"
    return {**stripe, "REFUNDS_STRIPE_MODE": mode}


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    """Run a module of this checkout; whatever lies in the current folder cannot take its place (-P)."""
    return (sys.executable, "-P", "-m", module, *arguments)


def _without(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}
