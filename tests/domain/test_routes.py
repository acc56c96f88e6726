"""The way back of a deposit: what decides it, what a person must judge, and the evidence that is shown."""

from datetime import timedelta

import pytest

from domain.eligibility import UNKNOWN_AFTER
from domain.payments import CardPayment, ChainEvidence, ChainPayment, CodeKind, Settlement, TraceKind
from domain.verdicts import Outcome, Rule
from tests.domain.deposits import CARD, CHAIN, PAID_AT, SENDER, judge

PASS, FAIL, WAIT, REVIEW = Outcome.PASS, Outcome.FAIL, Outcome.WAIT, Outcome.REVIEW


@pytest.mark.parametrize(
    ("payment", "outcome", "code", "destination"),
    [
        pytest.param(CARD, PASS, "card", "card", id="card"),
        pytest.param(
            CARD.model_copy(update={"is_card": False}), REVIEW, "not_a_card", None, id="paid without a card"
        ),
        pytest.param(CHAIN, PASS, "sender", SENDER, id="plain sender"),
        pytest.param(
            CHAIN.model_copy(update={"review": ("sender_is_contract", "not_a_plain_transfer")}),
            REVIEW,
            "sender_is_contract,not_a_plain_transfer",
            SENDER,
            id="known sender under review",
        ),
        pytest.param(
            CHAIN.model_copy(update={"review": ("paid_by_contract",), "sender": None}),
            REVIEW,
            "paid_by_contract",
            None,
            id="unknown sender under review",
        ),
        pytest.param(
            CHAIN.model_copy(update={"sender": None}), REVIEW, "sender_unknown", None, id="no sender and no reason"
        ),
        pytest.param(
            CHAIN.model_copy(update={"amount_base_units": None}),
            REVIEW,
            "amount_unknown",
            SENDER,
            id="no amount and no reason",
        ),
        pytest.param(
            CHAIN.model_copy(update={"refuse": ("wrong_recipient",), "review": ("sender_is_contract",)}),
            FAIL,
            "wrong_recipient",
            None,
            id="refused, whatever else is to review",
        ),
        pytest.param(
            CHAIN.model_copy(update={"hold": ("token_is_paused",), "review": ("sender_is_contract",)}),
            REVIEW,
            "token_is_paused,sender_is_contract",
            None,
            id="held, whoever the sender is",
        ),
        pytest.param(
            CHAIN.model_copy(update={"hold": ("token_is_paused",), "refuse": ("below_minimum",)}),
            FAIL,
            "below_minimum",
            None,
            id="refused, whatever holds it",
        ),
        pytest.param(
            ChainPayment(settlement=Settlement.MISSING, found_on=(10,)),
            REVIEW,
            "sender_unknown",
            None,
            id="on another chain",
        ),
        pytest.param(
            CHAIN.model_copy(update={"settlement": Settlement.PENDING, "sender": None}),
            WAIT,
            "sender_not_final",
            None,
            id="not final",
        ),
    ],
)
def test_the_way_back_is_the_paying_card_or_the_sender(
    payment: CardPayment | ChainPayment, outcome: Outcome, code: str, destination: str | None
) -> None:
    verdict = judge(payment)

    assert (verdict.result(Rule.ROUTE).outcome, verdict.result(Rule.ROUTE).code) == (outcome, code)
    assert verdict.destination == destination


@pytest.mark.parametrize(
    ("age", "outcome", "code"),
    [
        pytest.param(UNKNOWN_AFTER - timedelta(seconds=1), WAIT, "payment_unsettled", id="a node may lag"),
        pytest.param(UNKNOWN_AFTER, REVIEW, "payment_unknown", id="old enough to be known"),
    ],
)
def test_a_hash_that_no_chain_knows_waits_only_while_a_node_may_lag(
    age: timedelta, outcome: Outcome, code: str
) -> None:
    verdict = judge(ChainPayment(settlement=Settlement.MISSING), requested_at=PAID_AT, received_at=PAID_AT + age)

    assert (verdict.outcome, verdict.result(Rule.SETTLED).code) == (outcome, code)
    assert verdict.destination is None


def test_the_operator_is_told_on_which_chains_the_hash_was_found() -> None:
    settled = judge(ChainPayment(settlement=Settlement.MISSING, found_on=(10, 56))).result(Rule.SETTLED)

    assert settled.facts["found_on_chains"] == "10, 56"
    assert "10, 56" in settled.reason
    assert "10, 56" in settled.reasons["zh-Hans"]


def test_a_payment_that_backs_another_deposit_is_refused_and_names_it() -> None:
    result = judge(payment_taken_by="dep_2").result(Rule.CLEAN)

    assert (result.outcome, result.code, result.facts["payment_taken_by"]) == (FAIL, "payment_taken", "dep_2")


def test_the_route_shows_the_evidence_for_the_sender() -> None:
    evidence = ChainEvidence(
        block_hash="0x" + 64 * "b",
        log_index=4,
        signer=SENDER,
        code_then=CodeKind.NONE,
        code_now=CodeKind.DELEGATION,
        trace=TraceKind.UNAVAILABLE,
        received_base_units=2**70,
        endpoints=3,
    )

    facts = judge(CHAIN.model_copy(update={"evidence": evidence})).result(Rule.ROUTE).facts

    assert facts == {
        "sender": SENDER,
        "block_number": 7,
        "block_hash": "0x" + 64 * "b",
        "log_index": 4,
        "signer": SENDER,
        "code_then": "none",
        "code_now": "delegation",
        "trace": "unavailable",
        "received_base_units": str(2**70),
        "endpoints": 3,
    }


def test_every_reason_for_review_is_said_in_words() -> None:
    route = judge(CHAIN.model_copy(update={"review": ("sender_is_contract", "several_payments")})).result(Rule.ROUTE)

    assert route.reason == (
        "The sender is a contract; a refund sent there may be lost. "
        "The chain transaction holds several payments to us."
    )
    assert "合约" in route.reasons["zh-Hans"]
    assert "多笔" in route.reasons["zh-Hans"]


def test_a_reason_without_words_is_for_a_person_to_judge() -> None:
    route = judge(CHAIN.model_copy(update={"review": ("of_a_newer_worker",)})).result(Rule.ROUTE)

    assert (route.code, route.reason) == (
        "of_a_newer_worker",
        "A person must judge whether the sender can be paid.",
    )
