"""Which events follow from the change of an object: https://docs.stripe.com/api/events/types."""

from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.events import write_event
from devstack.stripe_simulator.fraud_warnings import look_again
from devstack.stripe_simulator.objects import (
    charge_json,
    dispute_json,
    early_fraud_warning_json,
    payment_intent_json,
    refund_json,
)
from devstack.stripe_simulator.records import Charge, Dispute, EarlyFraudWarning, PaymentIntent, Record, Refund
from devstack.stripe_simulator.store import Tables

_OF_PAYMENT_STATUS = {
    "processing": "payment_intent.processing",
    "succeeded": "payment_intent.succeeded",
    "canceled": "payment_intent.canceled",
    "requires_capture": "payment_intent.amount_capturable_updated",
}


def write_events(tables: Tables, before: Record | None, after: Record) -> None:
    """Write the events of one change into the database transaction that makes it."""
    if before == after:
        return
    match before, after:
        case (None | PaymentIntent(), PaymentIntent()):
            _payment_events(tables, before, after)
        case (None | Charge(), Charge()):
            _charge_events(tables, before, after)
        case (None | Refund(), Refund()):
            _refund_events(tables, before, after)
        case (None | Dispute(), Dispute()):
            _dispute_events(tables, before, after)
        case (None | EarlyFraudWarning(), EarlyFraudWarning()):
            _warning_events(tables, before, after)
        case _:
            raise TypeError(f"nothing is known about events of {type(after).__name__}")


def _payment_events(tables: Tables, before: PaymentIntent | None, after: PaymentIntent) -> None:
    shown = payment_intent_json(after)
    if before is None:
        write_event(tables, "payment_intent.created", shown)
    if (before is None or before.status != after.status) and after.status in _OF_PAYMENT_STATUS:
        write_event(tables, _OF_PAYMENT_STATUS[after.status], shown)
    if after.latest_charge is not None and after.status == "requires_payment_method":
        write_event(tables, "payment_intent.payment_failed", shown)


def _charge_events(tables: Tables, before: Charge | None, after: Charge) -> None:
    shown = charge_json(tables, after)
    if before is None or before.status != after.status:
        write_event(tables, f"charge.{shown['status']}", shown)
    elif after.is_captured and not before.is_captured:
        write_event(tables, "charge.captured", shown)


def _refund_events(tables: Tables, before: Refund | None, after: Refund) -> None:
    shown = refund_json(after)
    if before is None:
        write_event(tables, "refund.created", shown)
        if after.is_live:
            _write_charge_refunded(tables, after)
    else:
        previous = changed_from(refund_json(before), shown)
        write_event(tables, "refund.updated", shown, previous=previous)
        # Stripe still sends the older name as well, for the same fact.
        write_event(tables, "charge.refund.updated", shown, previous=previous)
    if after.status == "failed" and (before is None or before.status != "failed"):
        write_event(tables, "refund.failed", shown)
    look_again(tables, after.charge)


def _write_charge_refunded(tables: Tables, refund: Refund) -> None:
    charge = tables.find(Charge, refund.charge)
    if charge is None:
        raise LookupError(f"{refund.charge} is named by a refund but does not exist")
    shown = charge_json(tables, charge)
    previous: Json = {"amount_refunded": shown["amount_refunded"] - refund.amount}
    if shown["refunded"]:
        previous["refunded"] = False
    write_event(tables, "charge.refunded", shown, previous=previous)


def _dispute_events(tables: Tables, before: Dispute | None, after: Dispute) -> None:
    shown = dispute_json(after)
    if before is None:
        write_event(tables, "charge.dispute.created", shown)
    elif after.is_closed and not before.is_closed:
        write_event(tables, "charge.dispute.closed", shown)
    else:
        write_event(tables, "charge.dispute.updated", shown, previous=changed_from(dispute_json(before), shown))
    known = 0 if before is None else len(before.balance_transactions)
    for movement in after.balance_transactions[known:]:
        moved = "withdrawn" if movement["amount"] < 0 else "reinstated"
        write_event(tables, f"charge.dispute.funds_{moved}", shown)
    look_again(tables, after.charge)


def _warning_events(tables: Tables, before: EarlyFraudWarning | None, after: EarlyFraudWarning) -> None:
    shown = early_fraud_warning_json(after)
    if before is None:
        write_event(tables, "radar.early_fraud_warning.created", shown)
    else:
        previous = changed_from(early_fraud_warning_json(before), shown)
        write_event(tables, "radar.early_fraud_warning.updated", shown, previous=previous)


def changed_from(before: Json, after: Json) -> Json:
    """Name what changed with its earlier value: of an object only its changed fields, of a list all of it."""
    previous: Json = {}
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            previous[name] = changed_from(old, new) if isinstance(old, dict) and isinstance(new, dict) else old
    return previous
