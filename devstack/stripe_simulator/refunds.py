"""Refunds: what may be refunded, and what becomes of a refund afterwards."""

from dataclasses import replace

from devstack.stripe_simulator import params as read
from devstack.stripe_simulator.calls import new_id
from devstack.stripe_simulator.cards import TEST_CARDS
from devstack.stripe_simulator.errors import ApiError, no_such, refusal
from devstack.stripe_simulator.form import Form
from devstack.stripe_simulator.objects import refunded_amount
from devstack.stripe_simulator.records import Charge, Dispute, PaymentIntent, Refund
from devstack.stripe_simulator.store import Tables

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
FAILURE_REASONS = (
    "lost_or_stolen_card",
    "expired_or_canceled_card",
    "charge_for_pending_refund_disputed",
    "insufficient_funds",
    "declined",
    "merchant_request",
    "unknown",
)
_PARAMETERS = ("amount", "charge", "currency", "expand", "metadata", "payment_intent", "reason")
# Stripe has these too; ignoring them would answer with a refund that Stripe would not have made.
_NOT_SIMULATED = ("customer", "instructions_email", "origin", "refund_application_fee", "reverse_transfer")
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
_WITHOUT_DECIMALS = {
    "bif",
    "clp",
    "djf",
    "gnf",
    "jpy",
    "kmf",
    "krw",
    "mga",
    "pyg",
    "rwf",
    "vnd",
    "xaf",
    "xof",
    "xpf",
}


class WrongStatusError(Exception):
    """A refund cannot change in the way that the control plane asked for."""


def create_refund(tables: Tables, params: Form) -> Refund:
    """Refund a charge, wholly or in part, and never more than is left of it."""
    read.refuse_unknown(params, (*_PARAMETERS, *_NOT_SIMULATED))
    for name in _NOT_SIMULATED:
        if name in params:
            raise ApiError(f"The simulator does not simulate the parameter {name}.", param=name)
    payment_id, charge_id = read.text(params, "payment_intent"), read.text(params, "charge")
    if payment_id is not None and charge_id is not None:
        raise ApiError("You may only specify one of these parameters: charge, payment_intent.")
    if payment_id is None and charge_id is None:
        raise ApiError("Missing required param: charge.", code="parameter_missing", param="charge")
    amount = read.integer(params, "amount", at_least=1)
    reason = read.choice(params, "reason", REASONS)
    metadata = read.metadata(params, {})
    currency = read.text(params, "currency")

    charge = _charge_of_payment(tables, payment_id) if payment_id else _charge(tables, charge_id or "")
    if currency is not None and currency.lower() != charge.currency:
        raise refusal(f"The currency of the charge is {charge.currency}, not {currency}.", param="currency")
    amount = _check_refundable(tables, charge, amount)
    is_pending = TEST_CARDS[charge.test_card].is_refund_pending
    refund = Refund(
        id=new_id("re_3"),
        created=tables.now(),
        amount=amount,
        currency=charge.currency,
        charge=charge.id,
        payment_intent=charge.payment_intent,
        status="pending" if is_pending else "succeeded",
        reason=reason,
        pending_reason="processing" if is_pending else None,
        balance_transaction=new_id("txn_3"),
        metadata=metadata,
    )
    tables.add(refund)
    return refund


def update_refund(tables: Tables, refund_id: str, params: Form) -> Refund:
    """Change the metadata of a refund; nothing else of it can be changed."""
    read.refuse_unknown(params, ("expand", "metadata"))
    refund = find_refund(tables, refund_id)
    changed = replace(refund, metadata=read.metadata(params, refund.metadata))
    tables.replace(changed)
    return changed


def find_refund(tables: Tables, refund_id: str) -> Refund:
    """Read a refund that must exist."""
    refund = tables.find(Refund, refund_id)
    if refund is None:
        raise no_such("refund", refund_id)
    return refund


def settle(tables: Tables, refund_id: str) -> Refund:
    """Let a pending refund succeed."""
    refund = find_refund(tables, refund_id)
    if refund.status != "pending":
        raise WrongStatusError(f"refund {refund_id} is {refund.status}, not pending")
    return _change(tables, replace(refund, status="succeeded", pending_reason=None))


def fail(tables: Tables, refund_id: str, failure_reason: str) -> Refund:
    """Let a refund fail, also one that had succeeded: its amount can be refunded again."""
    return _end_unpaid(tables, refund_id, "failed", failure_reason)


def cancel(tables: Tables, refund_id: str) -> Refund:
    """Cancel a refund as the dashboard does: its amount can be refunded again."""
    return _end_unpaid(tables, refund_id, "canceled", "merchant_request")


def _end_unpaid(tables: Tables, refund_id: str, status: str, failure_reason: str) -> Refund:
    refund = find_refund(tables, refund_id)
    if not refund.is_live:
        raise WrongStatusError(f"refund {refund_id} is {refund.status} already")
    ended = replace(
        refund,
        status=status,
        pending_reason=None,
        failure_reason=failure_reason,
        failure_balance_transaction=new_id("txn_3"),
    )
    return _change(tables, ended)


def _change(tables: Tables, refund: Refund) -> Refund:
    tables.replace(refund)
    return refund


def _charge_of_payment(tables: Tables, payment_id: str) -> Charge:
    payment = tables.find(PaymentIntent, payment_id)
    if payment is None:
        raise no_such("payment_intent", payment_id, param="payment_intent")
    if payment.latest_charge is None or payment.status != "succeeded":
        raise refusal(
            f"This PaymentIntent ({payment_id}) does not have a successful charge to refund.",
            code="charge_not_refundable",
            param="payment_intent",
        )
    return _charge(tables, payment.latest_charge)


def _charge(tables: Tables, charge_id: str) -> Charge:
    charge = tables.find(Charge, charge_id)
    if charge is None:
        raise no_such("charge", charge_id, param="charge")
    return charge


def _check_refundable(tables: Tables, charge: Charge, amount: int | None) -> int:
    if not charge.is_captured:
        raise refusal(
            f"Charge {charge.id} has not been captured; cancel its PaymentIntent instead.",
            code="charge_not_refundable",
            param="charge",
        )
    if any(dispute.blocks_refunds for dispute in tables.select(Dispute, charge=charge.id)):
        raise refusal(f"Charge {charge.id} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = charge.amount - refunded_amount(tables, charge.id)
    if left == 0:
        raise refusal(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
    asked = left if amount is None else amount
    if asked > left:
        # Stripe names the parameter but sends no code here.
        limit = "charge amount" if asked > charge.amount else "unrefunded amount on charge"
        raise refusal(
            f"Refund amount ({_money(asked, charge.currency)}) is greater than {limit} "
            f"({_money(charge.amount if asked > charge.amount else left, charge.currency)})",
            param="amount",
        )
    return asked


def _money(amount: int, currency: str) -> str:
    symbol = _SYMBOLS.get(currency, "")
    unit = "" if symbol else f" {currency.upper()}"
    if currency in _WITHOUT_DECIMALS:
        return f"{symbol}{amount}{unit}"
    whole, rest = divmod(amount, 100)
    return f"{symbol}{whole}.{rest:02}{unit}"
