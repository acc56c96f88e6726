"""Stripe's test payment methods that the simulator knows: https://docs.stripe.com/testing."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Decline:
    """Why a card is declined, in Stripe's words."""

    code: str
    message: str
    decline_code: str


@dataclass(frozen=True)
class Card:
    """A test payment method, mostly a card; `type` is Stripe's word for what kind of method it is.

    `is_refund_pending` refunds stay pending until they are settled; `is_refund_failing` ones succeed and fail
    later, and both wait for the control plane. `dispute` is the status of the dispute that follows the charge
    at once. `is_slow` payments stay in processing. `needs_action` refunds wait for the customer's bank details.
    """

    brand: str
    last4: str
    is_refund_pending: bool = False
    is_refund_failing: bool = False
    dispute: str | None = None
    decline: Decline | None = None
    type: str = "card"
    is_slow: bool = False
    needs_action: bool = False
    destination: str = "card"
    details: dict[str, Any] = field(default_factory=dict)


def _declined(last4: str, decline_code: str, message: str, code: str = "card_declined") -> Card:
    return Card("visa", last4, decline=Decline(code, message, decline_code))


_GENERIC = _declined("0002", "generic_decline", "Your card was declined.")
_SHORT = _declined("9995", "insufficient_funds", "Your card has insufficient funds.")
_BANK_ACCOUNT = {"account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK"}

TEST_CARDS = {
    "pm_card_visa": Card("visa", "4242"),
    "pm_card_visa_debit": Card("visa", "5556"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_amex": Card("amex", "8431"),
    "pm_card_pendingRefund": Card("visa", "7726", is_refund_pending=True),
    "pm_card_refundFail": Card("visa", "5126", is_refund_failing=True),
    "pm_card_createDispute": Card("visa", "0259", dispute="needs_response"),
    "pm_card_createDisputeInquiry": Card("visa", "1976", dispute="warning_needs_response"),
    "pm_card_chargeDeclined": _GENERIC,
    "pm_card_visa_chargeDeclined": _GENERIC,
    "pm_card_chargeDeclinedInsufficientFunds": _SHORT,
    "pm_card_visa_chargeDeclinedInsufficientFunds": _SHORT,
    "pm_card_visa_chargeDeclinedLostCard": _declined("9987", "lost_card", "Your card was declined."),
    "pm_card_visa_chargeDeclinedStolenCard": _declined("9979", "stolen_card", "Your card was declined."),
    "pm_card_chargeDeclinedExpiredCard": _declined(
        "0069", "expired_card", "Your card has expired.", code="expired_card"
    ),
    "pm_card_chargeDeclinedIncorrectCvc": _declined(
        "0127", "incorrect_cvc", "Your card's security code is incorrect.", code="incorrect_cvc"
    ),
    "pm_card_chargeDeclinedProcessingError": _declined(
        "0119",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
        code="processing_error",
    ),
    "pm_usBankAccount_success": Card(
        "", "6789", type="us_bank_account", destination="us_bank_transfer", details=_BANK_ACCOUNT
    ),
    # The two below are the simulator's own: Stripe has no test payment method that is sure to stay this way.
    "pm_simulated_usBankAccountProcessing": Card(
        "", "6789", type="us_bank_account", destination="us_bank_transfer", details=_BANK_ACCOUNT, is_slow=True
    ),
    "pm_simulated_konbini": Card(
        "",
        "",
        type="konbini",
        destination="jp_bank_transfer",
        details={"store": {"chain": "lawson"}},
        needs_action=True,
    ),
}
