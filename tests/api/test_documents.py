"""The OpenAPI document names what others write programs against."""

from typing import Any

import pytest

from api.problems import ProblemType
from domain.decisions import Action, ResolutionAction
from domain.differences import DifferenceKind
from domain.eligibility import AccountStatus
from domain.findings import FindingKind, Remedy
from domain.payouts import PayoutStatus
from domain.people import Role
from domain.rails import RailWait
from domain.refunds import Channel, OwnershipLevel, Rail, RefundStatus, StatusReason, WaitingFor
from domain.verdicts import Outcome, Rule
from ledger.audit_chain import BreakKind
from tests.api.front import Front

CLOSED_LISTS = [
    ProblemType,
    RefundStatus,
    StatusReason,
    WaitingFor,
    PayoutStatus,
    Rule,
    Outcome,
    Rail,
    Channel,
    OwnershipLevel,
    Action,
    ResolutionAction,
    BreakKind,
    DifferenceKind,
    FindingKind,
    Remedy,
    RailWait,
    Role,
    AccountStatus,
]


@pytest.fixture
def document(front: Front) -> dict[str, Any]:
    answer: dict[str, Any] = front.client.get("/openapi.json").json()
    return answer


@pytest.mark.parametrize("closed", CLOSED_LISTS, ids=lambda it: it.__name__)
def test_document_names_every_member_of_a_closed_list(document: dict[str, Any], closed: Any) -> None:
    assert document["components"]["schemas"][closed.__name__]["enum"] == [member.value for member in closed]


def test_every_call_documents_its_problems_as_problems(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            errors = {code: it for code, it in operation["responses"].items() if int(code) >= 400}
            assert all(set(it["content"]) == {"application/problem+json"} for it in errors.values()), path
            if path.startswith("/v1/hooks/"):
                assert {"400", "413", "500", "503"} == set(errors), path
                assert operation["security"] == [], path
            elif path.startswith("/v1/"):
                assert {"401", "403", "500", "503"} <= set(errors), path
                assert operation["security"], path


def test_document_holds_nothing_of_the_framework_s_own_errors(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_bodies_forbid_unknown_fields(document: dict[str, Any]) -> None:
    bodies = {name: it for name, it in document["components"]["schemas"].items() if name.endswith("Body")}

    assert len(bodies) >= 9
    assert all(schema["additionalProperties"] is False for schema in bodies.values())


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(document["components"]["schemas"])

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            here = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return here + [found for child in value.values() for found in references(child)]
        return [found for child in value for found in references(child)] if isinstance(value, list) else []

    assert {reference.rpartition("/")[2] for reference in references(document)} <= names
