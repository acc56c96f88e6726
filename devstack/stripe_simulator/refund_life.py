"""What becomes of a refund afterwards: the bank, the customer, the dashboard and the passing of time."""

import json
from dataclasses import replace

from devstack.stripe_simulator.balance import WhenShort, available, when_short
from devstack.stripe_simulator.calls import new_id
from devstack.stripe_simulator.cards import TEST_CARDS
from devstack.stripe_simulator.outcomes import once_booked
from devstack.stripe_simulator.records import Charge, Refund
from devstack.stripe_simulator.refunds import WrongStatusError, end_unpaid, find_refund
from devstack.stripe_simulator.store import Tables

MOVES_AFTER = "refunds_move_after_seconds"
REFERENCE_STATUSES = ("pending", "available", "unavailable")


def settle(tables: Tables, refund_id: str) -> Refund:
    """Let a refund succeed that is pending or waits for the customer."""
    refund = find_refund(tables, refund_id)
    if refund.status not in ("pending", "requires_action"):
        raise WrongStatusError(f"refund {refund_id} is {refund.status}, not pending")
    return _replace(tables, _booked(replace(refund, status="succeeded", pending_reason=None)))


def fail(tables: Tables, refund_id: str, failure_reason: str) -> Refund:
    """Let a refund fail, also one that had succeeded: its amount can be refunded again."""
    return end_unpaid(tables, _live(tables, refund_id), "failed", failure_reason)


def cancel(tables: Tables, refund_id: str) -> Refund:
    """Cancel a refund as the dashboard does: its amount can be refunded again."""
    return end_unpaid(tables, _live(tables, refund_id), "canceled", "merchant_request")


def set_status(tables: Tables, refund_id: str, status: str, pending_reason: str | None) -> Refund:
    """Give a refund any status, also a word that Stripe does not have yet."""
    refund = find_refund(tables, refund_id)
    return _replace(tables, replace(refund, status=status, pending_reason=pending_reason))


def set_reference(tables: Tables, refund_id: str, status: str, reference: str | None) -> Refund:
    """Let the bank name the reference (the ARN) by which the customer's bank finds the refund."""
    refund = find_refund(tables, refund_id)
    if refund.is_reversal:
        raise WrongStatusError(f"refund {refund_id} is a reversal and never gets a reference")
    if refund.status != "succeeded":
        raise WrongStatusError(f"refund {refund_id} is {refund.status}, not succeeded")
    named = (reference or _made_up_reference(refund)) if status == "available" else None
    return _replace(tables, replace(refund, reference=named, reference_status=status))


def reverse(tables: Tables, refund_id: str) -> Refund:
    """Let the bank take back the charge itself in place of sending a refund."""
    refund = find_refund(tables, refund_id)
    if refund.destination != "card" or refund.reference is not None or not refund.is_live:
        raise WrongStatusError(f"refund {refund_id} cannot be a reversal")
    return _replace(tables, replace(refund, is_reversal=True))


def pass_time(tables: Tables) -> None:
    """Let happen what time and the balance bring about; done before every call, so that nobody sees it late."""
    if when_short(tables) is not WhenShort.COVERED:
        fund_waiting(tables)
    _move_due(tables)


def fund_waiting(tables: Tables) -> None:
    """Send the refunds that wait for money, the oldest first, as far as the balance covers them."""
    for refund in _waiting_for_money(tables):
        is_covered = when_short(tables) is WhenShort.COVERED
        if is_covered or available(tables).get(refund.currency, 0) >= refund.amount:
            go_on(tables, refund)


def go_on(tables: Tables, refund: Refund) -> Refund:
    """Send a refund that had to wait for money or for its charge."""
    charge = tables.find(Charge, refund.charge)
    if charge is None:
        raise LookupError(f"{refund.charge} is named by a refund but does not exist")
    outcome = once_booked(tables, charge)
    sent = replace(
        refund,
        status=outcome.status,
        pending_reason=outcome.pending_reason,
        is_reversal=outcome.is_reversal,
    )
    return _replace(tables, _booked(sent))


def _move_due(tables: Tables) -> None:
    """Let time do to the refunds of test cards what Stripe's test mode does, if it was asked to."""
    after_seconds = tables.setting(MOVES_AFTER, None)
    if after_seconds is None:
        return
    due = [refund for refund in tables.select(Refund) if refund.created + after_seconds <= tables.now()]
    for refund in due:
        charge = tables.find(Charge, refund.charge)
        if refund.status == "pending" and refund.pending_reason == "processing":
            settle(tables, refund.id)
        elif charge is not None and refund.status == "succeeded" and TEST_CARDS[charge.test_card].is_refund_failing:
            fail(tables, refund.id, "unknown")


def _waiting_for_money(tables: Tables) -> list[Refund]:
    rows = tables.connection.execute(
        "SELECT body FROM objects WHERE kind = 'refund' AND json_extract(body, '$.status') = 'pending' "
        "AND json_extract(body, '$.pending_reason') = 'insufficient_funds' ORDER BY sequence"
    )
    return [Refund(**json.loads(body)) for (body,) in rows]


def _live(tables: Tables, refund_id: str) -> Refund:
    refund = find_refund(tables, refund_id)
    if not refund.is_live:
        raise WrongStatusError(f"refund {refund_id} is {refund.status} already")
    return refund


def _booked(refund: Refund) -> Refund:
    return replace(refund, balance_transaction=refund.balance_transaction or new_id("txn_3"))


def _replace(tables: Tables, refund: Refund) -> Refund:
    tables.replace(refund)
    return refund


def _made_up_reference(refund: Refund) -> str:
    """Make 23 digits, as an acquirer reference number has, that stay the same for the same refund."""
    return "7" + str(int.from_bytes(refund.id.encode(), "big"))[-22:]
