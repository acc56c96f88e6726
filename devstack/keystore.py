"""Writes the encrypted key file of a local wallet. Not for production: the key passes through here."""

import json
import os
from pathlib import Path

from eth_account import Account

# Enough for a key that everybody knows; geth takes 2**18, which costs a second at each start.
SCRYPT_N_DEV = 2


def write_keystore(
    path: Path, password_path: Path, private_key: bytes, password: str, *, scrypt_n: int = SCRYPT_N_DEV
) -> None:
    """Write a keystore of version 3 and its password, each readable by its owner only; again replaces both."""
    keystore = Account.encrypt(private_key, password, kdf="scrypt", iterations=scrypt_n)
    _write_private(password_path, password + "\n")
    _write_private(path, json.dumps(keystore))


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
