"""A worker does not start on settings that an answer proves wrong; weather does not keep it from starting."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account

import crypto_rail
import worker
from cli.checkup import rails, wallets
from cli.checkup.report import Status
from cli.exits import Exit
from config import MissingSettingsError, Settings
from devstack.chain import Anvil, anvil_command, deposit_address, free_port, wallet
from devstack.keystore import write_keystore
from domain.transfers import WalletView
from gateways.evm.trouble import TroubleKind
from ledger import migrate
from ledger.database import Database
from tests.cli.shell import Shell
from tests.gateways.evm.local_chain import LocalChain
from tests.gateways.evm.unreliable import UnreliableEndpoint

NOBODY = "http://127.0.0.1:9/secret-project-key"
# Returns one word that says 6, whatever it is asked: all that a look for a token's decimals needs.
SAYS_SIX = "0x600660005260206000f3"
TOKEN, OTHER_TOKEN = "0x" + 40 * "5", "0x" + 40 * "6"


@pytest.fixture(scope="module")
def local() -> Iterator[LocalChain]:
    port = free_port()
    with Anvil(anvil_command(port, None, block_time_seconds=None, slots_in_an_epoch=1), port) as anvil:
        chain = LocalChain(anvil)
        for address in (TOKEN, OTHER_TOKEN):
            chain.set_code(address, SAYS_SIX)
        chain.mine(4)
        yield chain


class File:
    """A chains file that fits the local chain, until a test changes a field; and what else a worker needs."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.table = {
            "chain_id": 31337,
            "name": "anvil",
            "rpc_urls": [url],
            "finality": "finalized",
            "deposit_addresses": [deposit_address()],
            "wallet": wallet().address,
            "min_amount_base_units": "1",
            "max_fee_per_gas_wei_cap": "500000000000",
        }
        self.tokens = [self.token(TOKEN, "USDC"), self.token(OTHER_TOKEN, "USDT")]
        write_keystore(folder / "wallet.json", folder / "wallet.password", bytes(wallet().key), "correct horse")

    def token(self, address: str, symbol: str) -> dict[str, object]:
        return {"address": address, "symbol": symbol, "decimals": 6, "min_amount_base_units": "1"}

    def environment(self) -> dict[str, str]:
        tables = [("[[chains]]", self.table), *(("[[chains.tokens]]", token) for token in self.tokens)]
        lines = [line for name, it in tables for line in (name, *(f"{k} = {json.dumps(v)}" for k, v in it.items()))]
        (self.folder / "chains.toml").write_text("\n".join(lines))
        return {
            "REFUNDS_CHAINS": str(self.folder / "chains.toml"),
            "REFUNDS_KEYSTORE": str(self.folder / "wallet.json"),
            "REFUNDS_KEYSTORE_PASSWORD_FILE": str(self.folder / "wallet.password"),
        }

    def settings(self, monkeypatch: pytest.MonkeyPatch) -> Settings:
        for name, value in self.environment().items():
            monkeypatch.setenv(name, value)
        return Settings.load()


@pytest.fixture
def file(tmp_path: Path, local: LocalChain) -> File:
    return File(tmp_path, local.anvil.url)


def test_settings_that_fit_are_taken_and_the_doctor_agrees(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = file.settings(monkeypatch)

    assert crypto_rail.require_fit(crypto_rail.load(settings)) == []
    checks = list(rails.examine(settings))
    assert [it.told for it in checks if it.status == Status.WRONG] == []
    assert "chain.31337.agreement" in {it.name for it in checks}


def wrong_checksum(file: File) -> str:
    file.tokens[1]["address"] = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6E0"
    return "chains.0.tokens.1.address: must be written in EIP-55 mixed case"


def missing_token(file: File) -> str:
    file.tokens[1]["address"] = "0x" + 40 * "7"
    return "chains.0.tokens.1.address: there is no contract at 0x7777777777777777777777777777777777777777"


def other_decimals(file: File) -> str:
    file.tokens[0]["decimals"] = 18
    return "chains.0.tokens.0.decimals: the contract at 0x5555555555555555555555555555555555555555 says 6 decimals"


def key_of_another_wallet(file: File) -> str:
    file.table["wallet"] = Account.create().address
    return "chains.0.wallet: REFUNDS_KEYSTORE: "


def unreadable_keystore(file: File) -> str:
    (file.folder / "wallet.json").write_text("{}")
    return "is not a keystore of version 3"


def endpoint_of_another_chain(file: File) -> str:
    file.table["chain_id"] = 5
    return "chains.0.rpc_urls.0: Endpoint 1 of anvil serves chain 31337 instead of 5."


FAULTS = (
    *(wrong_checksum, missing_token, other_decimals),
    *(key_of_another_wallet, unreadable_keystore, endpoint_of_another_chain),
)


@pytest.mark.parametrize("fault", FAULTS, ids=[it.__name__.replace("_", " ") for it in FAULTS])
def test_fault_of_the_settings_keeps_the_worker_from_starting_and_is_named(
    fault: object, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(fault)
    said = fault(file)
    settings = file.settings(monkeypatch)

    with pytest.raises(MissingSettingsError) as caught:
        worker.require_chains(crypto_rail.load(settings))

    assert said in str(caught.value)
    wrong = [it.told for it in rails.examine(settings) if it.status == Status.WRONG]
    assert wrong
    assert any(said.rpartition(": ")[2][:30] in it for it in wrong)


def test_worker_ends_with_the_status_of_wrong_settings_and_its_check_says_the_same(
    file: File, tmp_path: Path
) -> None:
    fresh = Shell(tmp_path)
    said = missing_token(file)
    policy = {"REFUNDS_POLICY": str(Path(__file__).parents[1] / "policy.toml")}
    fresh.run("migrate", **policy)

    started = fresh.run("worker", **file.environment(), **policy)
    checked = fresh.run(
        "worker", "--check", **file.environment(), **policy, REFUNDS_WORKER_METRICS_ADDRESS="127.0.0.1:9"
    )

    assert (started.status, checked.status) == (Exit.USAGE, Exit.USAGE)
    assert said in started.err
    assert said in checked.err
    assert "Traceback" not in started.err + checked.err


def kinds(file: File, monkeypatch: pytest.MonkeyPatch) -> set[TroubleKind]:
    return {it.kind for it in crypto_rail.require_fit(crypto_rail.load(file.settings(monkeypatch)))}


def test_endpoint_that_is_away_does_not_keep_the_worker_from_starting(
    file: File, local: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.table["rpc_urls"] = [NOBODY]
    assert kinds(file, monkeypatch) == {TroubleKind.AWAY}

    file.table["rpc_urls"] = [local.anvil.url, NOBODY]
    assert kinds(file, monkeypatch) == {TroubleKind.AWAY}


def test_one_endpoint_that_denies_a_token_is_a_contradiction_and_no_wrong_setting(
    file: File, local: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    with UnreliableEndpoint(local.anvil.url) as liar:
        file.table["rpc_urls"] = [local.anvil.url, liar.url]
        liar.answers("eth_getCode", "0x")

        assert kinds(file, monkeypatch) == {TroubleKind.ENDPOINTS_DISAGREE}


def test_code_at_the_wallet_is_told_and_does_not_keep_the_worker_from_starting(
    file: File, local: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.set_code(wallet().address, "0xef0100" + 20 * "11")
    try:
        assert kinds(file, monkeypatch) == {TroubleKind.WALLET_HAS_CODE}
    finally:
        local.set_code(wallet().address, "0x")


class Books:
    """Keeps what it is told of a wallet."""

    def __init__(self, strange_from: int = 2**32) -> None:
        self.strange_from = strange_from
        self.told: list[tuple[WalletView | None, str | None]] = []

    def watch(self, chain_id: int, address: str, view: WalletView | None, dispute: str | None) -> None:
        assert (chain_id, address) == (31337, wallet().address)
        self.told.append((view, dispute))

    def stranger(self, chain_id: int, address: str, view: WalletView) -> str | None:
        return "it was there before" if view.nonce_latest >= self.strange_from else None


def test_idle_wallet_is_looked_at_again_and_again_with_its_code(
    file: File, local: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    books, turns = Books(), iter((True, False))

    async def pause(seconds: float) -> None:
        assert seconds == crypto_rail.WATCH_SECONDS
        local.set_code(wallet().address, "0xef0100" + 20 * "11")
        if not next(turns):
            raise EndOfTest

    try:
        with pytest.raises(EndOfTest):
            asyncio.run(crypto_rail.keep_watch(crypto_rail.load(file.settings(monkeypatch)), books, pause))
    finally:
        local.set_code(wallet().address, "0x")

    assert [(view and view.has_code, dispute) for view, dispute in books.told] == [(False, None), (True, None)]


def test_a_wallet_that_the_database_does_not_know_is_told_at_the_start(
    file: File, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (chain,) = crypto_rail.load(file.settings(monkeypatch))

    chain.watch(Books(strange_from=0))

    told = [(vars(it)["entry"], vars(it)["cause"]) for it in caplog.records if it.message == "rail.unready"]
    assert told == [("chains.0.first_nonce", "it was there before")]


def test_endpoints_that_contradict_each_other_are_told_and_silent_ones_are_not(
    file: File, local: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Books()
    with UnreliableEndpoint(local.anvil.url) as liar:
        file.table["rpc_urls"] = [local.anvil.url, liar.url]
        (chain,) = crypto_rail.load(file.settings(monkeypatch))

        liar.hangs_up("eth_getTransactionCount")
        chain.watch(books)
        assert books.told == []

        liar.answers("eth_getTransactionCount", "0xff")
        chain.watch(books)

    ((view, dispute),) = books.told
    assert view is None
    assert "endpoint 2 says 255" in (dispute or "")


class EndOfTest(Exception):
    """Ends what runs for ever."""


def test_doctor_names_a_wallet_that_sent_before_the_database_was_made(
    file: File, local: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = file.settings(monkeypatch).model_copy(
        update={"database_url": f"sqlite:///{file.folder / 'new.sqlite'}"}
    )
    made = Database(settings.database_url)
    migrate.upgrade(made)
    made.close()
    (before,) = wallets.examine(settings)
    local.pay(sender=wallet().address)
    local.mine(4)

    (after,) = wallets.examine(settings)

    used = int(local.call("eth_getTransactionCount", wallet().address, "finalized"), 16)
    assert (before.status, after.status) == (Status.OK, Status.WRONG)
    assert after.name == "chain.31337.first_nonce"
    assert f"--adopt-nonce {used}" in after.told
    file.table["first_nonce"] = used
    (explained,) = wallets.examine(
        file.settings(monkeypatch).model_copy(update={"database_url": made.url.render_as_string()})
    )
    assert explained.status == Status.OK
