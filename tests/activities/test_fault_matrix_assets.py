"""Receivers and tokens that change under way, and what only looks like a deposit: paid once or not at all."""

from collections.abc import Callable

import pytest

from devstack.contracts.contract import Contract
from domain.decisions import ResolutionAction
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from gateways.evm.signer import KeystoreSigner
from tests.activities.till import PAID, Till, Town, till, token_till
from tests.fakes import SENDER, WALLET
from tests.gateways.evm.payouts import BURNS, KEEPS_COUNT, REVERTS
from tests.workflows.house import COIN, House

CODE_AT = "0x" + 20 * "11"
OpenTill = Callable[[str], Till]


@pytest.fixture
def line(town: Town, house: House, signer: KeystoreSigner) -> Till:
    """A line that pays in the native coin."""
    return till(town, house, signer)


@pytest.fixture
def open_till(town: Town, house: House, signer: KeystoreSigner) -> OpenTill:
    """Open a line that pays in the token of that name."""
    return lambda name: token_till(town, house, signer, name)


def pay_again(line: Till, refund: str) -> None:
    """Do what a person does once the cause is gone: ask for another attempt, and approve it."""
    line.house.resolve(refund, ResolutionAction.RETRY)
    line.steps.read_records(refund)
    line.house.approve(refund)
    line.steps.begin(refund)
    line.turn()
    line.until_final()


class TestReceivers:
    """Code that came to the receiver after the refund was approved."""

    @pytest.mark.parametrize(
        "code",
        [KEEPS_COUNT, "0xef0100" + 20 * "11"],
        ids=["a contract wallet", "an account that delegates to code"],
    )
    def test_one_that_needs_more_gas_gets_it(self, line: Till, code: str) -> None:
        refund = line.queue()
        line.town.set_code(CODE_AT, KEEPS_COUNT)
        line.town.set_code(SENDER, code)

        line.turn()
        line.until_final()

        assert (line.paid(), line.status(refund)) == ((1, 1), PAID)
        receipt = line.town.call("eth_getTransactionReceipt", line.hashes(refund)[0])
        assert int(receipt["gasUsed"], 16) > 21_000

    @pytest.mark.parametrize("code", [REVERTS, BURNS], ids=["refuses", "burns gas"])
    def test_one_that_cannot_be_paid_gets_no_nonce_and_a_person_hears_of_it(self, line: Till, code: str) -> None:
        refund = line.queue()
        line.town.set_code(SENDER, code)

        line.turn()
        line.until_final()

        assert (line.paid(), line.nonce(refund)) == ((0, 0), None)
        assert line.status(refund)[::2] == (RefundStatus.NEEDS_ATTENTION, PayoutStatus.REFUSED)
        assert line.house.findings() == ["route_unknown"]

    def test_one_that_refuses_after_signing_spends_the_nonce_and_is_paid_once_by_a_person_s_retry(
        self, line: Till
    ) -> None:
        refund = line.sent()
        line.town.call("anvil_setCode", SENDER, REVERTS)
        line.until_final()
        assert line.paid() == (0, 1)
        assert line.status(refund)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REVERTED)
        line.until_final(turns=2)
        assert line.paid() == (0, 1)

        line.town.set_code(SENDER, "0x")
        pay_again(line, refund)

        assert (line.paid(), line.status(refund)) == ((1, 2), PAID)


class TestTokens:
    """What a token does between the approval and the block."""

    @pytest.mark.parametrize("name", ["UsdcLike", "UsdtLike", "FalseReturning"])
    def test_a_token_is_paid_once_whether_it_answers_true_or_nothing(self, open_till: OpenTill, name: str) -> None:
        line = open_till(name)
        refund = line.sent()

        line.until_final()

        assert (line.paid(), line.status(refund)) == ((1, 1), PAID)

    @pytest.mark.parametrize(
        ("name", "switch"),
        [
            pytest.param("UsdcLike", ("pause",), id="USDC is paused"),
            pytest.param("UsdtLike", ("pause",), id="USDT is paused"),
            pytest.param("UsdcLike", ("blacklist", WALLET), id="USDC froze the wallet"),
            pytest.param("UsdtLike", ("blacklist", WALLET), id="USDT froze the wallet"),
        ],
    )
    def test_a_token_that_nobody_can_move_waits_and_is_paid_afterwards(
        self, open_till: OpenTill, name: str, switch: tuple[str, ...]
    ) -> None:
        line = open_till(name)
        refund = line.queue()
        line.town.turn_on(_token(line), *switch, True)
        line.turn()
        line.house.clock.advance(3601)
        line.turn()
        assert (line.paid(), line.nonce(refund)) == ((0, 0), None)
        assert line.house.findings() == ["payout_delayed"]

        line.town.turn_on(_token(line), *switch, False)
        line.turn()
        line.until_final()

        assert (line.paid(), line.status(refund)) == ((1, 1), PAID)

    @pytest.mark.parametrize(
        ("name", "switch"),
        [
            pytest.param("UsdcLike", ("blacklist", SENDER, True), id="USDC froze the customer"),
            pytest.param("UsdtLike", ("blacklist", SENDER, True), id="USDT froze the customer and would pay"),
            pytest.param("FalseReturning", ("set_refuses", True), id="it answers false"),
        ],
    )
    def test_a_customer_whom_the_token_would_not_pay_gets_no_nonce(
        self, open_till: OpenTill, name: str, switch: tuple[str, ...]
    ) -> None:
        line = open_till(name)
        refund = line.queue()
        line.town.turn_on(_token(line), *switch)

        line.turn()
        line.until_final()

        assert (line.paid(), line.nonce(refund)) == ((0, 0), None)
        assert line.status(refund)[::2] == (RefundStatus.NEEDS_ATTENTION, PayoutStatus.REFUSED)

    def test_a_token_whose_code_is_gone_gets_no_nonce(self, open_till: OpenTill) -> None:
        line = open_till("UsdcLike")
        refund = line.queue()
        line.town.set_code(_token(line).address, "0x")

        line.turn()

        assert (line.nonce(refund), line.town.pooled()) == (None, 0)

    @pytest.mark.parametrize(
        ("name", "switch"),
        [
            pytest.param("UsdcLike", ("pause",), id="USDC was paused"),
            pytest.param("UsdtLike", ("pause",), id="USDT was paused"),
            pytest.param("UsdcLike", ("blacklist", SENDER), id="USDC froze the customer"),
        ],
    )
    def test_a_token_that_reverts_after_signing_is_paid_once_by_a_person_s_retry(
        self, open_till: OpenTill, name: str, switch: tuple[str, ...]
    ) -> None:
        line = open_till(name)
        refund = line.sent()
        flip(line, switch[0], *switch[1:], True)
        line.until_final()
        assert line.paid() == (0, 1)
        assert line.status(refund)[:2] == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REVERTED)

        line.town.turn_on(_token(line), *switch, False)
        pay_again(line, refund)

        assert (line.paid(), line.status(refund)) == ((1, 2), PAID)

    def test_a_token_whose_fee_came_on_before_signing_is_not_paid_and_stops_the_wallet(
        self, open_till: OpenTill
    ) -> None:
        line = open_till("UsdtLike")
        refund, before = line.queue(), line.owned()
        line.town.turn_on(_token(line), "set_fee", 100)
        line.turn()
        line.until_final(turns=3)

        assert line.owned() - before == COIN * 99 // 100
        assert_stopped(line, refund)

    def test_a_token_that_answers_false_after_signing_is_not_paid_and_stops_the_wallet(
        self, open_till: OpenTill
    ) -> None:
        line = open_till("FalseReturning")
        refund = line.sent()
        flip(line, "set_refuses", True)
        line.until_final(turns=3)

        assert line.paid() == (0, 1)
        assert_stopped(line, refund)


def assert_stopped(line: Till, refund: str) -> None:
    """A success that moved something else is for people to judge, and is never sent again."""
    assert line.status(refund)[0] == RefundStatus.NEEDS_ATTENTION
    assert line.pause_reason() == "moved_otherwise"
    assert "dead_payout_moved" in line.house.findings()
    assert (len(line.stored(refund)), line.town.pooled()) == (1, 0)


def flip(line: Till, function: str, *values: object) -> None:
    """Let a switch of the token stand in the block before the one that takes our payout."""
    raw = [it.raw for it in line.stored(next(iter(line.house.tickets)))]
    line.town.call("anvil_dropAllTransactions")
    line.town.turn_on(_token(line), function, *values)
    for it in raw:
        line.town.call("eth_sendRawTransaction", "0x" + it.hex())


def _token(line: Till) -> Contract:
    assert line.token is not None
    return line.token
