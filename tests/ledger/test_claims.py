"""A log of a chain transaction backs one deposit, also where the feed named it by its hash only."""

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from domain.errors import PaymentTaken
from domain.payments import ChainEvidence, ChainPayment, ChainPaymentRef, Settlement
from domain.refunds import RefundState, RefundStatus, StatusReason, WaitingFor
from domain.verdicts import Rule, Verdict
from ledger.books import Book
from ledger.tables import Deposit
from tests.ledger.scene import CHAIN_ID, COIN, PAID_CHAIN, Scene

TOKEN = "0x" + 40 * "1"
TX_HASH = "0x" + 64 * "b"


def seen(log_index: int | None, **changes: Any) -> ChainPayment:
    """Return what the chain says of a token's deposit that one log paid."""
    evidence = ChainEvidence(block_hash="0x" + 64 * "c", log_index=log_index)
    return PAID_CHAIN.model_copy(update={"evidence": evidence, "amount_base_units": COIN} | changes)


def token_deposit(scene: Scene, id: str, log_index: int = -1, **changes: Any) -> str:
    fields = {"chain_id": CHAIN_ID, "tx_hash": TX_HASH, "asset": TOKEN, "amount_base_units": COIN}
    payment = ChainPaymentRef.model_validate(fields | {"log_index": log_index} | changes)
    return scene.deposit(id, payment=payment)


def check(scene: Scene, ticket: str, deposit: str, facts: ChainPayment) -> RefundState:
    return scene.check(scene.request(ticket, rail="crypto", deposit_id=deposit), facts)


def claimed(scene: Scene, deposit: str) -> int | None:
    with scene.database.read() as session:
        return session.get_one(Deposit, deposit).claimed_log_index


@pytest.fixture
def shop(scene: Scene) -> Scene:
    scene.account()
    return scene


@pytest.mark.parametrize("first", ["named", "unnamed"])
def test_one_log_named_by_its_index_and_by_its_hash_is_paid_once(shop: Scene, first: str) -> None:
    token_deposit(shop, "named", log_index=5)
    token_deposit(shop, "unnamed")
    second = "unnamed" if first == "named" else "named"

    outcomes = [check(shop, deposit, deposit, seen(5)) for deposit in (first, second)]

    by_name = dict(zip((first, second), outcomes, strict=True))
    assert by_name["named"].status == RefundStatus.AWAITING_APPROVAL
    assert (by_name["unnamed"].status, by_name["unnamed"].reason) == (
        RefundStatus.INELIGIBLE,
        StatusReason.CLEAN_FAILED,
    )
    verdict = Verdict.model_validate(shop.row(by_name["unnamed"].refund_id).verdict)
    assert verdict.result(Rule.CLEAN).facts["payment_taken_by"] == "named"
    assert shop.in_book(Book.HELD, "unnamed") == 0


def test_log_that_was_found_is_taken_for_whoever_names_it_later(shop: Scene) -> None:
    token_deposit(shop, "unnamed")
    check(shop, "1", "unnamed", seen(5))

    with pytest.raises(PaymentTaken, match="'unnamed'"):
        token_deposit(shop, "named", log_index=5)

    assert claimed(shop, "unnamed") == 5
    token_deposit(shop, "another", log_index=6)
    assert check(shop, "2", "another", seen(6)).status == RefundStatus.AWAITING_APPROVAL


def test_log_is_written_down_once_and_stays_on_looking_again(shop: Scene) -> None:
    token_deposit(shop, "unnamed")
    refund = shop.awaiting_approval("1", facts=seen(5), rail="crypto")
    shop.decide(refund)

    shop.begin(refund, seen(5))
    shop.begin(refund, seen(5))

    assert shop.events(refund).count("payment.resolved") == 1
    assert shop.row(refund).status == RefundStatus.PAYING


def test_log_that_somebody_claimed_since_the_check_stops_the_payout(shop: Scene) -> None:
    token_deposit(shop, "unnamed")
    refund = shop.awaiting_approval("1", facts=seen(None), rail="crypto")
    shop.decide(refund)
    token_deposit(shop, "named", log_index=5)

    state = shop.begin(refund, seen(5))

    assert (state.status, state.reason) == (RefundStatus.INELIGIBLE, StatusReason.CLEAN_FAILED)
    assert shop.views.refund(refund)["payouts"] == []


def test_log_that_was_first_found_right_before_paying_is_claimed_then(shop: Scene) -> None:
    token_deposit(shop, "unnamed")
    refund = shop.awaiting_approval("1", facts=seen(None), rail="crypto")
    shop.decide(refund)

    state = shop.begin(refund, seen(5))

    assert (state.status, claimed(shop, "unnamed")) == (RefundStatus.PAYING, 5)


def test_deposit_that_names_a_wrong_log_takes_the_one_that_paid_it(shop: Scene) -> None:
    token_deposit(shop, "wrong", log_index=9)
    check(shop, "1", "wrong", seen(5))

    with pytest.raises(PaymentTaken, match="'wrong'"):
        token_deposit(shop, "right", log_index=5)


def test_native_coin_and_a_named_log_of_one_chain_transaction_are_two_payments(shop: Scene) -> None:
    token_deposit(shop, "coin", asset="native")
    token_deposit(shop, "token", log_index=0)

    coin, token = check(shop, "1", "coin", seen(None)), check(shop, "2", "token", seen(0))

    assert (coin.status, token.status) == (RefundStatus.AWAITING_APPROVAL, RefundStatus.AWAITING_APPROVAL)
    assert (claimed(shop, "coin"), claimed(shop, "token")) == (-1, 0)


def test_the_schema_itself_lets_a_log_back_one_deposit(shop: Scene) -> None:
    token_deposit(shop, "unnamed")
    token_deposit(shop, "named", log_index=5)

    with pytest.raises(IntegrityError, match="claimed_log"):
        write_claim(shop, "unnamed", 5)


def write_claim(scene: Scene, deposit: str, log_index: int) -> None:
    with scene.database.write() as session:
        session.get_one(Deposit, deposit).claimed_log_index = log_index


def test_sender_that_may_not_be_paid_now_is_held_before_an_operator(shop: Scene) -> None:
    token_deposit(shop, "dep")

    state = check(shop, "1", "dep", seen(5, hold=("sender_is_frozen",)))

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.ROUTE_UNKNOWN)
    assert shop.in_book(Book.HELD) == 2000


def test_token_paused_after_the_approval_pays_nobody(shop: Scene) -> None:
    token_deposit(shop, "dep")
    refund = shop.awaiting_approval("1", facts=seen(5), rail="crypto")
    shop.decide(refund)

    state = shop.begin(refund, seen(5, hold=("token_is_paused",)))

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.ROUTE_UNKNOWN)
    assert shop.views.refund(refund)["payouts"] == []
    assert shop.in_book(Book.HELD) == 2000


def test_deposit_whose_block_never_becomes_final_comes_before_an_operator(shop: Scene) -> None:
    token_deposit(shop, "dep")
    waiting = check(shop, "1", "dep", ChainPayment(settlement=Settlement.PENDING, block_number=7))

    state = shop.checking.expire(waiting.refund_id)

    assert (waiting.status, waiting.waiting_for) == (RefundStatus.AWAITING_ORDERS, WaitingFor.PAYMENT)
    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYMENT_UNSETTLED)
    assert shop.checking.expire(waiting.refund_id) == state
