"""The `expand` parameter: ids in an answer replaced by the objects they name."""

from devstack.stripe_simulator import params as read
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.errors import ApiError
from devstack.stripe_simulator.form import Form
from devstack.stripe_simulator.objects import charge_json, list_json, payment_intent_json, refund_json
from devstack.stripe_simulator.records import Charge, PaymentIntent, Refund
from devstack.stripe_simulator.store import Tables

# A charge shows at most this many of its refunds when they are expanded.
EXPANDED_REFUNDS_MAX = 10
LEVELS_MAX = 4
_EXPANDABLE = {
    "payment_intent": ("latest_charge",),
    "charge": ("payment_intent", "refunds"),
    "refund": ("charge", "payment_intent"),
    "dispute": ("charge", "payment_intent"),
    "radar.early_fraud_warning": ("charge", "payment_intent"),
}


def expand(tables: Tables, params: Form, shown: Json) -> Json:
    """Replace ids in `shown` by their objects, as far as the call asks for it."""
    for path in read.words(params, "expand"):
        if path.count(".") >= LEVELS_MAX:
            raise ApiError(f"You cannot expand more than {LEVELS_MAX} levels of a property ({path}).", param="expand")
        _expand_path(tables, shown, path.split("."), whole=path)
    return shown


def _expand_path(tables: Tables, node: Json, path: list[str], *, whole: str) -> None:
    if not path:
        return
    name, rest = path[0], path[1:]
    if node["object"] == "list" and name == "data" and rest:
        for item in node["data"]:
            _expand_path(tables, item, rest, whole=whole)
        return
    if name not in _EXPANDABLE.get(node["object"], ()):
        raise ApiError(f"This property cannot be expanded ({whole}).", param="expand")
    if name == "refunds":
        node[name] = node.get(name) or _refunds_of(tables, node["id"])
    elif isinstance(node[name], str):
        node[name] = _look_up(tables, node[name])
    if isinstance(node[name], dict):
        _expand_path(tables, node[name], rest, whole=whole)


def _look_up(tables: Tables, object_id: str) -> Json:
    charge = tables.find(Charge, object_id)
    if charge is not None:
        return charge_json(tables, charge)
    payment = tables.find(PaymentIntent, object_id)
    if payment is not None:
        return payment_intent_json(payment)
    raise LookupError(f"{object_id} is named by an object but does not exist")


def _refunds_of(tables: Tables, charge_id: str) -> Json:
    newest_first = tables.select(Refund, charge=charge_id)[::-1]
    return list_json(
        f"/v1/charges/{charge_id}/refunds",
        [refund_json(refund) for refund in newest_first[:EXPANDED_REFUNDS_MAX]],
        has_more=len(newest_first) > EXPANDED_REFUNDS_MAX,
    )
