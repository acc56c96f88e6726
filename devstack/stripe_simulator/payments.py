"""Payments made with test cards: the payment intent and its charge."""

import re

from devstack.stripe_simulator import params as read
from devstack.stripe_simulator.calls import new_id
from devstack.stripe_simulator.cards import TEST_CARDS
from devstack.stripe_simulator.charging import charge_payment
from devstack.stripe_simulator.errors import ApiError, refusal
from devstack.stripe_simulator.form import Form
from devstack.stripe_simulator.records import PaymentIntent
from devstack.stripe_simulator.store import Tables

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
AMOUNT_MIN = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50}
AMOUNT_MAX = 99_999_999

# Stripe's own parameters (stripe-python's PaymentIntentCreateParams) that change nothing here.
_WITHOUT_EFFECT = (
    "allowed_payment_method_types",
    "amount_details",
    "application_fee_amount",
    "automatic_payment_methods",
    "confirmation_method",
    "confirmation_token",
    "customer",
    "customer_account",
    "error_on_requires_action",
    "excluded_payment_method_types",
    "hooks",
    "mandate",
    "mandate_data",
    "off_session",
    "on_behalf_of",
    "payment_details",
    "payment_method_configuration",
    "payment_method_data",
    "payment_method_options",
    "radar_options",
    "return_url",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
    "use_stripe_sdk",
)
_WITH_EFFECT = (
    "amount",
    "capture_method",
    "confirm",
    "currency",
    "description",
    "expand",
    "metadata",
    "payment_method",
    "payment_method_types",
    "receipt_email",
)


def create_payment_intent(tables: Tables, params: Form) -> PaymentIntent:
    """Make a payment intent and, if it is confirmed, charge the card at once."""
    read.refuse_unknown(params, (*_WITH_EFFECT, *_WITHOUT_EFFECT))
    currency = _currency(params)
    amount = _amount(params, currency)
    capture_method = read.choice(params, "capture_method", ("automatic", "automatic_async", "manual"))
    is_confirmed = read.boolean(params, "confirm")
    test_card = read.text(params, "payment_method")
    types = read.words(params, "payment_method_types")
    metadata = read.metadata(params, {})
    description = read.text(params, "description")
    receipt_email = read.text(params, "receipt_email")
    payment_method = None if test_card is None else made_payment_method(test_card)
    if test_card is not None:
        check_type(test_card, types)
        types = types or [TEST_CARDS[test_card].type]
    if is_confirmed and payment_method is None:
        raise refusal(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
            "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
            "directly with a payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    payment = PaymentIntent(
        id=new_id("pi_3"),
        created=tables.now(),
        amount=amount,
        currency=currency,
        status="requires_payment_method" if payment_method is None else "requires_confirmation",
        capture_method=capture_method or "automatic_async",
        payment_method=payment_method,
        payment_method_types=types or ["card"],
        latest_charge=None,
        description=description,
        receipt_email=receipt_email,
        metadata=metadata,
        test_card=test_card,
    )
    tables.add(payment)
    if is_confirmed and test_card is not None:
        return charge_payment(tables, payment, test_card)
    return payment


def made_payment_method(test_card: str) -> str:
    """Make a payment method of its own from the name of a test card, as Stripe does."""
    if test_card not in TEST_CARDS:
        raise refusal(
            f"No such PaymentMethod: '{test_card}' (the simulator knows {', '.join(TEST_CARDS)})",
            code="resource_missing",
            param="payment_method",
        )
    return new_id("pm_1")


def check_type(test_card: str, allowed: list[str]) -> None:
    """Refuse a payment method of a kind that the payment intent does not take."""
    card = TEST_CARDS.get(test_card)
    if card is not None and allowed and card.type not in allowed:
        raise refusal(
            f"The PaymentMethod provided ({card.type}) is not allowed for this PaymentIntent. Please attach a "
            f"PaymentMethod of one of the following types: {', '.join(allowed)}.",
            code="payment_intent_incompatible_payment_method",
            param="payment_method",
        )


def _currency(params: Form) -> str:
    currency = read.required_text(params, "currency").lower()
    if re.fullmatch(r"[a-z]{3}", currency) is None:
        raise ApiError(f"Invalid currency: {currency}.", param="currency")
    return currency


def _amount(params: Form, currency: str) -> int:
    read.required_text(params, "amount")
    amount = read.integer(params, "amount", at_least=1) or 0
    if amount < AMOUNT_MIN.get(currency, 1):
        raise ApiError(
            f"Amount must be at least {AMOUNT_MIN[currency]} in the smallest unit of {currency}",
            code="amount_too_small",
            param="amount",
        )
    if amount > AMOUNT_MAX:
        raise ApiError(f"Amount must be no more than {AMOUNT_MAX}", code="amount_too_large", param="amount")
    return amount
