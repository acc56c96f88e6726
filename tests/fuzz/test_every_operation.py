"""Calls made up from the OpenAPI document, good and bad: each gets an answer that the document describes."""

import os
from collections import Counter
from random import Random
from typing import Any

import pytest
import requests
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import billing, books, checks, findings, health, operating, operators, rails, refunds
from devstack.demo.town import Town
from devstack.stack import Stack
from tests.fuzz.known import AWAITING_OWNERSHIP, CASES, NEEDS_ATTENTION, PAID_MINOR, Known, fresh

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
SECONDS_MAX = 120 + EXAMPLES
TRIES = 5  # of a call that is answered with 503 and when to come again

pytestmark = [pytest.mark.stack, pytest.mark.timeout(SECONDS_MAX)]

# Reading and deciding come before `withdraw`, which leaves nothing to decide.
MODULES = (health, billing, books, checks, findings, operating, rails, operators, refunds)
OPERATIONS = [
    (method, route.path_format)
    for module in MODULES
    for route in module.routes.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
] + [("GET", "/metrics")]
TOKENS = {
    "billing": "billing",
    "helpdesk": "helpdesk",
    "viewer": "viewer",
    "approver": "approver_1",
    "admin": "admin",
}
# Only who holds the signing secret gets past its first check; what it refuses is tested beside the API.
SIGNED = {("POST", "/v1/hooks/stripe")}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
CASE_OF = {
    "/v1/refunds/{refund_id}/ownership": AWAITING_OWNERSHIP,
    "/v1/refunds/{refund_id}/resolution": NEEDS_ATTENTION,
}
OF_DATA = (400, 413, 415, 422)

each = pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(it) for it in OPERATIONS])
both = pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda it: it.value)
answers: Counter[tuple[str, str, int]] = Counter()


class Callers:
    """Sends a made-up call as somebody who may, and as all who may not."""

    def __init__(self, stack: Stack, operation: Any) -> None:
        tokens = stack.info["tokens"]
        self.allowed = operation.definition.raw.get("x-roles")
        self._operation = operation
        self._tokens = {role: tokens[name] for role, name in TOKENS.items()}
        self._session = requests.Session()

    def send(self, case: Case, luck: Random) -> requests.Response:
        """Send as one of those who may; 503 is no answer yet, where it says when to come again."""
        role = luck.choice(self.allowed) if self.allowed else None
        for _ in range(TRIES):
            answer = case.call(session=self._session, headers=self._as(role))
            if answer.status_code != 503 or "retry-after" not in answer.headers:
                break
        return answer

    def be_refused(self, case: Case, luck: Random) -> None:
        """Send as one who may not, and see that it is said so; a path that cannot be read is refused before."""
        if self.allowed is None:
            return
        role = luck.choice([None, "stranger", *sorted(set(TOKENS) - set(self.allowed))])
        answer = case.call(session=self._session, headers=self._as(role))
        assert answer.status_code in (400, 401 if role in (None, "stranger") else 403), (role, answer.status_code)

    def _as(self, role: str | None) -> dict[str, str]:
        return {} if role is None else {"Authorization": f"Bearer {self._tokens.get(role, 'rfd_stranger')}"}


def test_every_operation_of_the_document_is_called(document: BaseSchema) -> None:
    documented = {(it.ok().method.upper(), it.ok().path) for it in document.get_all_operations()}

    assert documented == set(OPERATIONS) | SIGNED


@both
@each
def test_made_up_call_is_answered_as_the_document_says(
    stack: Stack, document: BaseSchema, known: Known, method: str, path: str, mode: GenerationMode
) -> None:
    operation = document[path][method]
    callers = Callers(stack, operation)

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        # Shrinking would call again and again a service that has changed meanwhile.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), number=st.integers(0, 2**32))
    def call(case: Case, number: int) -> None:
        luck = Random(number)  # noqa: S311 - a repeatable choice, no secret
        speak_of_known_things(case, known, luck)
        callers.be_refused(case, luck)
        answer = callers.send(case, luck)
        answers[operation.label, mode.value, answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code in OF_DATA:
            problem = answer.json()
            assert problem.get("field"), problem
            assert problem.get("rule"), problem

    try:
        call()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "good calls can always be made"
        pytest.skip("takes nothing that could be wrong")


def speak_of_known_things(case: Case, known: Known, luck: Random) -> None:
    """Keep what is meant to be wrong; the rest speaks of one case that exists, wholly or here and there."""
    wrong = {it for it, component in case.meta.components.items() if component.mode.is_negative}
    number = CASE_OF.get(case.operation.path, luck.randrange(CASES))
    share = luck.choice([1.0, 1.0, 0.5])
    if ParameterLocation.PATH not in wrong:
        known.fill_in(case.path_parameters, luck, number, share)
        if case.method == "PUT" and luck.random() < 0.5:
            case.path_parameters = dict.fromkeys(case.path_parameters, fresh())
    if not wrong:
        known.fill_in(case.body, luck, number, share)
        if share == 1.0 and isinstance(case.body, dict) and "deposit_id" in case.body:
            case.body["rail"] = "card"  # the rail of every deposit here; a payment's own rail says what it is
        known.fill_in(case.query, luck, number, share)


def test_every_operation_took_some_of_the_good_calls() -> None:
    """Otherwise the calls never got past the first check, and the tests above proved little."""
    called = {label for label, mode, _ in answers if mode == "positive"}
    taken = {label for label, mode, status in answers if mode == "positive" and 200 <= status < 300}

    assert called - taken == set(), sorted(answers.items())


def test_audit_trail_is_whole_after_it(town: Town) -> None:
    assert town.must("viewer", "GET", "/v1/audit/verification")["is_whole"]


def test_money_moved_only_where_people_approved_it_and_once(town: Town, known: Known) -> None:
    for payment in known.values["payment_proof"]:
        moved = [it["amount"] for it in town.refunds_at_stripe(payment) if it["status"] == "succeeded"]
        assert moved in ([], [PAID_MINOR])
    for refund in known.values["refund_id"]:
        seen = town.refund(refund)
        approvers = {it["operator"] for it in seen["decisions"] if it["action"] == "approve"}
        assert not seen["payouts"] or len(approvers) >= seen["approvals_needed"], seen
    assert town.payouts_sent() == 0


def test_books_balance_after_it(town: Town, known: Known) -> None:
    for account in known.values["account_id"]:
        for balance in town.must("billing", "GET", f"/v1/accounts/{account}/balance")["balances"]:
            parts = [value for name, value in balance.items() if name not in ("currency", "deposited_minor")]
            assert balance["deposited_minor"] == sum(parts)
            assert all(part >= 0 for part in parts)
