"""How the rails are: Stripe's key and answer; each chain's endpoints, clock, wallet and key."""

import time
from collections.abc import Iterator

import httpx2

from cli.checkup.report import CALL_SECONDS_MAX, Check, away, ok, skew, warning, wrong
from config import Settings
from domain.errors import InvalidRequest, NeedsOperator, TryAgain
from gateways.evm.agreement import Endpoints
from gateways.evm.endpoint import Endpoint
from gateways.evm.node import Node
from gateways.evm.settings import PLAIN_TRANSFER_GAS, ChainSettings, load_chains
from gateways.evm.signer import KeystoreSigner
from gateways.evm.trouble import TroubleKind, inspect
from gateways.stripe.client import STRIPE_API_BASE
from gateways.stripe.gateway import StripeGateway

# Blocks come every few seconds on every chain that we know of; an endpoint that is minutes behind has lost touch.
BLOCK_SECONDS_MAX = 120
NO_CODE = "0x"
_REMEDIES = {
    TroubleKind.MISCONFIGURED: "Mend the named entry of REFUNDS_CHAINS; no worker starts with it.",
    TroubleKind.ENDPOINTS_DISAGREE: "Find out which endpoint is wrong and take it out; nothing is decided meanwhile.",
}


def examine(settings: Settings) -> Iterator[Check]:
    """Look at every rail that is set up; nothing is paid."""
    if settings.stripe_secret_key is not None:
        yield from _card(settings)
    if settings.chains is not None:
        try:
            chains = load_chains(settings.chains)
        except InvalidRequest as error:
            yield wrong("chains", f"REFUNDS_CHAINS: {error}", "Mend the named field of the file.")
            return
        for position, chain in enumerate(chains):
            yield from _endpoints(chain)
            yield from _agreement(position, chain)
            yield from _keystore(settings, chain)


def _card(settings: Settings) -> Iterator[Check]:
    key, base = settings.stripe_secret_key, settings.stripe_api_base.rstrip("/")
    if key is None:
        return
    try:
        gateway = StripeGateway(
            key,
            mode=settings.stripe_mode or "test",
            api_base=base,
            connect_seconds_max=CALL_SECONDS_MAX,
            read_seconds_max=CALL_SECONDS_MAX,
        )
        gateway.check()
    except ValueError as error:
        yield wrong("stripe.key", str(error), "Mend REFUNDS_STRIPE_SECRET_KEY or REFUNDS_STRIPE_API_BASE.")
    except TryAgain as error:
        if _answers(base):
            yield wrong("stripe", f"{base} answers, but not us: {error.message}", "Mend the key, or wait for Stripe.")
        else:
            yield away("stripe", f"{base}: {error.message}", "See whether this machine reaches it; refunds wait.")
    except NeedsOperator as error:
        yield wrong("stripe", error.message, "Make a key in Stripe's dashboard that may read and write refunds.")
    else:
        yield ok("stripe", f"{base} takes the {settings.stripe_mode} key.")
        if settings.stripe_mode == "test" and base == STRIPE_API_BASE:
            yield warning("stripe.mode", "A test key moves no real money.", "In production, use a live key.")


def _answers(base: str) -> bool:
    """Tell whether anybody is there at all, whatever they say; no key is sent."""
    try:
        httpx2.get(base, timeout=CALL_SECONDS_MAX)
    except httpx2.HTTPError:
        return False
    return True


def _endpoints(chain: ChainSettings) -> Iterator[Check]:
    for number, url in enumerate(chain.rpc_urls, start=1):
        # The address may hold a provider's key, so endpoints are told apart by their place in the file.
        name = f"chain.{chain.chain_id}.endpoint.{number}"
        endpoint = Endpoint(url, chain_name=chain.name, number=number, request_seconds_max=CALL_SECONDS_MAX)
        node = Node(endpoint, chain)
        try:
            found = node.chain_id()
            if found != chain.chain_id:
                yield wrong(
                    name,
                    f"The endpoint of {chain.name} serves chain {found}.",
                    "Mend rpc_urls or chain_id; nothing is read or paid there meanwhile.",
                )
                continue
            yield ok(name, f"The endpoint of {chain.name} serves chain {found}.")
            block = endpoint.call("eth_getBlockByNumber", "latest", False)
            seconds = node.quantity(block.get("timestamp") if isinstance(block, dict) else None)
            yield skew(f"{name}.clock", time.time() - seconds, BLOCK_SECONDS_MAX, "Its newest block's clock")
            if number == 1:
                yield from _wallet(node, chain)
        except TryAgain as error:
            yield away(name, error.message, "See whether this machine reaches it, or name another endpoint.")


def _agreement(position: int, chain: ChainSettings) -> Iterator[Check]:
    """Compare what the endpoints say together with the settings, in the words in which a worker refuses to start."""
    told = [it for it in inspect(Endpoints(chain), chain) if it.kind in _REMEDIES]
    for trouble in told:
        name = f"chain.{chain.chain_id}.{trouble.entry}"
        yield wrong(name, f"chains.{position}.{trouble.entry}: {trouble.told}", _REMEDIES[trouble.kind])
    if not told and (len(chain.rpc_urls) > 1 or chain.tokens):
        yield ok(f"chain.{chain.chain_id}.agreement", f"Nothing that {chain.name} answers contradicts the settings.")


def _wallet(node: Node, chain: ChainSettings) -> Iterator[Check]:
    name = f"chain.{chain.chain_id}.wallet"
    if node.code(chain.wallet) != NO_CODE:
        yield wrong(name, f"The wallet {chain.wallet} has code, which may spend by itself.", "Use a plain wallet.")
        return
    balance = node.balance(chain.wallet)
    # What the smallest refund costs when gas is as dear as we ever pay.
    floor = chain.min_amount_base_units + PLAIN_TRANSFER_GAS * chain.max_fee_per_gas_wei_cap
    told = f"The wallet {chain.wallet} holds {balance} wei"
    if balance < floor:
        yield wrong(name, f"{told}, below the {floor} that one small refund may cost.", "Send coins to the wallet.")
    else:
        yield ok(name, f"{told}.")


def _keystore(settings: Settings, chain: ChainSettings) -> Iterator[Check]:
    name = f"chain.{chain.chain_id}.keystore"
    if settings.keystore is None or settings.keystore_password_file is None:
        return  # named among the settings
    try:
        KeystoreSigner(settings.keystore, settings.keystore_password_file, chain.wallet).unlock()
    except NeedsOperator as error:
        yield wrong(
            name, error.message, "Mend REFUNDS_KEYSTORE, its password's file, or the wallet in REFUNDS_CHAINS."
        )
    else:
        yield ok(name, f"The keystore opens and holds the key of {chain.wallet}.")
