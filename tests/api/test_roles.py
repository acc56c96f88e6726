"""Every route, every role: who may call what, and that no route was forgotten."""

import pytest
from fastapi.routing import APIRoute

from api import billing, books, health, operating, refunds
from api.guard import GuardedRoute
from tests.api.front import CALLERS, Front, problem

BILLING, DESK = {"shop"}, {"desk"}
DECIDERS = {"ann", "bob", "cleo", "ada"}
OPERATORS = DECIDERS | {"vera"}

# Path with ids that exist nowhere: who may call gets past the guard and is told 404, 415 or an answer.
MATRIX = {
    ("PUT", "/v1/accounts/{account_id}"): BILLING,
    ("PUT", "/v1/deposits/{deposit_id}"): BILLING,
    ("PUT", "/v1/orders/{order_id}"): BILLING,
    ("GET", "/v1/accounts/{account_id}/balance"): BILLING | OPERATORS,
    ("POST", "/v1/refunds"): DESK,
    ("GET", "/v1/refunds"): DESK | OPERATORS,
    ("GET", "/v1/refunds/{refund_id}"): DESK | OPERATORS,
    ("POST", "/v1/refunds/{refund_id}/withdraw"): DESK,
    ("POST", "/v1/refunds/{refund_id}/ownership"): DECIDERS,
    ("POST", "/v1/refunds/{refund_id}/decisions"): DECIDERS,
    ("POST", "/v1/refunds/{refund_id}/resolution"): DECIDERS,
    ("GET", "/v1/findings"): OPERATORS,
    ("GET", "/v1/audit/head"): OPERATORS,
    ("GET", "/v1/audit/verification"): OPERATORS,
    ("POST", "/v1/reconciliations"): OPERATORS,
    ("GET", "/v1/reconciliations"): OPERATORS,
    ("GET", "/v1/reconciliations/{reconciliation_id}"): OPERATORS,
}
PUBLIC = {("GET", "/livez"), ("GET", "/readyz"), ("GET", "/metrics")}


def test_matrix_names_every_route_of_the_application(front: Front) -> None:
    document = front.client.get("/openapi.json").json()
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert documented == set(MATRIX) | PUBLIC


def test_no_route_hides_from_the_document_or_from_the_guard() -> None:
    guarded = [route for module in (billing, refunds, operating, books) for route in module.routes.routes]

    assert all(isinstance(route, GuardedRoute) and route.include_in_schema for route in guarded)
    assert len(guarded) == len(MATRIX)
    assert {route.path for route in health.routes.routes if isinstance(route, APIRoute)} == {"/livez", "/readyz"}


def test_route_that_does_not_say_who_may_call_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="who may call"):
        GuardedRoute("/v1/new", lambda: None)


def test_document_names_the_roles_of_every_route(front: Front) -> None:
    paths = front.client.get("/openapi.json").json()["paths"]

    for (method, path), callers in MATRIX.items():
        assert set(paths[path][method.lower()]["x-roles"]) == {CALLERS[caller].value for caller in callers}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "path"), MATRIX, ids=[f"{method} {path}" for method, path in MATRIX])
def test_only_the_named_roles_get_past_the_guard(front: Front, method: str, path: str, caller: str) -> None:
    answer = front.call(caller, method, path.replace("{", "no-").replace("}", ""))

    if caller in MATRIX[method, path]:
        assert answer.status_code in (200, 404, 415)
    else:
        problem(answer, 403, "not-allowed", rule="role")
    assert front.refunds() == []
    assert front.runs.calls == 0


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic cmZkOmE=", "Bearer rfd_ann_token x", "Bearer \xff"],
    ids=["none", "empty", "no token", "blank token", "unknown", "basic", "two tokens", "not ascii"],
)
@pytest.mark.parametrize(("method", "path"), MATRIX, ids=[f"{method} {path}" for method, path in MATRIX])
def test_nobody_gets_past_the_guard_without_a_known_token(
    front: Front, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {b"Authorization": authorization.encode("latin-1")}

    answer = front.client.request(method, path.replace("{", "no-").replace("}", ""), headers=headers)

    problem(answer, 401, "not-authenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_dismissed_operator_is_nobody(front: Front) -> None:
    front.scene.dismiss("ann")

    problem(front.call("ann", "GET", "/v1/findings"), 401, "not-authenticated")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json"])
def test_public_routes_need_no_token(front: Front, path: str) -> None:
    assert front.client.get(path).status_code == 200
