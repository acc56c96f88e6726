"""The pump against a real node: what happened is read from the balances of the chain."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.chain import Anvil, anvil_command, free_port, wallet
from devstack.keystore import write_keystore
from domain.decisions import ResolutionAction
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.activities.line import Line
from tests.activities.steps import Steps
from tests.fakes import SENDER, WALLET
from tests.gateways.evm.local_chain import LocalChain, chain_settings
from tests.workflows.house import COIN, House


@pytest.fixture
def local() -> Iterator[LocalChain]:
    """A node that makes blocks only when it is told to."""
    port = free_port()
    with Anvil(anvil_command(port, None, block_time_seconds=None, slots_in_an_epoch=1), port) as anvil:
        anvil.call("evm_setAutomine", False)
        yield LocalChain(anvil)


@pytest.fixture
def line(house: House, local: LocalChain, tmp_path: Path) -> Line:
    keystore, password = tmp_path / "wallet.json", tmp_path / "wallet.password"
    write_keystore(keystore, password, bytes(wallet().key), "correct horse")
    signer = KeystoreSigner(keystore, password, wallet().address)
    return Line(Steps(house, EvmChain(chain_settings(local.anvil.url), signer)))


class Watch:
    """What one refund moved, by the customer's balance; and the wallet's count of nonces."""

    def __init__(self, local: LocalChain) -> None:
        self._local = local
        self._balance, self._nonces = local.balance(SENDER), self._count()

    def risen(self) -> tuple[int, int]:
        """Return by how much the customer's balance and the wallet's count of nonces have risen."""
        return self._local.balance(SENDER) - self._balance, self._count() - self._nonces

    def _count(self) -> int:
        return int(self._local.call("eth_getTransactionCount", WALLET, "latest"), 16)


@pytest.fixture
def watch(local: LocalChain) -> Watch:
    return Watch(local)


@pytest.fixture
def refund(line: Line, watch: Watch) -> str:
    """A refund whose payout waits in the node's pool."""
    refund = line.queue()
    line.turn()
    assert watch.risen() == (0, 0)
    return refund


def until_final(line: Line, local: LocalChain) -> None:
    local.mine()
    local.finalize()
    line.turn()


@pytest.mark.parametrize("winner", [0, 1], ids=["the old bytes", "the new bytes"])
def test_after_a_raise_whichever_bytes_are_mined_pay_once(
    line: Line, local: LocalChain, watch: Watch, refund: str, winner: int
) -> None:
    local.call("anvil_setBlockGasLimit", hex(20_000))  # too small a block for any transfer
    local.mine(3)
    local.call("anvil_setBlockGasLimit", hex(30_000_000))
    line.wait()
    line.turn()
    assert len(line.stored(refund)) == 2
    if winner == 0:
        local.call("anvil_dropAllTransactions")
        local.call("eth_sendRawTransaction", "0x" + line.stored(refund)[0].raw.hex())

    until_final(line, local)

    assert watch.risen() == (COIN, 1)
    assert line.status(refund)[::2] == (RefundStatus.REFUNDED, PayoutStatus.SUCCEEDED)
    assert line.house.see(refund)["payouts"][0]["tx_hash"] == line.hashes(refund)[winner]


def test_a_cancelled_nonce_moves_nothing_and_the_next_attempt_pays_once(
    line: Line, local: LocalChain, watch: Watch, refund: str
) -> None:
    line.steps.attend(refund)
    line.house.resolve(refund, ResolutionAction.CANCEL_NONCE)
    line.turn()
    until_final(line, local)
    assert watch.risen() == (0, 1)
    assert line.status(refund)[1] == StatusReason.PAYOUT_CANCELED

    line.house.resolve(refund, ResolutionAction.RETRY)
    line.steps.read_records(refund)
    line.house.approve(refund)
    line.steps.begin(refund)
    line.turn()
    until_final(line, local)

    assert watch.risen() == (COIN, 2)
    assert line.status(refund)[0] == RefundStatus.REFUNDED


def test_a_foreign_use_of_our_nonce_pays_nothing_and_stops_the_wallet(
    line: Line, local: LocalChain, watch: Watch, refund: str
) -> None:
    local.call("anvil_dropAllTransactions")
    foreign = local.send(sender=WALLET, to=local.fresh_account(7), value=1)
    until_final(line, local)
    assert line.pause_reason() is None
    line.house.clock.advance(601)

    line.turn()

    assert watch.risen() == (0, 1)
    assert line.status(refund)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_UNKNOWN)
    assert line.pause_reason() == "key_used_elsewhere"
    evidence = next(it["evidence"] for it in line.house.views.open_findings() if it["kind"] == "wallet_paused")
    assert evidence["tx_hash"] == foreign


def test_a_reorg_takes_the_payout_out_and_the_same_bytes_bring_it_back(
    line: Line, local: LocalChain, watch: Watch, refund: str
) -> None:
    local.mine()
    line.turn()
    assert line.status(refund)[2] == PayoutStatus.PENDING
    local.call("anvil_reorg", 1, [])
    assert watch.risen() == (0, 0)

    line.turn()
    assert line.status(refund)[2] == PayoutStatus.UNKNOWN
    until_final(line, local)

    assert watch.risen() == (COIN, 1)
    assert len(line.stored(refund)) == 1
    assert line.status(refund)[0] == RefundStatus.REFUNDED
