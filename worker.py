"""The composition root of the Temporal worker: build gateways, ledger and activities, register them, run."""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Protocol

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

from activities.card import CardActivities, CardProcessor
from activities.cases import CaseActivities
from activities.crypto import Chain, CryptoActivities
from activities.payments import CardPayments, ChainPayments, PaymentActivities, PaymentReader
from activities.wallets import TemporalWalletRuns
from config import MissingSettingsError, Settings
from domain.errors import NeedsOperator, TryAgain
from domain.policy import Policy
from domain.refunds import TASK_QUEUE
from gateways.evm.chain import EvmChain
from gateways.evm.settings import ChainSettings, load_chains
from gateways.evm.signer import KeystoreSigner
from gateways.stripe.gateway import StripeGateway
from ledger import migrate
from ledger.checking import Checking
from ledger.database import Database
from ledger.intake import Intake
from ledger.messages import Messages
from ledger.outbox import Outbox
from ledger.payouts import Payouts
from ledger.progress import Progress
from workflows import attributes, sandbox
from workflows.refund import RefundWorkflow
from workflows.wallet import WalletWorkflow

ACTIVITY_THREADS = 16
GRACEFUL_SHUTDOWN = timedelta(seconds=30)  # longer than any call to a provider may take to answer


class Rail(Protocol):
    """What every rail can tell of itself."""

    def check(self) -> None: ...


class CardRail(CardPayments, CardProcessor, Protocol):
    """Everything that is asked of a card processor."""


class CryptoRail(ChainPayments, Chain, Protocol):
    """Everything that is asked of a chain."""


logger = logging.getLogger("refunds.worker")


async def connect() -> Client:
    """Connect to Temporal by its own conventions: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, profiles."""
    options = ClientConfig.load_client_connect_config()
    return await Client.connect(**options, data_converter=pydantic_data_converter)


def build_chain(settings: Settings, chain: ChainSettings) -> EvmChain:
    """Return one chain with the signer of its wallet; connect to nothing and decrypt nothing yet."""
    if settings.keystore is None or settings.keystore_password_file is None:
        raise MissingSettingsError("REFUNDS_KEYSTORE and REFUNDS_KEYSTORE_PASSWORD_FILE are needed for a chain.")
    return EvmChain(chain, KeystoreSigner(settings.keystore, settings.keystore_password_file, chain.wallet))


def build_card(settings: Settings) -> StripeGateway | None:
    """Return the card processor, or None where no card rail is set up."""
    if settings.stripe_secret_key is None:
        return None
    try:
        return StripeGateway(settings.stripe_secret_key, mode=settings.stripe_mode, api_base=settings.stripe_api_base)
    except ValueError as error:
        raise MissingSettingsError(f"REFUNDS_STRIPE_SECRET_KEY and REFUNDS_STRIPE_API_BASE: {error}") from None


def build_worker(
    client: Client,
    database: Database,
    policy: Policy,
    *,
    card: CardRail | None,
    chains: Mapping[int, CryptoRail],
    wallets: Mapping[int, str],
) -> Worker:
    """Put the parts together. `wallets` names the address that pays on each chain."""
    intake = Intake(database, policy)
    checking = Checking(database, policy)
    payouts = Payouts(database, policy, wallets)
    progress = Progress(database, policy)
    cases = CaseActivities(
        intake=intake,
        progress=progress,
        waits=checking,
        messages=Messages(database),
        policy=policy,
    )
    payments = PaymentActivities(
        reader=PaymentReader(card, chains), checking=checking, payouts=payouts, progress=progress
    )
    cards = CardActivities(processor=card, payouts=payouts)
    crypto = CryptoActivities(
        chains=chains,
        outbox=Outbox(database),
        refunds=intake,
        wallet_runs=TemporalWalletRuns(client),
        block_seconds=policy.handling.wallet_block_seconds,
    )
    steps: list[Callable[..., Any]] = [
        *(cases.open_refund, cases.read_records, cases.attend, cases.expire, cases.remind, cases.answer_ticket),
        *(payments.check_refund, payments.begin_payout, payments.end_refund),
        *(cards.send_card_refund, cards.look_at_card_refund, cards.end_watch),
        *(crypto.wake_wallet, crypto.pump),
    ]
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[RefundWorkflow, WalletWorkflow],
        activities=steps,
        activity_executor=ThreadPoolExecutor(max_workers=ACTIVITY_THREADS, thread_name_prefix="activity"),
        max_concurrent_activities=ACTIVITY_THREADS,
        workflow_runner=sandbox.runner(),
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
    )


async def require_search_attributes(client: Client) -> None:
    """Refuse to work where an upsert would fail: the run that makes one would be stuck for ever."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    known = await client.operator_service.list_search_attributes(request)
    missing = [key.name for key in attributes.ALL if key.name not in known.custom_attributes]
    if missing:
        raise MissingSettingsError(f"Temporal's namespace lacks the search attributes {', '.join(missing)}.")


def report_rails(rails: Mapping[str, Rail]) -> None:
    """Say at the start which rail cannot work now. Refunds on it wait; those on the others go on."""
    for name, rail in rails.items():
        try:
            rail.check()
        except (TryAgain, NeedsOperator) as error:
            logger.error("rail.unready rail=%s cause=%s", name, error.message)


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then let running steps finish."""
    settings.require_rails()
    database = Database(settings.database_url)
    if not migrate.is_current(database):
        raise MissingSettingsError("The database has another schema than this version: run `refunds migrate`.")
    policy, card = settings.load_policy(), build_card(settings)
    configured = load_chains(settings.chains) if settings.chains else ()
    chains = {chain.chain_id: build_chain(settings, chain) for chain in configured}
    wallets = {chain.chain_id: chain.wallet for chain in configured}
    client = await connect()
    await require_search_attributes(client)
    worker = build_worker(client, database, policy, card=card, chains=chains, wallets=wallets)
    rails: dict[str, Rail] = {f"chain {number}": chain for number, chain in chains.items()}
    if card is not None:
        rails["card"] = card
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with worker:
        logger.info("worker.started")
        await asyncio.to_thread(report_rails, rails)
        await stop.wait()
    database.close()


def main(settings: Settings) -> None:
    """Run the worker until it is told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run(settings))
