"""Disputes that a test or a demo opens against a charge."""

from dataclasses import replace

from devstack.stripe_simulator.calls import new_id
from devstack.stripe_simulator.errors import no_such
from devstack.stripe_simulator.records import Charge, Dispute
from devstack.stripe_simulator.store import Tables

STATUSES = ("needs_response", "warning_needs_response")


def dispute_charge(tables: Tables, charge_id: str, status: str) -> Dispute:
    """Open a dispute, or give the open one another status: an inquiry can become a chargeback."""
    charge = tables.find(Charge, charge_id)
    if charge is None:
        raise no_such("charge", charge_id)
    for dispute in tables.select(Dispute, charge=charge_id):
        changed = replace(dispute, status=status)
        tables.replace(changed)
        return changed
    opened = Dispute(
        id=new_id("du_1"),
        created=tables.now(),
        amount=charge.amount,
        currency=charge.currency,
        charge=charge.id,
        payment_intent=charge.payment_intent,
        status=status,
        reason="fraudulent",
    )
    tables.add(opened)
    return opened
