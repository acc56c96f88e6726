"""What goes wrong between the pump and a real node: one fault each, and what was paid is read from the chain."""

import pytest

from chaos.rpc_faults import BLOCK, COUNT, OF_TRANSPORT, RECEIPT, SEND, Fault
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from gateways.evm.signer import KeystoreSigner
from tests.activities.till import PAID, Till, Town, till
from tests.workflows.house import House

METHODS = ("eth_chainId", BLOCK, COUNT, "eth_getBalance", "eth_getCode", "eth_feeHistory", "eth_estimateGas", SEND)


@pytest.fixture
def line(town: Town, house: House, signer: KeystoreSigner) -> Till:
    """A line behind one endpoint."""
    return till(town, house, signer)


@pytest.fixture
def pair(town: Town, house: House, signer: KeystoreSigner) -> Till:
    """A line behind two endpoints of one node."""
    return till(town, house, signer, endpoints=2)


class TestSending:
    """Bytes on their way: what comes back says little, and the chain says all."""

    @pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.TIMEOUT, Fault.TRUNCATED, Fault.HTML], ids=str)
    def test_a_reply_that_is_lost_leaves_one_payment_under_one_nonce(self, line: Till, fault: Fault) -> None:
        refund = line.queue()
        line.town.proxy.arm(fault, method=SEND)
        line.turn()
        assert line.town.pooled() == 1

        line.until_final()

        assert line.paid() == (1, 1)
        assert (line.status(refund), len(line.stored(refund))) == (PAID, 1)

    @pytest.mark.parametrize("fault", [Fault.SWALLOWED, Fault.BOGUS_KNOWN, Fault.BOGUS_NONCE], ids=str)
    def test_bytes_that_never_arrived_are_neither_paid_nor_failed_and_are_sent_again(
        self, line: Till, fault: Fault
    ) -> None:
        refund = line.queue()
        line.town.proxy.arm(fault, method=SEND)
        line.turn()
        line.town.mine(3)
        line.turn()
        assert line.paid() == (0, 0)
        assert line.status(refund) == (RefundStatus.PAYING, "payout_sending", PayoutStatus.UNKNOWN)

        line.house.clock.advance(31)
        line.turn()
        line.until_final()

        assert line.paid() == (1, 1)
        assert (line.status(refund), len(line.stored(refund))) == (PAID, 1)

    @pytest.mark.parametrize("fault", OF_TRANSPORT, ids=str)
    def test_every_question_may_fail_once_and_the_payment_happens_once(self, line: Till, fault: Fault) -> None:
        refund = line.queue()
        line.house.clock.advance(61)  # so that the endpoint must prove its chain again
        for method in METHODS:
            line.town.proxy.arm(fault, method=method)

        for _ in range(2 * len(METHODS)):
            line.turn()
            line.house.clock.advance(31)
        line.town.proxy.arm(fault, method=RECEIPT)
        line.until_final(turns=3)

        assert line.town.proxy.faults.waiting == []
        assert line.paid() == (1, 1)
        assert (line.status(refund), len(line.stored(refund))) == (PAID, 1)

    @pytest.mark.parametrize("reached", [0, 1], ids=["the first has them", "the second has them"])
    def test_a_worker_that_dies_between_two_endpoints_has_paid_once(
        self, pair: Till, reached: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refund = pair.queue()
        pair.town.proxy.arm(Fault.LOST_BEFORE, endpoint=1 - reached, method=SEND)
        with monkeypatch.context() as dying:
            dying.setattr("ledger.outbox.Outbox.record_sends", _die)
            with pytest.raises(KeyboardInterrupt):
                pair.turn()
        assert pair.town.pooled() == 1

        pair.turn()
        pair.until_final()

        assert pair.paid() == (1, 1)
        assert (pair.status(refund), len(pair.stored(refund))) == (PAID, 1)

    def test_what_the_pool_dropped_is_sent_again_as_it_was(self, line: Till) -> None:
        refund = line.sent()
        line.town.call("anvil_dropTransaction", line.hashes(refund)[0])
        assert line.town.pooled() == 0

        line.house.clock.advance(31)
        line.turn()
        line.until_final()

        assert line.paid() == (1, 1)
        assert (line.status(refund), len(line.stored(refund))) == (PAID, 1)


class TestReading:
    """Endpoints that hide, lag or lie: nothing is concluded from what is absent."""

    def test_a_receipt_that_stays_hidden_leaves_the_payout_sent_for_ever(self, line: Till) -> None:
        refund = line.sent()
        line.town.proxy.arm(Fault.RECEIPT_NULL, times=None)
        for _ in range(5):
            line.until_final()
            assert line.status(refund)[::2] == (RefundStatus.PAYING, PayoutStatus.UNKNOWN)
        line.house.clock.advance(3600)
        line.until_final()
        assert (line.paid(), line.pause_reason(), len(line.stored(refund))) == ((1, 1), None, 1)

        line.town.proxy.faults.disarm()
        line.turn()

        assert (line.paid(), line.status(refund)) == ((1, 1), PAID)

    def test_a_count_of_nonces_that_lags_gives_no_nonce_twice(self, line: Till) -> None:
        first = line.sent()
        line.until_final()
        line.deposit("dep_2")
        line.town.proxy.arm(Fault.STALE_NONCE, times=None)

        second = line.house.accept("dep_2", rail="crypto", deposit_id="dep_2")
        line.steps.check(second)
        line.house.approve(second)
        line.steps.begin(second)
        line.open()
        line.turn()
        line.until_final()

        assert line.paid() == (1, 1)
        assert (line.nonce(first), line.nonce(second)) == (0, 1)
        assert line.status(second) == PAID

    @pytest.mark.parametrize("liar", [0, 1], ids=["the first lies", "the second lies"])
    @pytest.mark.parametrize(
        "fault",
        [Fault.RECEIPT_NULL, Fault.STALE_NONCE, Fault.WRONG_HEAD, Fault.STALE_HEAD, Fault.OTHER_CHAIN],
        ids=str,
    )
    def test_one_of_two_endpoints_that_lies_all_the_time_moves_nothing_twice(
        self, pair: Till, fault: Fault, liar: int
    ) -> None:
        pair.sent("dep_1")
        pair.until_final()
        refund = pair.queue("dep_2")
        pair.town.proxy.arm(fault, endpoint=liar, times=None)
        for _ in range(3):
            pair.until_final()
            assert pair.paid() in [(0, 0), (1, 1)]

        pair.town.proxy.faults.disarm()
        pair.until_final(turns=2)

        assert pair.town.proxy.faults.fired[fault] > 0
        assert pair.paid() == (1, 1)
        assert (pair.status(refund), len(pair.stored(refund)), pair.pause_reason()) == (PAID, 1, None)

    @pytest.mark.parametrize(
        ("fault", "says"),
        [(Fault.STALE_NONCE, "final in block"), (Fault.OTHER_CHAIN, "serves chain 1")],
        ids=["other counts", "another chain"],
    )
    def test_while_two_endpoints_say_different_things_of_the_wallet_it_signs_nothing(
        self, pair: Till, fault: Fault, says: str
    ) -> None:
        pair.sent("dep_1")
        pair.until_final()
        refund = pair.queue("dep_2")
        pair.house.clock.advance(61)
        pair.town.proxy.arm(fault, endpoint=1, times=None)
        pair.turn()
        pair.house.clock.advance(301)
        pair.turn()

        assert (pair.nonce(refund), pair.town.pooled()) == (None, 0)
        causes = [str(it["evidence"]) for it in pair.house.views.open_findings()]
        assert any(says in it for it in causes), causes

    def test_bytes_are_not_shown_to_an_endpoint_of_another_chain(self, line: Till) -> None:
        line.sent()
        line.town.call("anvil_dropAllTransactions")
        line.house.clock.advance(61)
        line.town.proxy.arm(Fault.OTHER_CHAIN, times=None)
        sends = line.town.proxy.journal.calls()

        line.turn()

        assert line.town.pooled() == 0
        assert _count(line.town.proxy.journal.calls(), SEND) == _count(sends, SEND)


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def _count(calls: dict[str, int], method: str) -> int:
    return calls.get(method, 0)
