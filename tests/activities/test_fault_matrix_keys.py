"""Two workers, two clicks, a restored database, a key in other hands: the wallet of a real node pays each once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from chaos.rpc_faults import SEND, Fault
from domain.errors import Refused
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from gateways.evm.signer import KeystoreSigner
from tests.activities.steps import Steps
from tests.activities.test_restored import Backup
from tests.activities.till import PAID, Till, Town, chain_of, till
from tests.fakes import WALLET
from tests.workflows.house import House

WORKERS, REFUNDS = 3, 5


@pytest.fixture
def line(town: Town, house: House, signer: KeystoreSigner) -> Till:
    """A line behind one endpoint."""
    return till(town, house, signer)


def test_several_workers_that_pump_at_once_pay_each_refund_once(
    line: Till, town: Town, house: House, signer: KeystoreSigner
) -> None:
    refunds = [line.queue(f"dep_{number}") for number in range(REFUNDS)]
    chains = [chain_of(town, house, signer) for _ in range(WORKERS)]
    workers = [Till(Steps(house, it, it), town) for it in chains]
    town.proxy.arm(Fault.LOST_REPLY, method=SEND, times=2)

    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in range(4):
            list(pool.map(Till.turn, workers))
            town.mine()
            house.clock.advance(31)
    line.until_final(turns=2)

    assert line.paid() == (REFUNDS, REFUNDS)
    assert sorted(line.nonce(it) or 0 for it in refunds) == list(range(REFUNDS))
    assert {line.status(it) for it in refunds} == {PAID}


def test_two_clicks_and_two_tickets_for_one_deposit_pay_it_once(line: Till) -> None:
    line.deposit()
    tickets = [line.house.accept(it, rail="crypto", deposit_id="dep_1") for it in ("1", "2")]
    for refund in tickets:
        line.steps.check(refund)
        for operator in ("ann", "ann", "bob"):
            with suppress(Refused):
                line.house.approve(refund, operator)
    line.open()
    for refund in tickets * 2:
        line.steps.begin(refund)
        line.turn()

    line.until_final(turns=3)

    assert line.paid() == (1, 1)
    assert sorted(len(line.house.see(it)["payouts"]) for it in tickets) == [0, 1]


def test_a_chain_transaction_that_billing_names_twice_is_paid_back_once(line: Till) -> None:
    tx_hash = line.town.send(value=10**16)
    line.town.mine()
    line.town.finalize()
    refunds = []
    for name in ("dep_1", "dep_2"):
        with suppress(Refused):
            line.feed(name, tx_hash)
            refunds.append(line.house.accept(name, rail="crypto", deposit_id=name))
            line.steps.check(refunds[-1])
            line.house.approve(refunds[-1])
            line.steps.begin(refunds[-1])
    line.open()

    line.turn()
    line.until_final(turns=3)

    assert len(refunds) > 0
    assert line.paid() == (1, 1)


@pytest.mark.parametrize("place", ["in the pool", "in a block", "final"])
def test_a_restored_database_sends_nothing_again_wherever_its_forgotten_payout_is(
    line: Till, tmp_path: Path, place: str
) -> None:
    line.sent("dep_0")
    line.until_final()
    refund = line.queue("dep_1")
    backup = Backup(line, tmp_path / "backup.sqlite")
    line.turn()
    if place != "in the pool":
        line.town.mine()
    if place == "final":
        line.town.finalize()
    backup.restore()
    assert line.status(refund)[2] == PayoutStatus.QUEUED

    for _ in range(3):
        line.turn()
    assert line.nonce(refund) is None
    line.until_final(turns=3)

    assert (line.paid(), line.nonce(refund), line.town.pooled()) == ((1, 1), None, 0)
    assert (line.pause_reason(), line.status(refund)[0]) == ("nonce_drift", RefundStatus.PAYING)
    assert "wallet_paused" in line.house.findings()


def test_a_key_that_somebody_else_uses_stops_the_wallet_before_the_next_payout(line: Till) -> None:
    line.sent("dep_0")
    line.until_final()
    refund = line.queue("dep_1")
    line.town.send(sender=WALLET, to=line.town.fresh_account(7), value=1)

    line.turn()
    assert line.nonce(refund) is None  # somebody's is in the pool
    line.until_final(turns=2)

    assert (line.paid(), line.nonce(refund)) == ((0, 1), None)
    assert line.pause_reason() == "nonce_drift"
    assert "wallet_paused" in line.house.findings()


def test_code_at_the_wallet_stops_it_before_the_next_payout(line: Till) -> None:
    line.sent("dep_0")
    line.until_final()
    refund = line.queue("dep_1")
    line.town.set_code(WALLET, "0xef0100" + 20 * "11")

    line.until_final(turns=2)

    assert (line.paid(), line.nonce(refund)) == ((0, 0), None)
    assert line.pause_reason() == "wallet_has_code"
