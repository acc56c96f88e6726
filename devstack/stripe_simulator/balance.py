"""The account's balance, and what becomes of a refund that it does not cover."""

from enum import StrEnum

from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.errors import ApiError, refusal
from devstack.stripe_simulator.records import Dispute
from devstack.stripe_simulator.store import Tables

_ADJUSTMENTS = "balance_adjustments"
_WHEN_SHORT = "balance_when_short"

# What was charged less what was refunded. A refund that waits for money or for its charge is not booked yet.
_MOVEMENTS = """
SELECT json_extract(body, '$.currency') AS currency, sum(CASE
    WHEN kind = 'charge' THEN coalesce(json_extract(body, '$.amount_captured'), json_extract(body, '$.amount'))
    ELSE -json_extract(body, '$.amount')
END) AS amount
FROM objects
WHERE (kind = 'charge' AND json_extract(body, '$.is_captured') AND json_extract(body, '$.status') IS NOT 'pending')
   OR (kind = 'refund' AND json_extract(body, '$.status') NOT IN ('failed', 'canceled')
       AND coalesce(json_extract(body, '$.pending_reason'), '') NOT IN ('insufficient_funds', 'charge_pending'))
GROUP BY currency
"""


class WhenShort(StrEnum):
    """What Stripe does with a refund that the balance does not cover; it is seen in all these ways.

    `covered`: the account may go below zero, as when the bank account behind it is debited. `pending`: the
    refund waits with `pending_reason` insufficient_funds. `refused` and `refused_with_code`: status 400.
    """

    COVERED = "covered"
    PENDING = "pending"
    REFUSED = "refused"
    REFUSED_WITH_CODE = "refused_with_code"


def available(tables: Tables) -> dict[str, int]:
    """Add up what was charged, refunded, charged back and moved by hand, per currency and without fees."""
    totals = {currency: int(amount) for currency, amount in tables.connection.execute(_MOVEMENTS)}
    for dispute in tables.select(Dispute):
        if dispute.withdrawn_amount:
            totals[dispute.currency] = totals.get(dispute.currency, 0) - dispute.withdrawn_amount
    for currency, amount in tables.setting(_ADJUSTMENTS, {}).items():
        totals[currency] = totals.get(currency, 0) + amount
    return totals


def adjust(tables: Tables, currency: str, amount: int) -> None:
    """Book a top-up, or a payout if it is negative."""
    adjustments = tables.setting(_ADJUSTMENTS, {})
    tables.set_setting(_ADJUSTMENTS, {**adjustments, currency: adjustments.get(currency, 0) + amount})


def when_short(tables: Tables) -> WhenShort:
    """Say what happens to a refund that the balance does not cover."""
    return WhenShort(tables.setting(_WHEN_SHORT, WhenShort.COVERED))


def set_when_short(tables: Tables, behaviour: WhenShort) -> None:
    """Choose what happens to a refund that the balance does not cover."""
    tables.set_setting(_WHEN_SHORT, behaviour)


def covers(tables: Tables, currency: str, amount: int) -> bool:
    """Whether a refund can be paid at once; raises `ApiError` where such a refund is refused."""
    behaviour = when_short(tables)
    if behaviour is WhenShort.COVERED or available(tables).get(currency, 0) >= amount:
        return True
    if behaviour is WhenShort.PENDING:
        return False
    raise _short(behaviour)


def balance_json(tables: Tables) -> Json:
    """Show the balance; everything is available at once."""
    totals = available(tables)
    nothing = [{"amount": 0, "currency": currency, "source_types": {"card": 0}} for currency in totals or ["usd"]]
    shown = [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in totals.items()
    ]
    return {"object": "balance", "available": shown or nothing, "livemode": False, "pending": nothing}


def _short(behaviour: WhenShort) -> ApiError:
    code = "balance_insufficient" if behaviour is WhenShort.REFUSED_WITH_CODE else None
    return refusal("Insufficient funds in your Stripe balance to refund this amount.", code=code)
