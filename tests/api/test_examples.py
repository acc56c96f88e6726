"""Every call of the OpenAPI document shows examples, and each is what the code takes and answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator

from api import billing, checks, findings, health, hooks, operating, operators, rails, refunds
from api.problems import Problem, ProblemType
from domain.refunds import workflow_id
from gateways.stripe.webhooks import read_event
from tests.api.front import Front

MODULES = (billing, checks, findings, health, hooks, operating, operators, rails, refunds)
ROUTES = [route for module in MODULES for route in module.routes.routes if isinstance(route, APIRoute)]


@pytest.fixture
def document(front: Front) -> dict[str, Any]:
    answer: dict[str, Any] = front.client.get("/openapi.json").json()
    return answer


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body and answer of an operation, by its media."""
    for owner in (operation.get("requestBody", {}), *operation["responses"].values()):
        for media in (it for it in owner.get("content", {}).values() if "$ref" in it.get("schema", {})):
            yield str(media["schema"]["$ref"]), media


def test_every_body_and_answer_has_examples_that_fit_their_schema(document: dict[str, Any]) -> None:
    seen = 0
    for name, operation in operations(document):
        for reference, media in contents(operation):
            schema = {"$ref": reference, "components": document["components"]}
            assert media["examples"], (name, reference)
            for example in media["examples"].values():
                wrong = [error.message for error in Draft202012Validator(schema).iter_errors(example["value"])]
                assert wrong == [], (name, reference)
                seen += 1
    assert seen > 100


def test_every_example_of_a_body_is_one_that_the_code_takes(document: dict[str, Any]) -> None:
    taken = 0
    for route in ROUTES:
        if route.body_field is None:
            continue
        (method,) = route.methods
        body = document["paths"][route.path_format][method.lower()]["requestBody"]["content"]["application/json"]
        for example in body["examples"].values():
            route.body_field.field_info.annotation.model_validate(example["value"])  # type: ignore[union-attr]
            taken += 1
    changing = [route for route in ROUTES if route.methods & {"POST", "PUT"}]
    assert taken == len(changing) - len(hooks.routes.routes), "what a provider sends is read as bytes"


def test_the_example_of_an_event_is_one_that_the_code_takes(
    document: dict[str, Any],
) -> None:
    media = document["paths"]["/v1/hooks/stripe"]["post"]["requestBody"]["content"]["application/json"]
    (example,) = media["examples"].values()

    event = read_event(example["value"])

    assert event is not None
    assert event.workflow_id == workflow_id(event.refund_id or "")
    assert list(Draft202012Validator(media["schema"]).iter_errors(example["value"])) == []


def test_every_example_of_an_answer_is_one_that_the_code_writes(document: dict[str, Any]) -> None:
    for route in ROUTES:
        (method,) = route.methods
        answers = document["paths"][route.path_format][method.lower()]["responses"]
        (success,) = [it for status, it in answers.items() if status.startswith("2")]
        for example in success["content"]["application/json"]["examples"].values():
            answer = route.response_model.model_validate(example["value"])
            assert answer.model_dump(mode="json") == example["value"], route.path


def test_examples_of_problems_show_every_type_of_every_status(document: dict[str, Any]) -> None:
    shown: set[ProblemType] = set()
    for _, operation in operations(document):
        for status, answer in operation["responses"].items():
            for example in answer["content"].get("application/problem+json", {}).get("examples", {}).values():
                problem = Problem.model_validate(example["value"])
                assert problem.status == int(status)
                shown.add(problem.type)

    assert shown == set(ProblemType) - {ProblemType.METHOD_NOT_ALLOWED}


def test_every_changing_call_takes_a_key_and_says_what_else_it_may_answer(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if name == "GET /metrics":  # text for a machine of one kind, described by its own format
            continue
        takes_key = name.startswith(("POST", "PUT")) and "/v1/hooks/" not in name
        keys = [it for it in operation.get("parameters", []) if it["name"] == "Idempotency-Key"]
        assert len(keys) == (1 if takes_key else 0), name
        assert {"400", "500"} <= set(operation["responses"]), name
        if keys:
            assert {"409", "413", "415", "422"} <= set(operation["responses"]), name
