"""Payments, refunds and disputes in Stripe's shape, as its API version says."""

from collections.abc import Sequence

from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.cards import TEST_CARDS, Decline
from devstack.stripe_simulator.records import Charge, Dispute, EarlyFraudWarning, PaymentIntent, Refund
from devstack.stripe_simulator.store import Tables

_EVIDENCE_FIELDS = (
    "access_activity_log",
    "appeal",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)

NO_BILLING_DETAILS: Json = {
    "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}

# How long a customer has to say where a refund without a way back shall go.
CUSTOMER_ACTS_SECONDS_MAX = 45 * 24 * 3600

AUTHORIZED: Json = {
    "advice_code": None,
    "network_advice_code": None,
    "network_decline_code": None,
    "network_status": "approved_by_network",
    "reason": None,
    "risk_level": "normal",
    "seller_message": "Payment complete.",
    "type": "authorized",
}


def refunded_amount(tables: Tables, charge_id: str | None) -> int:
    """Add up the refunds of a charge that have not failed and were not canceled."""
    if charge_id is None:
        return 0
    return sum(refund.amount for refund in tables.select(Refund, charge=charge_id) if refund.is_live)


def payment_intent_json(payment: PaymentIntent) -> Json:
    """Show a payment intent."""
    return {
        "id": payment.id,
        "object": "payment_intent",
        "amount": payment.amount,
        "amount_capturable": payment.amount if payment.status == "requires_capture" else 0,
        "amount_details": {"tip": {}},
        "amount_received": payment.amount_received,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": payment.canceled_at,
        "cancellation_reason": payment.cancellation_reason,
        "capture_method": payment.capture_method,
        "client_secret": f"{payment.id}_secret_simulated",
        "confirmation_method": "automatic",
        "created": payment.created,
        "currency": payment.currency,
        "customer": None,
        "description": payment.description,
        "last_payment_error": payment.last_payment_error,
        "latest_charge": payment.latest_charge,
        "livemode": False,
        "metadata": payment.metadata,
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": payment.payment_method,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": payment.payment_method_types,
        "processing": None,
        "receipt_email": payment.receipt_email,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": payment.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def _method_details(charge: Charge) -> Json:
    card = TEST_CARDS[charge.test_card]
    if card.type != "card":
        return {card.type: card.details, "type": card.type}
    return {
        "card": {
            "amount_authorized": charge.amount,
            "brand": card.brand,
            "country": "US",
            "funding": "credit",
            "last4": card.last4,
            "network": card.brand,
        },
        "type": "card",
    }


def charge_json(tables: Tables, charge: Charge) -> Json:
    """Show a charge with what was refunded of it and whether it is disputed."""
    amount_refunded = charge.amount if charge.is_released else refunded_amount(tables, charge.id)
    decline = TEST_CARDS[charge.test_card].decline
    return {
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.captured_amount,
        "amount_refunded": amount_refunded,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": f"txn_{charge.id[3:]}" if charge.is_captured else None,
        "billing_details": NO_BILLING_DETAILS,
        "calculated_statement_descriptor": "SIMULATED",
        "captured": charge.is_captured,
        "created": charge.created,
        "currency": charge.currency,
        "customer": None,
        "description": charge.description,
        "disputed": bool(tables.select(Dispute, charge=charge.id)),
        "failure_balance_transaction": None,
        "failure_code": None if decline is None else decline.code,
        "failure_message": None if decline is None else decline.message,
        "fraud_details": {},
        "livemode": False,
        "metadata": charge.metadata,
        "on_behalf_of": None,
        "outcome": AUTHORIZED if decline is None else _declined_outcome(decline),
        "paid": charge.status != "failed",
        "payment_intent": charge.payment_intent,
        "payment_method": charge.payment_method,
        "payment_method_details": _method_details(charge),
        "receipt_email": charge.receipt_email,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": 0 < charge.amount <= amount_refunded,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": charge.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def _declined_outcome(decline: Decline) -> Json:
    return {
        **AUTHORIZED,
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "seller_message": "The bank returned the decline code `" + decline.decline_code + "`.",
        "type": "issuer_declined",
    }


def refund_json(refund: Refund) -> Json:
    """Show a refund; `pending_reason` and the failure fields are absent unless they apply."""
    shown: Json = {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": refund.balance_transaction,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "destination_details": _destination(refund),
        "metadata": refund.metadata,
        "payment_intent": refund.payment_intent,
        "reason": refund.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": refund.status,
        "transfer_reversal": None,
    }
    if refund.status == "requires_action":
        shown["next_action"] = _next_action(refund)
    for name in ("pending_reason", "failure_reason", "failure_balance_transaction", "instructions_email"):
        if (value := getattr(refund, name)) is not None:
            shown[name] = value
    return shown


def dispute_json(dispute: Dispute) -> Json:
    """Show a dispute; an inquiry leaves the charge refundable, and a chargeback until it is won does not."""
    return {
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": dispute.balance_transactions,
        "charge": dispute.charge,
        "created": dispute.created,
        "currency": dispute.currency,
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE_FIELDS), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": dispute.created + 7 * 24 * 3600,
            "enhanced_eligibility": {},
            "has_evidence": dispute.submission_count > 0,
            "past_due": False,
            "submission_count": dispute.submission_count,
        },
        "is_charge_refundable": not dispute.blocks_refunds,
        "livemode": False,
        "metadata": {},
        "payment_intent": dispute.payment_intent,
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if dispute.is_inquiry else "chargeback",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": dispute.reason,
        "status": dispute.status,
    }


def early_fraud_warning_json(warning: EarlyFraudWarning) -> Json:
    """Show an early fraud warning."""
    return {
        "id": warning.id,
        "object": "radar.early_fraud_warning",
        "actionable": warning.actionable,
        "charge": warning.charge,
        "created": warning.created,
        "fraud_type": warning.fraud_type,
        "livemode": False,
        "payment_intent": warning.payment_intent,
    }


def list_json(url: str, data: Sequence[Json], *, has_more: bool) -> Json:
    """Show one page of a list."""
    return {"object": "list", "data": list(data), "has_more": has_more, "url": url}


def _destination(refund: Refund) -> Json:
    if refund.destination != "card":
        reference = {"reference": refund.reference, "reference_status": refund.reference_status}
        return {refund.destination: reference, "type": refund.destination}
    if refund.status in ("pending", "requires_action"):
        return {"card": {"type": "pending"}, "type": "card"}
    if refund.is_reversal:
        # The charge drops off the statement: there is no second booking that a reference could name.
        return {"card": {"type": "reversal"}, "type": "card"}
    card: Json = {
        "reference_status": refund.reference_status,
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    if refund.reference is not None:
        card["reference"] = refund.reference
    return {"card": card, "type": "card"}


def _next_action(refund: Refund) -> Json:
    sent_to = refund.instructions_email or "customer@example.com"
    return {
        "display_details": {
            "email_sent": {"email_sent_at": refund.created, "email_sent_to": sent_to},
            "expires_at": refund.created + CUSTOMER_ACTS_SECONDS_MAX,
        },
        "type": "display_details",
    }
