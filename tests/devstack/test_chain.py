"""The local chain: found, started, killed and started again without forgetting what was final."""

import os
import signal
from pathlib import Path

import pytest

from devstack.chain import (
    Anvil,
    AnvilFailed,
    AnvilMissing,
    account,
    anvil_command,
    deposit_address,
    depositor,
    find_anvil,
    free_port,
    wallet,
)


def test_accounts_are_the_funded_ones_of_the_node(tmp_path: Path) -> None:
    port = free_port()
    with Anvil(anvil_command(port, tmp_path / "state.json"), port) as anvil:
        funded = [address.lower() for address in anvil.call("eth_accounts")]

    assert funded[:3] == [
        wallet().address.lower(),
        depositor().address.lower(),
        deposit_address().lower(),
    ]
    assert funded[5] == account(5).address.lower()


def test_chain_that_was_killed_still_knows_what_was_final(tmp_path: Path) -> None:
    port = free_port()
    command = anvil_command(port, tmp_path / "state.json")
    anvil = Anvil(command, port)
    anvil.start()
    fields = {"from": depositor().address, "to": deposit_address(), "value": "0x1"}
    tx_hash = anvil.call("eth_sendTransaction", fields)
    while not is_final(anvil, tx_hash):
        continue

    assert anvil.pid is not None
    os.kill(anvil.pid, signal.SIGKILL)
    anvil.stop()

    with Anvil(command, port) as again:
        assert again.call("eth_getTransactionReceipt", tx_hash)["status"] == "0x1"


def test_missing_binary_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(AnvilMissing, match="make setup"):
        find_anvil(tmp_path)


def test_anvil_on_the_path_serves_where_none_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "anvil"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_anvil(tmp_path / "empty") == str(own)


def test_node_that_ends_at_once_is_told() -> None:
    with pytest.raises(AnvilFailed, match="exit code"):
        Anvil([find_anvil(), "--no-such-option"], free_port()).start()


def is_final(anvil: Anvil, tx_hash: str) -> bool:
    receipt = anvil.call("eth_getTransactionReceipt", tx_hash)
    final = anvil.call("eth_getBlockByNumber", "finalized", False)
    return receipt is not None and int(receipt["blockNumber"], 16) <= int(final["number"], 16)
