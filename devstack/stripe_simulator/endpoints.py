"""The part of Stripe's API that is simulated: which call does what."""

import re
from collections.abc import Callable

from devstack.stripe_simulator import params as read
from devstack.stripe_simulator import payment_steps
from devstack.stripe_simulator.balance import balance_json
from devstack.stripe_simulator.calls import Call, Json
from devstack.stripe_simulator.disputes import find_dispute
from devstack.stripe_simulator.errors import no_such, unknown_url
from devstack.stripe_simulator.events import find_event, list_events
from devstack.stripe_simulator.expansion import expand
from devstack.stripe_simulator.form import Form
from devstack.stripe_simulator.listing import read_page
from devstack.stripe_simulator.objects import (
    charge_json,
    dispute_json,
    early_fraud_warning_json,
    list_json,
    payment_intent_json,
    refund_json,
)
from devstack.stripe_simulator.payments import create_payment_intent
from devstack.stripe_simulator.records import Charge, Dispute, EarlyFraudWarning, PaymentIntent, Refund
from devstack.stripe_simulator.refunds import cancel_by_api, create_refund, find_refund, update_refund
from devstack.stripe_simulator.store import Tables

# Takes the tables, the parameters and the id in the path, which is empty where there is none.
Endpoint = Callable[[Tables, Form, str], Json]


def act(tables: Tables, call: Call) -> Json:
    """Carry out a call and show its result, with whatever it asks to have expanded."""
    for method, pattern, endpoint in _ENDPOINTS:
        match = re.fullmatch(pattern, call.path.rstrip("/"))
        if match is not None and method == call.method:
            object_id = match[1] if match.re.groups else ""
            return expand(tables, call.params, endpoint(tables, call.params, object_id))
    raise unknown_url(call.method, call.path)


def _create_payment_intent(tables: Tables, params: Form, _: str) -> Json:
    return payment_intent_json(create_payment_intent(tables, params))


def _get_payment_intent(tables: Tables, params: Form, payment_id: str) -> Json:
    read.refuse_unknown(params, ("client_secret", "expand"))
    return payment_intent_json(payment_steps.find_payment_intent(tables, payment_id))


def _confirm_payment_intent(tables: Tables, params: Form, payment_id: str) -> Json:
    return payment_intent_json(payment_steps.confirm(tables, payment_id, params))


def _capture_payment_intent(tables: Tables, params: Form, payment_id: str) -> Json:
    return payment_intent_json(payment_steps.capture(tables, payment_id, params))


def _cancel_payment_intent(tables: Tables, params: Form, payment_id: str) -> Json:
    return payment_intent_json(payment_steps.cancel(tables, payment_id, params))


def _list_payment_intents(tables: Tables, params: Form, _: str) -> Json:
    page = read_page(tables, PaymentIntent, params, filters=("customer", "customer_account"))
    shown = [payment_intent_json(payment) for payment in page.records]
    return list_json("/v1/payment_intents", shown, has_more=page.has_more)


def _list_charges(tables: Tables, params: Form, _: str) -> Json:
    page = read_page(tables, Charge, params, filters=("customer", "payment_intent", "transfer_group"))
    shown = [charge_json(tables, charge) for charge in page.records]
    return list_json("/v1/charges", shown, has_more=page.has_more)


def _get_charge(tables: Tables, params: Form, charge_id: str) -> Json:
    read.refuse_unknown(params, ("expand",))
    charge = tables.find(Charge, charge_id)
    if charge is None:
        raise no_such("charge", charge_id)
    return charge_json(tables, charge)


def _create_refund(tables: Tables, params: Form, _: str) -> Json:
    return refund_json(create_refund(tables, params))


def _get_refund(tables: Tables, params: Form, refund_id: str) -> Json:
    read.refuse_unknown(params, ("expand",))
    return refund_json(find_refund(tables, refund_id))


def _update_refund(tables: Tables, params: Form, refund_id: str) -> Json:
    return refund_json(update_refund(tables, refund_id, params))


def _cancel_refund(tables: Tables, params: Form, refund_id: str) -> Json:
    return refund_json(cancel_by_api(tables, refund_id, params))


def _list_refunds(tables: Tables, params: Form, _: str) -> Json:
    page = read_page(tables, Refund, params)
    return list_json("/v1/refunds", [refund_json(refund) for refund in page.records], has_more=page.has_more)


def _list_disputes(tables: Tables, params: Form, _: str) -> Json:
    page = read_page(tables, Dispute, params)
    shown = [dispute_json(dispute) for dispute in page.records]
    return list_json("/v1/disputes", shown, has_more=page.has_more)


def _get_dispute(tables: Tables, params: Form, dispute_id: str) -> Json:
    read.refuse_unknown(params, ("expand",))
    return dispute_json(find_dispute(tables, dispute_id))


def _get_warning(tables: Tables, params: Form, warning_id: str) -> Json:
    read.refuse_unknown(params, ("expand",))
    warning = tables.find(EarlyFraudWarning, warning_id)
    if warning is None:
        raise no_such("early_fraud_warning", warning_id)
    return early_fraud_warning_json(warning)


def _list_warnings(tables: Tables, params: Form, _: str) -> Json:
    page = read_page(tables, EarlyFraudWarning, params)
    shown = [early_fraud_warning_json(warning) for warning in page.records]
    return list_json("/v1/radar/early_fraud_warnings", shown, has_more=page.has_more)


def _get_event(tables: Tables, params: Form, event_id: str) -> Json:
    read.refuse_unknown(params, ("expand",))
    return find_event(tables, event_id)


def _list_events(tables: Tables, params: Form, _: str) -> Json:
    return list_events(tables, params)


def _get_balance(tables: Tables, params: Form, _: str) -> Json:
    read.refuse_unknown(params, ("expand",))
    return balance_json(tables)


_ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", r"/v1/payment_intents", _create_payment_intent),
    ("GET", r"/v1/payment_intents", _list_payment_intents),
    ("GET", r"/v1/payment_intents/([^/]+)", _get_payment_intent),
    ("POST", r"/v1/payment_intents/([^/]+)/confirm", _confirm_payment_intent),
    ("POST", r"/v1/payment_intents/([^/]+)/capture", _capture_payment_intent),
    ("POST", r"/v1/payment_intents/([^/]+)/cancel", _cancel_payment_intent),
    ("GET", r"/v1/charges", _list_charges),
    ("GET", r"/v1/charges/([^/]+)", _get_charge),
    ("POST", r"/v1/refunds", _create_refund),
    ("GET", r"/v1/refunds", _list_refunds),
    ("GET", r"/v1/refunds/([^/]+)", _get_refund),
    ("POST", r"/v1/refunds/([^/]+)", _update_refund),
    ("POST", r"/v1/refunds/([^/]+)/cancel", _cancel_refund),
    ("GET", r"/v1/disputes", _list_disputes),
    ("GET", r"/v1/disputes/([^/]+)", _get_dispute),
    ("GET", r"/v1/radar/early_fraud_warnings", _list_warnings),
    ("GET", r"/v1/radar/early_fraud_warnings/([^/]+)", _get_warning),
    ("GET", r"/v1/events", _list_events),
    ("GET", r"/v1/events/([^/]+)", _get_event),
    ("GET", r"/v1/balance", _get_balance),
)
