"""The crypto rail put together: its chains from their file, and whether settings, key and endpoints fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from config import MissingSettingsError, Settings
from domain.errors import InvalidRequest, NeedsOperator
from gateways.evm.chain import EvmChain
from gateways.evm.settings import ChainSettings, load_chains
from gateways.evm.signer import KeystoreSigner
from gateways.evm.trouble import Trouble, TroubleKind


@dataclass(frozen=True)
class ConfiguredChain:
    """One chain with its gateway and the key of its wallet; connects to nothing and decrypts nothing by itself."""

    position: int
    settings: ChainSettings
    signer: KeystoreSigner
    gateway: EvmChain

    def troubles(self) -> Iterator[Trouble]:
        """Look at key and endpoints; `entry` names the field from the top of the file, as `chains.0.wallet`."""
        table = f"chains.{self.position}"
        try:
            self.signer.unlock()
        except NeedsOperator as error:
            yield Trouble(TroubleKind.MISCONFIGURED, f"{table}.wallet", f"REFUNDS_KEYSTORE: {error.message}")
        for it in self.gateway.inspect():
            yield Trouble(it.kind, f"{table}.{it.entry}", it.told)


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
