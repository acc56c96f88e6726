"""Blocks that vanish and money that is short: the same nonce, the same bytes, and it waits, tells and pays once."""

import pytest
from eth_account import Account

from devstack.chain import wallet
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from gateways.evm.signer import KeystoreSigner
from tests.activities.till import GWEI, PAID, Till, Town, till
from tests.fakes import WALLET
from tests.workflows.house import House


@pytest.fixture
def line(town: Town, house: House, signer: KeystoreSigner) -> Till:
    """A line behind one endpoint."""
    return till(town, house, signer)


class TestReorgs:
    """Blocks that vanish: the same nonce and the same bytes, and finality begins anew."""

    @pytest.mark.parametrize("depth", [1, 3])
    def test_what_a_reorg_took_out_is_brought_back_by_its_bytes(self, line: Till, depth: int) -> None:
        line.town.mine(5)
        refund = line.sent()
        (tx_hash,) = line.hashes(refund)
        line.town.mine(depth)
        first_block = line.town.block_of(tx_hash)
        line.town.call("anvil_reorg", depth, [])
        assert (line.paid(), line.town.pooled()) == ((0, 0), 0)

        line.house.clock.advance(31)
        line.turn()
        line.until_final()

        assert line.paid() == (1, 1)
        assert line.hashes(refund) == [tx_hash]
        assert line.town.block_of(tx_hash) not in (None, first_block)
        assert line.status(refund) == PAID

    def test_what_a_reorg_put_into_another_block_waits_for_finality_again(self, line: Till) -> None:
        line.town.mine(5)
        refund = line.sent()
        (stored,) = line.stored(refund)
        line.town.mine(2)
        line.turn()
        assert line.status(refund)[2] == PayoutStatus.PENDING
        first_block = line.town.block_of(stored.tx_hash)

        line.town.call("anvil_reorg", 2, [["0x" + stored.raw.hex(), 1]])
        line.town.mine()
        line.turn()
        assert line.town.block_of(stored.tx_hash) not in (None, first_block)
        assert line.status(refund)[2] == PayoutStatus.PENDING
        line.town.mine()
        line.turn()

        assert (line.paid(), line.status(refund)) == ((1, 1), PAID)

    def test_a_foreign_transaction_that_a_reorg_put_on_our_nonce_pays_nothing_and_stops_the_wallet(
        self, line: Till
    ) -> None:
        refund, other = line.queue("dep_1"), line.approved("dep_2")
        line.open()
        line.turn()
        line.town.mine()
        line.turn()
        assert line.status(refund)[2] == PayoutStatus.PENDING
        raw = _foreign_bytes(line, nonce=line.nonce(refund) or 0)
        line.town.call("anvil_reorg", 1, [[raw, 0]])
        line.until_final()
        line.house.clock.advance(601)
        line.turn()
        line.steps.begin(other)
        line.until_final()

        assert line.paid() == (0, 1)
        assert line.nonce(other) is None
        assert line.status(refund)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_UNKNOWN)
        assert line.pause_reason() == "key_used_elsewhere"
        assert "wallet_paused" in line.house.findings()

    def test_a_reorg_deeper_than_finality_after_paying_is_told_and_mended_by_the_same_bytes(self, line: Till) -> None:
        refund = line.sent()
        (tx_hash,) = line.hashes(refund)
        line.until_final()
        assert line.status(refund) == PAID

        line.town.call("anvil_reorg", 3, [])
        assert line.paid() == (0, 0)
        line.turn()
        assert line.status(refund)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REORGED)
        assert line.house.findings() != []
        line.until_final()

        assert line.paid() == (1, 1)
        assert (line.hashes(refund), line.status(refund)[0]) == ([tx_hash], RefundStatus.REFUNDED)


class TestMoney:
    """Gas that costs too much, a wallet that is empty: it waits, tells, and pays."""

    def test_a_base_fee_that_rises_fivefold_is_outbid_and_paid_once(self, line: Till) -> None:
        refund = line.sent()
        fee = 5 * int(line.town.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
        for _ in range(20):
            line.town.call("anvil_setNextBlockBaseFeePerGas", hex(fee))
            line.town.mine()
            line.wait(blocks=0)
            line.turn()
        line.until_final()

        assert line.paid() == (1, 1)
        assert len(line.stored(refund)) > 1
        assert line.status(refund) == PAID

    def test_gas_above_the_cap_gets_no_nonce_is_told_and_is_paid_when_it_falls(self, line: Till) -> None:
        refund = line.queue()
        line.town.call("anvil_setNextBlockBaseFeePerGas", hex(400 * GWEI))
        line.town.mine()
        line.turn()
        line.house.clock.advance(3601)
        line.turn()
        assert (line.nonce(refund), line.paid()) == (None, (0, 0))
        assert line.house.findings() == ["payout_delayed"]

        line.town.mine(40)
        line.turn()
        line.until_final()

        assert (line.paid(), line.status(refund)) == ((1, 1), PAID)

    def test_a_fee_at_the_cap_keeps_its_bytes_tells_and_is_paid_when_gas_falls(self, line: Till) -> None:
        refund = line.sent()
        for _ in range(4):
            for _ in range(3):
                line.town.call("anvil_setNextBlockBaseFeePerGas", hex(600 * GWEI))
                line.town.mine()
            line.wait(blocks=0)
            line.turn()
        at_cap = line.hashes(refund)
        assert line.paid() == (0, 0)
        assert line.house.findings() == ["payout_stuck"]

        line.town.mine(10)
        line.house.clock.advance(61)
        line.turn()
        line.until_final()

        assert (line.paid(), line.status(refund)) == ((1, 1), PAID)
        assert line.hashes(refund) == at_cap

    def test_an_empty_wallet_waits_is_told_of_and_pays_after_the_refill(self, line: Till) -> None:
        refund = line.queue()
        line.town.call("anvil_setBalance", WALLET, "0x0")
        line.turn()
        line.house.clock.advance(3601)
        line.turn()
        assert (line.nonce(refund), line.paid()) == (None, (0, 0))
        assert line.house.findings() != []

        line.town.call("anvil_setBalance", WALLET, hex(10**18))
        line.turn()
        line.until_final()

        assert (line.paid(), line.status(refund)) == ((1, 1), PAID)

    def test_a_wallet_that_was_emptied_after_signing_pays_by_the_same_nonce_after_the_refill(
        self, line: Till
    ) -> None:
        refund = line.sent()
        line.town.call("anvil_setBalance", WALLET, "0x0")
        line.until_final(turns=3)
        assert line.paid() == (0, 0)

        line.town.call("anvil_setBalance", WALLET, hex(10**18))
        line.until_final(turns=3)

        assert (line.paid(), line.status(refund)) == ((1, 1), PAID)


def _foreign_bytes(line: Till, nonce: int) -> str:
    """Sign what a thief of the key would: one unit to somebody else under our nonce."""
    fields = {
        "type": 2,
        "chainId": 31337,
        "nonce": nonce,
        "to": line.town.fresh_account(7),
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": 100 * GWEI,
        "maxPriorityFeePerGas": GWEI,
    }
    return Account.sign_transaction(fields, wallet().key).raw_transaction.to_0x_hex()
