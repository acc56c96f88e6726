"""Charges: a payment intent meets its test payment method, and money is taken, held or refused."""

from dataclasses import replace

from devstack.stripe_simulator.calls import Json, new_id
from devstack.stripe_simulator.cards import TEST_CARDS, Decline
from devstack.stripe_simulator.disputes import dispute_charge
from devstack.stripe_simulator.errors import ApiError
from devstack.stripe_simulator.objects import payment_intent_json
from devstack.stripe_simulator.records import Charge, PaymentIntent, Refund
from devstack.stripe_simulator.refund_life import go_on
from devstack.stripe_simulator.refunds import WrongStatusError, end_unpaid
from devstack.stripe_simulator.store import Tables


def charge_payment(tables: Tables, payment: PaymentIntent, test_card: str) -> PaymentIntent:
    """Charge the test payment method; raises `ApiError` if it is declined, and leaves the failed charge behind."""
    card = TEST_CARDS[test_card]
    is_held = payment.capture_method == "manual"
    charge = Charge(
        id=new_id("ch_3" if card.type == "card" else "py_3"),
        created=tables.now(),
        amount=payment.amount,
        currency=payment.currency,
        payment_intent=payment.id,
        payment_method=payment.payment_method or test_card,
        test_card=test_card,
        is_captured=not is_held and card.decline is None,
        description=payment.description,
        receipt_email=payment.receipt_email,
        metadata=payment.metadata,
        status="failed" if card.decline else "pending" if card.is_slow else "succeeded",
    )
    tables.add(charge)
    if card.decline is not None:
        raise _declined(tables, replace(payment, latest_charge=charge.id), charge, card.decline)
    status = "processing" if card.is_slow else "requires_capture" if is_held else "succeeded"
    charged = _replace(tables, replace(payment, status=status, latest_charge=charge.id, last_payment_error=None))
    if card.dispute is not None:
        dispute_charge(tables, charge.id, card.dispute)
    return charged


def capture_charge(tables: Tables, payment: PaymentIntent, amount: int) -> PaymentIntent:
    """Take the money that was held, or less of it; the rest is given up."""
    charge = _charge_of(tables, payment)
    tables.replace(replace(charge, is_captured=True, amount_captured=amount))
    return _replace(tables, replace(payment, status="succeeded", amount_captured=amount))


def release_charge(tables: Tables, payment: PaymentIntent, reason: str | None) -> PaymentIntent:
    """Cancel a payment intent and give up what it holds on the card."""
    if payment.status == "requires_capture":
        tables.replace(replace(_charge_of(tables, payment), is_released=True))
    canceled = replace(payment, status="canceled", canceled_at=tables.now(), cancellation_reason=reason)
    return _replace(tables, canceled)


def end_processing(tables: Tables, payment_id: str, *, succeeds: bool) -> PaymentIntent:
    """Let a slow payment arrive or fail, and with it the refunds that wait for it."""
    payment = tables.find(PaymentIntent, payment_id)
    if payment is None or payment.status != "processing":
        raise WrongStatusError(f"payment {payment_id} is not in processing")
    charge = _charge_of(tables, payment)
    tables.replace(replace(charge, status="succeeded" if succeeds else "failed", is_captured=succeeds))
    ended = replace(payment, status="succeeded" if succeeds else "requires_payment_method")
    for refund in tables.select(Refund, charge=charge.id):
        if refund.pending_reason != "charge_pending":
            continue
        if succeeds:
            go_on(tables, refund)
        else:
            end_unpaid(tables, refund, "failed", "unknown")
    return _replace(tables, ended)


def _declined(tables: Tables, payment: PaymentIntent, charge: Charge, decline: Decline) -> ApiError:
    facts: Json = {"charge": charge.id, "decline_code": decline.decline_code}
    reason: Json = {**facts, "code": decline.code, "message": decline.message, "type": "card_error"}
    refused = replace(
        payment, status="requires_payment_method", payment_method=None, test_card=None, last_payment_error=reason
    )
    tables.replace(refused)
    return ApiError(
        decline.message,
        status=402,
        type="card_error",
        code=decline.code,
        is_stored=True,
        should_retry=False,
        keeps_effect=True,
        details={**facts, "payment_intent": payment_intent_json(refused)},
    )


def _charge_of(tables: Tables, payment: PaymentIntent) -> Charge:
    charge = tables.find(Charge, payment.latest_charge or "")
    if charge is None:
        raise LookupError(f"payment {payment.id} has no charge")
    return charge


def _replace(tables: Tables, payment: PaymentIntent) -> PaymentIntent:
    tables.replace(payment)
    return payment
