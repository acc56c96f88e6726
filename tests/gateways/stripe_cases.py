"""Payouts, payments and gateways as the Stripe tests make them, and what they assert of every error."""

import time
from typing import Any

from pydantic import SecretStr

from domain.errors import RefundError, TryAgain
from domain.payments import CardPaymentRef
from domain.payouts import CardPayout, PayoutOutcome
from gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_endpoints import TEST_KEY, Payment

REFUND_ID = "rf_0123456789abcdef01234567"


def gateway_at(url: str, *, read_seconds_max: float = 1.0) -> StripeGateway:
    return StripeGateway(SecretStr(TEST_KEY), mode="test", api_base=url, read_seconds_max=read_seconds_max)


def payout_of(payment: Payment, *, attempt: int = 1, **changes: Any) -> CardPayout:
    payout = CardPayout(
        refund_id=REFUND_ID,
        attempt=attempt,
        payment_intent=payment.intent,
        amount_minor=payment.amount_minor,
        currency="USD",
    )
    return payout.model_copy(update=changes)


def decided(outcome: PayoutOutcome | None) -> PayoutOutcome | None:
    """Leave out what only informs: how the bank shows it, and the list of disputes."""
    return outcome.model_copy(update={"bank": None, "disputes": ()}) if outcome else None


def reference_of(payment: Payment) -> CardPaymentRef:
    return CardPaymentRef(payment_intent=payment.intent, amount_minor=payment.amount_minor, currency="USD")


def repeat_until_settled(gateway: StripeGateway, payout: CardPayout) -> PayoutOutcome:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            return gateway.ensure_refund(payout)
        except TryAgain:
            continue
    raise TimeoutError("the payout did not settle")


def assert_tells_nothing_secret(error: RefundError) -> None:
    assert TEST_KEY not in error.message
    assert "sk_test" not in error.message
    assert "<" not in error.message
    assert error.__cause__ is None
    assert error.__context__ is None
