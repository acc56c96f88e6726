"""What may be refunded of a charge: https://docs.stripe.com/api/refunds/create."""

import re

from devstack.stripe_simulator.errors import no_such, refusal
from devstack.stripe_simulator.objects import refunded_amount
from devstack.stripe_simulator.profiles import is_permissive
from devstack.stripe_simulator.records import Charge, Dispute, PaymentIntent
from devstack.stripe_simulator.store import Tables

_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
_WITHOUT_DECIMALS = re.compile("bif|clp|djf|gnf|jpy|kmf|krw|mga|pyg|rwf|vnd|xaf|xof|xpf")


def charge_to_refund(tables: Tables, payment_id: str | None, charge_id: str | None) -> Charge:
    """Find the charge of a payment, or the charge itself."""
    if payment_id is None:
        return _charge(tables, charge_id or "")
    payment = tables.find(PaymentIntent, payment_id)
    if payment is None:
        raise no_such("payment_intent", payment_id, param="payment_intent")
    if payment.latest_charge is None or payment.status not in ("succeeded", "processing"):
        raise refusal(
            f"This PaymentIntent ({payment_id}) does not have a successful charge to refund.",
            code="charge_not_refundable",
            param="payment_intent",
        )
    return _charge(tables, payment.latest_charge)


def amount_to_refund(tables: Tables, charge: Charge, amount: int | None) -> int:
    """Decide what is refunded: what was asked for, or all that is left; never more than is left."""
    if charge.status == "failed" or not charge.is_captured:
        raise refusal(
            f"Charge {charge.id} has not been captured; cancel its PaymentIntent instead.",
            code="charge_not_refundable",
            param="charge",
        )
    if any(dispute.blocks_refunds for dispute in tables.select(Dispute, charge=charge.id)):
        raise refusal(f"Charge {charge.id} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = charge.captured_amount - refunded_amount(tables, charge.id)
    if is_permissive(tables):
        return amount or (left if left > 0 else charge.captured_amount)
    if left <= 0:
        raise refusal(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
    asked = left if amount is None else amount
    if asked > left:
        # Stripe names the parameter but sends no code here.
        is_above_charge = asked > charge.captured_amount
        limit = "charge amount" if is_above_charge else "unrefunded amount on charge"
        raise refusal(
            f"Refund amount ({_money(asked, charge.currency)}) is greater than {limit} "
            f"({_money(charge.captured_amount if is_above_charge else left, charge.currency)})",
            param="amount",
        )
    return asked


def _charge(tables: Tables, charge_id: str) -> Charge:
    charge = tables.find(Charge, charge_id)
    if charge is None:
        raise no_such("charge", charge_id, param="charge")
    return charge


def _money(amount: int, currency: str) -> str:
    symbol = _SYMBOLS.get(currency, "")
    unit = "" if symbol else f" {currency.upper()}"
    if _WITHOUT_DECIMALS.fullmatch(currency):
        return f"{symbol}{amount}{unit}"
    whole, rest = divmod(amount, 100)
    return f"{symbol}{whole}.{rest:02}{unit}"
