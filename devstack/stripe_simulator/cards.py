"""Stripe's test cards that the simulator knows: https://docs.stripe.com/testing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A test payment method; `is_refund_pending` refunds stay pending until they are settled."""

    brand: str
    last4: str
    is_refund_pending: bool = False


# A refund to pm_card_refundFail succeeds first; it fails when the control plane says so.
TEST_CARDS = {
    "pm_card_visa": Card("visa", "4242"),
    "pm_card_visa_debit": Card("visa", "5556"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_amex": Card("amex", "8431"),
    "pm_card_pendingRefund": Card("visa", "7726", is_refund_pending=True),
    "pm_card_refundFail": Card("visa", "5126"),
}
