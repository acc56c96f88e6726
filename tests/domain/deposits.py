"""Facts of one good deposit on each rail, from which a test bends one at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.eligibility import DepositFacts, assess
from domain.money import Money
from domain.payments import CardPayment, CardPaymentRef, ChainPayment, ChainPaymentRef, Settlement
from domain.policy import Policy
from domain.verdicts import Verdict

PAID_AT = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
SENDER = "0x" + "5e" * 20

POLICY = Policy.model_validate({"versions": [{"version": "2026-01", "in_force_from": "2026-01-01T00:00:00Z"}]})

CARD_REF = CardPaymentRef(payment_intent="pi_1", amount_minor=2000, currency="USD")
CHAIN_REF = ChainPaymentRef(chain_id=1, tx_hash="0x" + "ab" * 32, amount_base_units=10**19)

CARD = CardPayment(found=True, status="succeeded", is_captured=True, is_card=True, amount_minor=2000, currency="USD")
CHAIN = ChainPayment(settlement=Settlement.FINAL, block_number=7, sender=SENDER, amount_base_units=10**19)


def judge(payment: CardPayment | ChainPayment = CARD, *, policy: Policy = POLICY, **changes: Any) -> Verdict:
    """Assess a deposit of 20 USD an hour after it was paid, with `changes` to its facts or the request's times."""
    asked = changes.pop("requested_at", PAID_AT + timedelta(hours=1))
    received = changes.pop("received_at", asked)
    facts = {
        "deposit_id": "dep",
        "credited": Money(amount_minor=2000, currency="USD"),
        "paid_at": PAID_AT,
        "payment": CARD_REF if isinstance(payment, CardPayment) else CHAIN_REF,
    }
    return assess(DepositFacts(**(facts | changes)), payment, policy, requested_at=asked, received_at=received)
