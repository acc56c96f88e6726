"""Disputes: inquiries and chargebacks, what they do to the balance, and to a refund just made."""

from dataclasses import replace
from typing import Literal, get_args

from devstack.stripe_simulator.calls import Json, new_id
from devstack.stripe_simulator.errors import no_such
from devstack.stripe_simulator.records import Charge, Dispute, Refund
from devstack.stripe_simulator.refund_life import fail
from devstack.stripe_simulator.refunds import WrongStatusError
from devstack.stripe_simulator.store import Tables

# stripe-python 16.1.0, `Dispute.reason`, as far as a card can have them.
REASONS = (
    "credit_not_processed",
    "duplicate",
    "fraudulent",
    "general",
    "noncompliant",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
)
STATUSES = ("needs_response", "warning_needs_response")
# A published run against Stripe's test mode: seconds after a refund a chargeback made it fail, three times of
# three; five minutes after, the refund stayed and the money was withdrawn a second time.
REFUND_OVERTAKEN_SECONDS = 300

Act = Literal["escalate", "review", "win", "lose", "close"]
ACTS: tuple[Act, ...] = get_args(Act)
_ARROWS: dict[Act, dict[str, str]] = {
    "escalate": {"warning_needs_response": "needs_response", "warning_under_review": "needs_response"},
    "review": {"warning_needs_response": "warning_under_review", "needs_response": "under_review"},
    "win": {"under_review": "won"},
    "lose": {"needs_response": "lost", "under_review": "lost"},
    "close": {"warning_needs_response": "warning_closed", "warning_under_review": "warning_closed"},
}


def dispute_charge(
    tables: Tables, charge_id: str, status: str, *, amount: int | None = None, reason: str = "fraudulent"
) -> Dispute:
    """Open a dispute over all of a charge or another amount, or let its open inquiry become a chargeback.

    Asking again for what is open already changes nothing; a closed dispute does not stand in the way of another.
    """
    charge = tables.find(Charge, charge_id)
    if charge is None:
        raise no_such("charge", charge_id)
    for dispute in tables.select(Dispute, charge=charge_id):
        if not dispute.is_closed:
            return _continue(tables, dispute, status)
    opened = Dispute(
        id=new_id("du_1"),
        created=tables.now(),
        # The bank takes all of the charge back, also what was refunded of it already.
        amount=charge.amount if amount is None else amount,
        currency=charge.currency,
        charge=charge.id,
        payment_intent=charge.payment_intent,
        status=status,
        reason=reason,
    )
    if opened.is_inquiry:
        tables.add(opened)
        return opened
    opened = _moving(tables, opened, -opened.amount)
    tables.add(opened)
    _overtake_refunds(tables, charge_id)
    return opened


def act(tables: Tables, dispute_id: str, what: Act) -> Dispute:
    """Let a dispute go its next step, as bank and merchant would."""
    dispute = find_dispute(tables, dispute_id)
    status = _ARROWS[what].get(dispute.status)
    if status is None:
        raise WrongStatusError(f"dispute {dispute_id} is {dispute.status}: it cannot {what}")
    changed = replace(dispute, status=status)
    if what == "escalate":
        changed = _moving(tables, changed, -dispute.amount)
    if what == "review":
        changed = replace(changed, submission_count=dispute.submission_count + 1)
    if what == "win":
        changed = _moving(tables, changed, dispute.amount)
    tables.replace(changed)
    if what == "escalate":
        _overtake_refunds(tables, dispute.charge)
    return changed


def find_dispute(tables: Tables, dispute_id: str) -> Dispute:
    """Read a dispute that must exist."""
    dispute = tables.find(Dispute, dispute_id)
    if dispute is None:
        raise no_such("dispute", dispute_id)
    return dispute


def _continue(tables: Tables, dispute: Dispute, status: str) -> Dispute:
    if dispute.status == status:
        return dispute
    if dispute.is_inquiry and status == "needs_response":
        return act(tables, dispute.id, "escalate")
    raise WrongStatusError(f"the charge has dispute {dispute.id}, which is {dispute.status}")


def _overtake_refunds(tables: Tables, charge_id: str) -> None:
    """Let the refunds fail that were not through when the bank took the money back."""
    for refund in tables.select(Refund, charge=charge_id):
        age_seconds = tables.now() - refund.created
        is_young = refund.status == "succeeded" and age_seconds < REFUND_OVERTAKEN_SECONDS
        if is_young or refund.status == "pending":
            fail(tables, refund.id, "charge_for_pending_refund_disputed")


def _moving(tables: Tables, dispute: Dispute, amount: int) -> Dispute:
    """Add the balance transaction by which the bank takes the money, or gives it back."""
    word = "withdrawal" if amount < 0 else "reversal"
    movement: Json = {
        "id": new_id("txn_1"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": tables.now(),
        "balance_type": "payments",
        "created": tables.now(),
        "currency": dispute.currency,
        "description": f"Chargeback {word} for {dispute.charge}",
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": amount,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": dispute.id,
        "status": "available",
        "type": "adjustment",
    }
    return replace(dispute, balance_transactions=[*dispute.balance_transactions, movement])
