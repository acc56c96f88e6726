"""Refunds as the API makes, changes and cancels them."""

from dataclasses import replace

from devstack.stripe_simulator import outcomes
from devstack.stripe_simulator import params as read
from devstack.stripe_simulator.calls import new_id
from devstack.stripe_simulator.cards import TEST_CARDS
from devstack.stripe_simulator.errors import ApiError, no_such, refusal
from devstack.stripe_simulator.form import Form
from devstack.stripe_simulator.records import Charge, Refund
from devstack.stripe_simulator.refundable import amount_to_refund, charge_to_refund
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
_PARAMETERS = (
    "amount",
    "charge",
    "currency",
    "expand",
    "instructions_email",
    "metadata",
    "payment_intent",
    "reason",
)
# Stripe has these too; ignoring them would answer with a refund that Stripe would not have made.
_NOT_SIMULATED = ("customer", "origin", "refund_application_fee", "reverse_transfer")


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
    instructions_email = read.text(params, "instructions_email")

    charge = charge_to_refund(tables, payment_id, charge_id)
    if currency is not None and currency.lower() != charge.currency:
        raise refusal(f"The currency of the charge is {charge.currency}, not {currency}.", param="currency")
    refund = _refund_of(tables, charge, amount_to_refund(tables, charge, amount))
    refund = replace(refund, reason=reason, metadata=metadata, instructions_email=instructions_email)
    tables.add(refund)
    return refund


def update_refund(tables: Tables, refund_id: str, params: Form) -> Refund:
    """Change the metadata of a refund; nothing else of it can be changed."""
    read.refuse_unknown(params, ("expand", "metadata"))
    refund = find_refund(tables, refund_id)
    changed = replace(refund, metadata=read.metadata(params, refund.metadata))
    tables.replace(changed)
    return changed


def cancel_by_api(tables: Tables, refund_id: str, params: Form) -> Refund:
    """Cancel a refund that waits for the customer; by the API no other refund can be canceled."""
    read.refuse_unknown(params, ("expand",))
    refund = find_refund(tables, refund_id)
    if refund.status != "requires_action":
        raise refusal(
            f"You cannot cancel this refund because it has a status of {refund.status}. Only a refund with one "
            "of the following statuses may be canceled: requires_action."
        )
    return end_unpaid(tables, refund, "canceled", "merchant_request")


def find_refund(tables: Tables, refund_id: str) -> Refund:
    """Read a refund that must exist."""
    refund = tables.find(Refund, refund_id)
    if refund is None:
        raise no_such("refund", refund_id)
    return refund


def end_unpaid(tables: Tables, refund: Refund, status: str, failure_reason: str) -> Refund:
    """End a refund without the customer having the money: it is back on the balance, and can be refunded again."""
    ended = replace(
        refund,
        status=status,
        pending_reason=None,
        failure_reason=failure_reason,
        # Without a first booking there is none to undo.
        failure_balance_transaction=None if refund.balance_transaction is None else new_id("txn_3"),
    )
    tables.replace(ended)
    return ended


def _refund_of(tables: Tables, charge: Charge, amount: int) -> Refund:
    """Make the refund of a charge in the status in which it begins."""
    start = outcomes.begin(tables, charge, amount)
    return Refund(
        id=new_id("re_3" if charge.id.startswith("ch_") else "pyr_1"),
        created=tables.now(),
        amount=amount,
        currency=charge.currency,
        charge=charge.id,
        payment_intent=charge.payment_intent,
        status=start.status,
        reason=None,
        pending_reason=start.pending_reason,
        failure_reason=start.failure_reason,
        failure_balance_transaction=None if start.failure_reason is None else new_id("txn_3"),
        balance_transaction=new_id("txn_3") if start.is_booked else None,
        destination=TEST_CARDS[charge.test_card].destination,
        is_reversal=start.is_reversal,
    )
