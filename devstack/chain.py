"""The local chain: anvil, a real node, with accounts derived from the test mnemonic that everybody knows."""

import functools
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount

HOST = "127.0.0.1"
CHAIN_ID = 31337
MNEMONIC = "test test test test test test test test test test test junk"  # anvil's and hardhat's default
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 5.0
POLL_SECONDS = 0.02

_PINNED_BINARY = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"


class AnvilMissing(Exception):
    """The node binary is neither where npm puts it nor on PATH."""

    def __init__(self) -> None:
        super().__init__(
            "The local chain needs anvil: run `make setup`, which fetches the pinned one with npm, "
            "or put an anvil of your own on PATH."
        )


class AnvilFailed(Exception):
    """The node ended, or did not answer in time."""


@functools.cache
def account(index: int) -> LocalAccount:
    """Derive a funded test account; its key is public knowledge and worth nothing on a real chain."""
    Account.enable_unaudited_hdwallet_features()
    derived: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return derived


def wallet() -> LocalAccount:
    """Return the account that refunds are paid from."""
    return account(0)


def depositor() -> LocalAccount:
    """Return the account that plays the customer."""
    return account(1)


def deposit_address() -> str:
    """Return the address that customers pay to; nothing here needs its key."""
    return str(account(2).address)


def find_anvil(root: Path | None = None) -> str:
    """Find the pinned binary under the checkout, else an anvil on PATH."""
    pinned = (root or Path(__file__).resolve().parent.parent) / _PINNED_BINARY
    found = str(pinned) if os.access(pinned, os.X_OK) else shutil.which("anvil")
    if found is None:
        raise AnvilMissing
    return found


def anvil_command(
    port: int,
    state_file: Path | None,
    *,
    chain_id: int = CHAIN_ID,
    block_time_seconds: int | None = 1,
    slots_in_an_epoch: int = 2,
) -> list[str]:
    """Build the command line of a chain that is killed and started again without forgetting what is final.

    The state is written each second, so at most the newest block is lost, and two slots an epoch keep the
    last four blocks from being final. Without a block time each chain transaction gets a block at once.
    """
    command = [find_anvil(), "--host", HOST, "--port", str(port), "--chain-id", str(chain_id), "--silent"]
    command += ["--mnemonic", MNEMONIC, "--slots-in-an-epoch", str(slots_in_an_epoch)]
    if block_time_seconds is not None:
        command += ["--block-time", str(block_time_seconds)]
    if state_file is not None:
        command += ["--state", str(state_file), "--state-interval", "1"]
    return command


class Anvil:
    """One running chain; a context manager that starts it, waits until it answers, and stops it by its pid."""

    def __init__(self, command: list[str], port: int) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://{HOST}:{port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._process.poll() is not None:
                raise AnvilFailed(f"anvil ended at once with exit code {self._process.returncode}.")
            if time.monotonic() > deadline:
                self.stop()
                raise AnvilFailed(f"anvil did not answer within {START_SECONDS_MAX:.0f} seconds.")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop the chain; it writes its state first, if it keeps one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def call(self, method: str, *params: Any) -> Any:
        """Ask the node directly, its test methods included."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        request = urllib.request.Request(  # noqa: S310 - the address is our own, on the loopback interface
            self.url, body.encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=START_SECONDS_MAX) as response:  # noqa: S310
            answer = json.load(response)
        if "error" in answer:
            raise AnvilFailed(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _answers(self) -> bool:
        try:
            self.call("eth_chainId")
        except OSError:
            return False
        return True


def free_port() -> int:
    """Find a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
