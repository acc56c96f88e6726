"""The keystore: opened once, by its owner only, for the configured wallet only, and never shown."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from devstack.chain import account, wallet
from devstack.keystore import write_keystore
from domain.errors import NeedsOperator
from gateways.evm.signer import KeystoreSigner
from gateways.evm.transactions import Unsigned

UNSIGNED = Unsigned(
    sender=wallet().address,
    type=2,
    chain_id=31337,
    nonce=0,
    to=account(1).address,
    value=1,
    data=b"",
    gas=21_000,
    max_fee_per_gas_wei=10**10,
    max_priority_fee_per_gas_wei=10**9,
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    keystore, password = tmp_path / "keys" / "wallet.json", tmp_path / "keys" / "password"
    write_keystore(keystore, password, bytes(wallet().key), "correct horse")
    return keystore, password


def test_files_are_written_for_their_owner_only(files: tuple[Path, Path]) -> None:
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    assert json.loads(files[0].read_text())["version"] == 3


def test_files_may_be_written_again(files: tuple[Path, Path]) -> None:
    write_keystore(*files, bytes(account(1).key), "another password")

    KeystoreSigner(*files, account(1).address).unlock()


def test_constructor_opens_no_file(tmp_path: Path) -> None:
    KeystoreSigner(tmp_path / "nowhere", tmp_path / "nowhere", wallet().address)


def test_first_signature_unlocks_and_the_files_are_read_once(files: tuple[Path, Path]) -> None:
    signer = KeystoreSigner(*files, wallet().address)
    first = signer.sign(UNSIGNED)
    for file in files:
        file.unlink()

    assert signer.sign(UNSIGNED) == first


def test_key_is_never_shown(files: tuple[Path, Path]) -> None:
    signer = KeystoreSigner(*files, wallet().address)
    signer.unlock()

    shown = repr(signer) + str(signer)

    assert wallet().key.hex() not in shown
    assert "correct horse" not in shown
    assert wallet().address in shown
    with pytest.raises(TypeError):
        pickle.dumps(signer)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
@pytest.mark.parametrize("position", [pytest.param(0, id="keystore"), pytest.param(1, id="password")])
def test_file_that_others_may_open_is_refused(mode: int, position: int, files: tuple[Path, Path]) -> None:
    files[position].chmod(mode)

    with pytest.raises(NeedsOperator, match="set its mode to 600") as caught:
        KeystoreSigner(*files, wallet().address).unlock()

    assert files[position].name in caught.value.message


def test_key_of_another_wallet_is_refused(files: tuple[Path, Path]) -> None:
    with pytest.raises(NeedsOperator, match="holds the key of") as caught:
        KeystoreSigner(*files, account(1).address).unlock()

    assert caught.value.reason == "rail_stopped"


def test_wrong_password_is_told_without_showing_it(files: tuple[Path, Path]) -> None:
    files[1].write_text("wrong horse")

    with pytest.raises(NeedsOperator, match="that the password opens") as caught:
        KeystoreSigner(*files, wallet().address).unlock()

    assert "wrong horse" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="no fields"),
        pytest.param('{"version": 9}', id="another version"),
        pytest.param('{"version": 3, "crypto": {"kdf": "rot13"}}', id="another derivation"),
    ],
)
def test_file_that_is_no_keystore_is_told(text: str, files: tuple[Path, Path]) -> None:
    files[0].write_text(text)

    with pytest.raises(NeedsOperator, match="is not a keystore"):
        KeystoreSigner(*files, wallet().address).unlock()


def test_missing_file_is_named(files: tuple[Path, Path]) -> None:
    files[1].unlink()

    with pytest.raises(NeedsOperator, match="password cannot be read"):
        KeystoreSigner(*files, wallet().address).unlock()


def test_transfer_of_another_wallet_is_not_signed(files: tuple[Path, Path]) -> None:
    signer = KeystoreSigner(*files, wallet().address)

    with pytest.raises(NeedsOperator, match="belongs to"):
        signer.sign(replace(UNSIGNED, sender=account(1).address))


@pytest.mark.parametrize("changes", [{"type": 1}, {"type": 3}, {"chain_id": 0}], ids=str)
def test_only_types_that_bind_bytes_to_a_chain_are_signed(changes: dict[str, int], files: tuple[Path, Path]) -> None:
    signer = KeystoreSigner(*files, wallet().address)

    with pytest.raises(NeedsOperator, match="is signed"):
        signer.sign(replace(UNSIGNED, **changes))
