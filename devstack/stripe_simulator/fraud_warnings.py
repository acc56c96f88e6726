"""Early fraud warnings: the issuer of the card suspects a charge, and a refund may still avert a dispute."""

from dataclasses import replace

from devstack.stripe_simulator.calls import new_id
from devstack.stripe_simulator.errors import no_such
from devstack.stripe_simulator.objects import refunded_amount
from devstack.stripe_simulator.records import Charge, Dispute, EarlyFraudWarning
from devstack.stripe_simulator.store import Tables

# stripe-python 16.1.0, `EarlyFraudWarning.fraud_type`.
FRAUD_TYPES = (
    "card_never_received",
    "fraudulent_card_application",
    "made_with_counterfeit_card",
    "made_with_lost_card",
    "made_with_stolen_card",
    "misc",
    "unauthorized_use_of_card",
)


def warn(tables: Tables, charge_id: str, fraud_type: str) -> EarlyFraudWarning:
    """Warn of a charge; a second warning is another object."""
    charge = tables.find(Charge, charge_id)
    if charge is None:
        raise no_such("charge", charge_id)
    warning = EarlyFraudWarning(
        id=new_id("issfr_1"),
        created=tables.now(),
        charge=charge.id,
        payment_intent=charge.payment_intent,
        fraud_type=fraud_type,
        actionable=_is_actionable(tables, charge),
    )
    tables.add(warning)
    return warning


def look_again(tables: Tables, charge_id: str) -> None:
    """Bring the warnings of a charge up to date after it was refunded or disputed."""
    charge = tables.find(Charge, charge_id)
    for warning in tables.select(EarlyFraudWarning, charge=charge_id):
        is_actionable = charge is not None and _is_actionable(tables, charge)
        if warning.actionable != is_actionable:
            tables.replace(replace(warning, actionable=is_actionable))


def _is_actionable(tables: Tables, charge: Charge) -> bool:
    is_disputed = bool(tables.select(Dispute, charge=charge.id))
    return not is_disputed and refunded_amount(tables, charge.id) < charge.amount
