"""The steps of a payment intent after it was made: confirm, capture, cancel."""

from dataclasses import replace

from devstack.stripe_simulator import params as read
from devstack.stripe_simulator.charging import capture_charge, charge_payment, release_charge
from devstack.stripe_simulator.errors import ApiError, no_such, refusal
from devstack.stripe_simulator.form import Form
from devstack.stripe_simulator.objects import payment_intent_json
from devstack.stripe_simulator.payments import check_type, made_payment_method
from devstack.stripe_simulator.records import PaymentIntent
from devstack.stripe_simulator.store import Tables

CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation")
_CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
# Stripe's own parameters of the three calls that change nothing here.
_CONFIRM_WITHOUT_EFFECT = (
    "capture_method",
    "confirmation_token",
    "error_on_requires_action",
    "excluded_payment_method_types",
    "mandate",
    "mandate_data",
    "off_session",
    "payment_method_data",
    "payment_method_options",
    "payment_method_types",
    "radar_options",
    "receipt_email",
    "return_url",
    "setup_future_usage",
    "shipping",
    "use_stripe_sdk",
)
_CAPTURE_WITHOUT_EFFECT = (
    "amount_details",
    "application_fee_amount",
    "final_capture",
    "hooks",
    "payment_details",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
)


def find_payment_intent(tables: Tables, payment_id: str) -> PaymentIntent:
    """Read a payment intent that must exist."""
    payment = tables.find(PaymentIntent, payment_id)
    if payment is None:
        raise no_such("payment_intent", payment_id, param="intent")
    return payment


def confirm(tables: Tables, payment_id: str, params: Form) -> PaymentIntent:
    """Charge the payment method: the one given now, or the one given before."""
    read.refuse_unknown(params, ("expand", "payment_method", *_CONFIRM_WITHOUT_EFFECT))
    given = read.text(params, "payment_method")
    payment = find_payment_intent(tables, payment_id)
    _require(payment, "confirmed", _CONFIRMABLE)
    if given is not None and given != payment.payment_method:
        check_type(given, payment.payment_method_types)
        payment = replace(payment, payment_method=made_payment_method(given), test_card=given)
    if payment.test_card is None:
        raise refusal(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update "
            "the PaymentIntent with a payment method and then confirm it again, or confirm it again directly "
            "with a payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    return charge_payment(tables, payment, payment.test_card)


def capture(tables: Tables, payment_id: str, params: Form) -> PaymentIntent:
    """Take what is held on the card, or the part of it that is asked for."""
    read.refuse_unknown(params, ("amount_to_capture", "expand", "metadata", *_CAPTURE_WITHOUT_EFFECT))
    amount = read.integer(params, "amount_to_capture", at_least=1)
    payment = find_payment_intent(tables, payment_id)
    metadata = read.metadata(params, payment.metadata) if "metadata" in params else payment.metadata
    _require(payment, "captured", ("requires_capture",))
    if amount is not None and amount > payment.amount:
        raise refusal(
            f"The amount to capture ({amount}) is greater than the amount capturable ({payment.amount}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    return capture_charge(tables, replace(payment, metadata=metadata), amount or payment.amount)


def cancel(tables: Tables, payment_id: str, params: Form) -> PaymentIntent:
    """End a payment that took no money; what is held on the card is given up."""
    read.refuse_unknown(params, ("cancellation_reason", "expand"))
    reason = read.choice(params, "cancellation_reason", CANCELLATION_REASONS)
    payment = find_payment_intent(tables, payment_id)
    _require(payment, "canceled", _CANCELABLE)
    return release_charge(tables, payment, reason)


def _require(payment: PaymentIntent, done: str, allowed: tuple[str, ...]) -> None:
    if payment.status in allowed:
        return
    raise ApiError(
        f"This PaymentIntent could not be {done} because it has a status of {payment.status}. Only a "
        f"PaymentIntent with one of the following statuses may be {done}: {', '.join(allowed)}.",
        code="payment_intent_unexpected_state",
        is_stored=True,
        should_retry=False,
        details={"payment_intent": payment_intent_json(payment)},
    )
