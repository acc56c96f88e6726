"""Nobody can say where money goes: no way into the service has a place for an address, whatever it is called."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from fastapi.routing import APIRoute

from api import billing, books, checks, findings, operating, operators, rails, refunds
from cli.main import app as commands
from domain.book_runs import ReconcileRequest
from domain.checks import CheckRequest
from domain.refunds import RefundRequest
from tests.api.front import CALLERS, CRYPTO, DEPOSIT, REQUEST, Front, problem

ELSEWHERE = "0x" + 40 * "6"
NAMES = (
    "to",
    "address",
    "destination",
    "recipient",
    "receiver",
    "wallet",
    "sender",
    "beneficiary",
    "pay_to",
    "payout",
)
# What a name would hold that says where money goes. `ticket.url` and `email` say where words go.
SUSPECT = re.compile(
    r"address|dest|recipient|receiver|wallet|sender|beneficiary|payee|account_number|iban|(^|_)to($|_)"
)

MODULES = (billing, books, checks, findings, operating, operators, rails, refunds)
ROUTES = [
    (method, route)
    for module in MODULES
    for route in module.routes.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods & {"POST", "PUT"})
    if route.body_field is not None
]


@pytest.fixture
def document(front: Front) -> dict[str, Any]:
    answer: dict[str, Any] = front.client.get("/openapi.json").json()
    return answer


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def objects(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Find every object that a body may hold, at any depth."""
    schema = resolved(document, schema)
    if "properties" in schema:
        yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", []), *schema.get("oneOf", [])]
    for it in [*inner, *([schema["items"]] if "items" in schema else [])]:
        yield from objects(document, it)


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for method, route in ROUTES:
        body = document["paths"][route.path_format][method.lower()]["requestBody"]["content"]["application/json"]
        yield f"{method} {route.path_format}", body["schema"]


def test_no_body_has_a_field_for_an_address_and_none_takes_a_field_that_it_does_not_name(
    document: dict[str, Any],
) -> None:
    seen = 0
    for name, schema in bodies(document):
        for it in objects(document, schema):
            assert [field for field in it["properties"] if SUSPECT.search(field)] == [], name
            assert it.get("additionalProperties") is False, (name, it.get("title"))
            seen += 1
    assert seen > len(ROUTES) > 10


def test_no_path_or_query_has_a_parameter_for_an_address(document: dict[str, Any]) -> None:
    parameters = [
        parameter["name"]
        for item in document["paths"].values()
        for operation in item.values()
        for parameter in operation.get("parameters", [])
    ]

    assert [it for it in parameters if SUSPECT.search(it.lower())] == []
    assert len(parameters) > 10


def example(front: Front, method: str, route: APIRoute) -> dict[str, Any]:
    body = front.app.openapi()["paths"][route.path_format][method.lower()]["requestBody"]["content"]
    value: dict[str, Any] = next(iter(body["application/json"]["examples"].values()))["value"]
    return value


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=lambda it: getattr(it, "path_format", it))
def test_a_body_with_an_address_in_it_is_refused_and_changes_nothing(
    front: Front, method: str, route: APIRoute
) -> None:
    good = example(front, method, route)
    path = re.sub(r"{finding_id[^}]*}", "1", route.path_format)
    path = re.sub(r"{rail[^}]*}", "crypto", path)
    path = re.sub(r"{[^}]*}", "rf_" + 24 * "0", path)
    head = front.call("vera", "GET", "/v1/audit/head").json()
    told = []
    for name in NAMES:
        for caller in CALLERS:
            answer = front.call(caller, method, path, good | {name: ELSEWHERE})
            assert answer.status_code >= 400, (caller, name, answer.text)
            told.append(answer.json())

    assert {"extra_forbidden"} <= {it.get("rule") for it in told}
    assert front.call("vera", "GET", "/v1/audit/head").json() == head


@pytest.mark.parametrize("name", NAMES)
def test_a_deposit_cannot_tell_who_paid_it(front: Front, name: str) -> None:
    """Who paid is read from the chain; billing names the chain transaction and no more."""
    front.scene.funded()
    for field, body in [
        (name, DEPOSIT | {"payment": CRYPTO, name: ELSEWHERE}),
        (f"payment.crypto.{name}", DEPOSIT | {"payment": CRYPTO | {name: ELSEWHERE}}),
    ]:
        answer = front.call("shop", "PUT", "/v1/deposits/dep_new", body)

        told = problem(answer, 422, "invalid-request", rule="extra_forbidden")
        assert told["field"].rpartition(".")[2] == field.rpartition(".")[2]


def test_no_command_has_a_place_for_an_address_and_none_takes_what_it_does_not_name() -> None:
    seen = 0
    for path, command in walked(typer.main.get_command(commands)):
        names = [str(it.name) for it in command.params]
        assert [it for it in names if SUSPECT.search(it)] == [], path
        assert not command.ignore_unknown_options, path
        assert command.allow_extra_args == hasattr(command, "commands"), path
        seen += len(names)
    assert seen > 50


def walked(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walked(inner, f"{path} {name}")


@pytest.mark.parametrize("model", [RefundRequest, CheckRequest, ReconcileRequest], ids=lambda it: it.__name__)
def test_what_starts_a_run_has_no_field_for_an_address(model: Any) -> None:
    """What a run is started with that it does not know is dropped, so that it reaches nothing."""
    document = model.model_json_schema()
    schemas = [document, *document.get("$defs", {}).values()]

    assert [field for it in schemas for field in it.get("properties", {}) if SUSPECT.search(field)] == []


def test_an_address_in_the_start_of_a_run_is_dropped() -> None:
    request = RefundRequest.parse(REQUEST | dict.fromkeys(NAMES, ELSEWHERE))

    assert ELSEWHERE not in request.model_dump_json()
