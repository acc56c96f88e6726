"""Every route, every role: who may call what, and that no route was forgotten."""

import pytest
from fastapi.routing import APIRoute

from api import billing, books, checks, findings, health, operating, operators, rails, refunds
from api.guard import GuardedRoute
from domain.people import Role
from tests.api.front import CALLERS, REQUEST, Front, problem, token_of

BILLING, DESK = {"shop"}, {"desk"}
DECIDERS = {"ann", "bob", "cleo", "ada"}
OPERATORS = DECIDERS | {"vera"}
ADMINS = {"ada"}

# Path with ids that exist nowhere: who may call gets past the guard and is told 404, 415 or an answer.
MATRIX = {
    ("PUT", "/v1/accounts/{account_id}"): BILLING,
    ("PUT", "/v1/deposits/{deposit_id}"): BILLING,
    ("PUT", "/v1/orders/{order_id}"): BILLING,
    ("GET", "/v1/accounts/{account_id}/balance"): BILLING | OPERATORS,
    ("POST", "/v1/refunds"): DESK,
    ("POST", "/v1/checks"): DESK | OPERATORS,
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
    ("POST", "/v1/findings/{finding_id}/close"): DECIDERS,
    ("GET", "/v1/rails"): OPERATORS,
    ("POST", "/v1/rails/{rail}/stop"): OPERATORS,
    ("POST", "/v1/rails/{rail}/start"): DECIDERS,
    ("GET", "/v1/operators"): OPERATORS,
    ("POST", "/v1/operators/{name}/deactivate"): ADMINS,
    ("POST", "/v1/operators/{name}/activate"): ADMINS,
}
# Providers sign what they send, and have no token.
SIGNED = {("POST", "/v1/hooks/stripe")}
PUBLIC = {("GET", "/livez"), ("GET", "/readyz"), ("GET", "/metrics")}
MODULES = (billing, refunds, checks, operating, findings, rails, operators, books)


def test_matrix_names_every_route_of_the_application(front: Front) -> None:
    document = front.client.get("/openapi.json").json()
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert documented == set(MATRIX) | SIGNED | PUBLIC


def test_no_route_hides_from_the_document_or_from_the_guard() -> None:
    guarded = [route for module in MODULES for route in module.routes.routes]

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


ROUTES = pytest.mark.parametrize(("method", "path"), MATRIX, ids=[f"{method} {path}" for method, path in MATRIX])


@ROUTES
def test_only_the_named_roles_get_past_the_guard(front: Front, method: str, path: str) -> None:
    for caller in CALLERS:
        answer = front.call(caller, method, path.replace("{", "no-").replace("}", ""))

        if caller in MATRIX[method, path]:
            assert answer.status_code in (200, 404, 415), caller
        else:
            problem(answer, 403, "not-allowed", rule="role")
    assert front.refunds() == []
    assert front.runs.calls == 0


STRANGERS = {
    "none": None,
    "empty": "",
    "no token": "Bearer",
    "blank token": "Bearer ",
    "unknown": "Bearer wrong",
    "basic": "Basic cmZkOmE=",
    "two tokens": "Bearer rfd_ann_token x",
    "not ascii": "Bearer \xff",
}


@ROUTES
def test_nobody_gets_past_the_guard_without_a_known_token(front: Front, method: str, path: str) -> None:
    for name, authorization in STRANGERS.items():
        headers = {} if authorization is None else {b"Authorization": authorization.encode("latin-1")}

        answer = front.client.request(method, path.replace("{", "no-").replace("}", ""), headers=headers)

        problem(answer, 401, "not-authenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer"), name


@ROUTES
def test_whoever_was_deactivated_is_nobody_whatever_their_role(front: Front, method: str, path: str) -> None:
    for caller in CALLERS:
        front.scene.dismiss(caller)

    for caller in CALLERS:
        answer = front.call(caller, method, path.replace("{", "no-").replace("}", ""))
        problem(answer, 401, "not-authenticated")


def test_help_desks_see_and_withdraw_each_other_s_refunds(front: Front) -> None:
    """One company's help desks share their refunds: a choice, written down in docs/decisions."""
    front.scene.clients.add("desk_2", Role.HELPDESK, actor="setup", token=token_of("desk_2"))
    front.scene.funded()
    refund = front.start()["id"]

    assert front.call("desk_2", "GET", f"/v1/refunds/{refund}").json()["id"] == refund
    assert [it["id"] for it in front.call("desk_2", "GET", "/v1/refunds").json()["items"]] == [refund]
    again = front.call("desk_2", "POST", "/v1/refunds", REQUEST)
    assert again.json()["id"] == refund
    assert front.call("desk_2", "POST", f"/v1/refunds/{refund}/withdraw", {"reason": "x"}).status_code == 202
    (recorded,) = [
        it
        for it in front.call("vera", "GET", f"/v1/refunds/{refund}").json()["timeline"]
        if it["event"] == "withdrawal.recorded"
    ]
    assert recorded["actor"] == "desk_2"


@pytest.mark.parametrize("caller", [None, *CALLERS], ids=str)
def test_a_provider_s_hook_takes_nobody_s_token_for_a_signature(front: Front, caller: str | None) -> None:
    for _, path in SIGNED:
        problem(front.call(caller, "POST", path, {"id": "evt_1"}), 400, "malformed-request")
    assert front.runs.calls == 0


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json"])
def test_public_routes_need_no_token(front: Front, path: str) -> None:
    assert front.client.get(path).status_code == 200
