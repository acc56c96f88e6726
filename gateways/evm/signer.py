"""Signs transfers with the key of an encrypted keystore file, which is decrypted once and never shown."""

import os
import stat
import threading
from pathlib import Path
from typing import Protocol

from eth_account import Account
from eth_account.signers.local import LocalAccount

from domain.errors import NeedsOperator
from domain.refunds import StatusReason
from domain.transfers import SignedTransfer
from gateways.evm.settings import checksummed
from gateways.evm.transactions import TYPES, Unsigned


class Signer(Protocol):
    """Turns one chain transaction into signed bytes. A key service signs with another number each time: sign once."""

    def sign(self, unsigned: Unsigned) -> SignedTransfer: ...


class KeystoreSigner:
    """Holds the wallet's key in memory from `unlock()` or the first `sign()` on; the files are read once."""

    def __init__(self, keystore: Path, password_file: Path, wallet: str) -> None:
        self._keystore = keystore
        self._password_file = password_file
        self._wallet = checksummed(wallet)
        self._account: LocalAccount | None = None
        self._unlocking = threading.Lock()

    def __repr__(self) -> str:
        return f"KeystoreSigner(wallet={self._wallet!r})"

    def unlock(self) -> None:
        """Decrypt the key, which takes about a second; again is free."""
        self._unlocked()

    def sign(self, unsigned: Unsigned) -> SignedTransfer:
        """Sign what is of a type that we send and bound to a chain; without its id every chain would take it."""
        if unsigned.sender != self._wallet:
            raise _stopped(f"This key belongs to {self._wallet} and not to {unsigned.sender}.")
        if unsigned.type not in TYPES.values() or unsigned.chain_id < 1:
            raise _stopped(f"Nothing of type {unsigned.type} for chain {unsigned.chain_id} is signed.")
        signed = self._unlocked().sign_transaction(unsigned.fields)
        return SignedTransfer(tx_hash=signed.hash.to_0x_hex(), raw=bytes(signed.raw_transaction))

    def _unlocked(self) -> LocalAccount:
        with self._unlocking:
            if self._account is None:
                self._account = self._decrypted()
            return self._account

    def _decrypted(self) -> LocalAccount:
        password = _private_text(self._password_file).removesuffix("\n").removesuffix("\r")
        keystore = _private_text(self._keystore)
        try:
            account: LocalAccount = Account.from_key(Account.decrypt(keystore, password))
        except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
            # What eth_keyfile raises may repeat parts of the file, so it is not passed on.
            raise _stopped(f"{self._keystore} is not a keystore of version 3 that the password opens.") from None
        if account.address != self._wallet:
            raise _stopped(f"{self._keystore} holds the key of {account.address}, the wallet is {self._wallet}.")
        return account


def _private_text(path: Path) -> str:
    """Read a file that only its owner may open: whoever reads both files owns the money."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise _stopped(f"{path} cannot be read ({type(error).__name__}).") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _stopped(f"{path} may be opened by others than its owner; set its mode to 600.")
    return text


def _stopped(message: str) -> NeedsOperator:
    return NeedsOperator(StatusReason.RAIL_STOPPED, message)
