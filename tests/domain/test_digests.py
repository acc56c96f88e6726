"""A decision is bound to all that was seen, and to nothing that moves by itself."""

from datetime import timedelta
from typing import Any

import pytest

from domain.digests import canonical_json, digest
from domain.money import Money, TokenAmount
from domain.payments import ChainEvidence, ChainPayment, CodeKind, TraceKind
from domain.verdicts import Outcome, Verdict
from tests.domain.deposits import CHAIN, PAID_AT, judge

VERDICT = judge(CHAIN)
SEEN: dict[str, Any] = {
    "refund_id": "rf_1",
    "attempt": 1,
    "deposit_id": "dep",
    "amount": TokenAmount(amount_base_units=10**19, asset="native"),
    "rail": "crypto",
    "verdict": VERDICT,
}


def verdict_with(**changes: Any) -> Verdict:
    """The same verdict with its first rule changed."""
    first, *others = VERDICT.rules
    return VERDICT.model_copy(update={"rules": (first.model_copy(update=changes), *others)})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"refund_id": "rf_2"}, id="refund"),
        pytest.param({"attempt": 2}, id="attempt"),
        pytest.param({"deposit_id": "dep_2"}, id="deposit"),
        pytest.param({"amount": TokenAmount(amount_base_units=10**19 + 1, asset="native")}, id="amount"),
        pytest.param({"amount": TokenAmount(amount_base_units=10**19, asset="0x1")}, id="asset"),
        pytest.param({"amount": Money(amount_minor=2000, currency="USD")}, id="kind of money"),
        pytest.param({"rail": "card"}, id="rail"),
        pytest.param({"verdict": VERDICT.model_copy(update={"destination": "0xother"})}, id="destination"),
        pytest.param({"verdict": VERDICT.model_copy(update={"destination": None})}, id="no destination"),
        pytest.param({"verdict": VERDICT.model_copy(update={"policy_version": "2027"})}, id="policy version"),
        pytest.param({"verdict": verdict_with(outcome=Outcome.REVIEW)}, id="a rule's outcome"),
        pytest.param({"verdict": verdict_with(code="other")}, id="a rule's code"),
    ],
)
def test_the_digest_changes_with_whatever_an_approval_stands_for(change: dict[str, Any]) -> None:
    assert digest(**(SEEN | change)) != digest(**SEEN)


@pytest.mark.parametrize(
    ("amount", "other"),
    [
        pytest.param((2000, "USD"), (2001, "USD"), id="amount"),
        pytest.param((2000, "USD"), (2000, "EUR"), id="currency"),
    ],
)
def test_the_digest_of_a_card_payout_binds_its_money(amount: tuple[int, str], other: tuple[int, str]) -> None:
    first, second = (Money(amount_minor=minor, currency=currency) for minor, currency in (amount, other))

    assert digest(**(SEEN | {"amount": first})) != digest(**(SEEN | {"amount": second}))


@pytest.mark.parametrize(
    "payment",
    [
        pytest.param(CHAIN.model_copy(update={"block_number": 9_999}), id="block number"),
        pytest.param(CHAIN.model_copy(update={"evidence": ChainEvidence(endpoints=3)}), id="endpoints that answered"),
        pytest.param(
            CHAIN.model_copy(update={"evidence": ChainEvidence(code_now=CodeKind.DELEGATION, sender_nonce=7)}),
            id="what the sender did since",
        ),
        pytest.param(
            CHAIN.model_copy(update={"evidence": ChainEvidence(trace=TraceKind.UNAVAILABLE)}), id="who can trace"
        ),
    ],
)
def test_the_digest_stays_while_moving_facts_move(payment: ChainPayment) -> None:
    later = judge(payment)

    assert later != VERDICT
    assert digest(**(SEEN | {"verdict": later})) == digest(**SEEN)


def test_the_digest_stays_while_only_words_and_shown_facts_differ() -> None:
    later = judge(CHAIN, requested_at=PAID_AT + timedelta(days=2))

    assert later != VERDICT
    assert digest(**(SEEN | {"verdict": later})) == digest(**SEEN)


def test_the_digest_has_the_form_that_decisions_name() -> None:
    kind, _, digits = digest(**SEEN).partition(":")

    assert (kind, len(digits)) == ("sha256", 64)
    assert set(digits) <= set("0123456789abcdef")


def test_json_is_written_in_one_way_only() -> None:
    assert canonical_json({"b": 1, "a": "ä"}) == '{"a":"\\u00e4","b":1}'
