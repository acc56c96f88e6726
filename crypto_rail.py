"""The crypto rail put together: its chains from their file, and whether settings, key and endpoints fit."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from config import MissingSettingsError, Settings
from domain.errors import EndpointsDisagree, InvalidRequest, NeedsOperator, TryAgain
from domain.transfers import WalletView
from gateways.evm.chain import EvmChain
from gateways.evm.settings import ChainSettings, load_chains
from gateways.evm.signer import KeystoreSigner
from gateways.evm.trouble import Trouble, TroubleKind

WATCH_SECONDS = 900.0  # often enough for a wallet that nothing waits for

logger = logging.getLogger("refunds.worker")


class Wallets(Protocol):
    """Where what a chain shows of a wallet is compared with our books; it pauses wallets and calls people."""

    def watch(self, chain_id: int, address: str, view: WalletView | None, dispute: str | None) -> None: ...

    def stranger(self, chain_id: int, address: str, view: WalletView) -> str | None: ...


@dataclass(frozen=True)
class ConfiguredChain:
    """One chain with its gateway and the key of its wallet; connects to nothing and decrypts nothing by itself."""

    position: int
    settings: ChainSettings
    signer: KeystoreSigner
    gateway: EvmChain

    def watch(self, wallets: Wallets) -> None:
        """Look at the wallet as the pump does while payouts are open; say what keeps it from working."""
        chain_id, wallet = self.settings.chain_id, self.settings.wallet
        for trouble in self.troubles():
            cause = {"rail": "crypto", "entry": trouble.entry, "cause": trouble.told}
            logger.error("rail.unready", extra=cause)
        try:
            view = self.gateway.view().model_copy(update={"has_code": self.gateway.wallet_has_code()})
        except EndpointsDisagree as error:
            wallets.watch(chain_id, wallet, None, error.message)
        except TryAgain:
            return  # told above; the wallet can do nothing meanwhile
        else:
            wallets.watch(chain_id, wallet, view, None)
            if (told := wallets.stranger(chain_id, wallet, view)) is not None:
                cause = {"rail": "crypto", "entry": f"chains.{self.position}.first_nonce", "cause": told}
                logger.error("rail.unready", extra=cause)

    def troubles(self) -> Iterator[Trouble]:
        """Look at key and endpoints; `entry` names the field from the top of the file, as `chains.0.wallet`."""
        table = f"chains.{self.position}"
        try:
            self.signer.unlock()
        except NeedsOperator as error:
            yield Trouble(TroubleKind.MISCONFIGURED, f"{table}.wallet", f"REFUNDS_KEYSTORE: {error.message}")
        for it in self.gateway.inspect():
            yield Trouble(it.kind, f"{table}.{it.entry}", it.told)


async def keep_watch(
    chains: Sequence[ConfiguredChain], wallets: Wallets, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Look at every wallet again and again, from the start on: at one without open payouts nobody else looks."""
    while True:
        for chain in chains:
            await asyncio.to_thread(chain.watch, wallets)
        await pause(WATCH_SECONDS)


def load(settings: Settings) -> tuple[ConfiguredChain, ...]:
    """Read the chains file; `MissingSettingsError` names the entry and the rule that it breaks."""
    if settings.chains is None:
        return ()
    if settings.keystore is None or settings.keystore_password_file is None:
        raise MissingSettingsError("REFUNDS_KEYSTORE and REFUNDS_KEYSTORE_PASSWORD_FILE are needed for a chain.")
    try:
        found = load_chains(settings.chains)
    except InvalidRequest as error:
        raise MissingSettingsError("REFUNDS_CHAINS is wrong:", [error.message]) from None
    return tuple(_chain(settings.keystore, settings.keystore_password_file, *it) for it in enumerate(found))


def _chain(keystore: Path, password_file: Path, position: int, chain: ChainSettings) -> ConfiguredChain:
    signer = KeystoreSigner(keystore, password_file, chain.wallet)
    return ConfiguredChain(position, chain, signer, EvmChain(chain, signer))


def require_fit(chains: Sequence[ConfiguredChain]) -> list[Trouble]:
    """Raise `MissingSettingsError` where an answer proves the settings wrong; return what may be mended meanwhile.

    What cannot be told now, because nobody answers, does not keep a worker from starting: other refunds go on, and
    those on that chain wait until it is told.
    """
    found = [trouble for chain in chains for trouble in chain.troubles()]
    wrong = [f"{it.entry}: {it.told}" for it in found if it.kind == TroubleKind.MISCONFIGURED]
    if wrong:
        raise MissingSettingsError("REFUNDS_CHAINS is wrong:", wrong)
    return found
