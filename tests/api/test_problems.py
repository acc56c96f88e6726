"""Problems: a closed list, one table, and nothing of ours or theirs in an answer."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.problems import TABLE, ProblemType
from domain import errors
from domain.errors import NeedsOperator, Refused, TryAgain
from ledger.clients import Caller
from tests.api.front import Front, problem


def test_every_type_has_its_status_and_title() -> None:
    assert set(TABLE) == set(ProblemType)
    assert all(400 <= status < 600 and title for status, title in TABLE.values())


def test_every_refusal_of_the_domain_has_its_type() -> None:
    refusals = [
        it for it in vars(errors).values() if isinstance(it, type) and issubclass(it, Refused) and it is not Refused
    ]

    assert len(refusals) >= 10
    for refusal in refusals:
        status, _ = TABLE[ProblemType(f"/problems/{refusal.type}")]
        assert 400 <= status < 500


def test_unknown_path_is_not_found(front: Front) -> None:
    problem(front.call("desk", "GET", "/v1/nothing"), 404, "not-found")
    problem(front.call("desk", "GET", "/v1/refunds/"), 404, "not-found")
    problem(front.client.get("/docs"), 404, "not-found")


def test_other_method_is_answered_with_those_that_exist(front: Front) -> None:
    answer = front.call("desk", "DELETE", "/v1/findings")

    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


def test_unknown_refund_is_not_found_without_repeating_its_id(front: Front) -> None:
    answer = front.call("desk", "GET", "/v1/refunds/rf_secretwords")

    problem(answer, 404, "not-found", "refund", "exists")
    assert "secretwords" not in answer.text


class FailingClients:
    """Clients whose lookup fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def by_token(self, token: str) -> Caller | None:
        raise self._error


def break_clients(front: Front, error: Exception) -> None:
    broken: Any = FailingClients(error)
    front.app.state.services = replace(front.services, clients=broken)


def test_database_that_is_away_asks_to_try_again(front: Front) -> None:
    break_clients(front, TryAgain("host db-17 said no", after_seconds=2.5))

    answer = front.call("desk", "GET", "/v1/refunds")

    problem(answer, 503, "try-again")
    assert answer.headers["retry-after"] == "3"
    assert "db-17" not in answer.text


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret words"),
        NeedsOperator("facts_unavailable", "secret words"),
        AssertionError("secret words"),
    ],
    ids=["any", "one for operators", "a broken invariant"],
)
def test_unexpected_error_is_500_without_internals_and_logged_without_words(front: Front, error: Exception) -> None:
    break_clients(front, error)

    with capture_logs() as logs:
        answer = front.call("desk", "GET", "/v1/refunds", headers={"X-Request-ID": "call-7"})

    body = problem(answer, 500, "internal")
    assert body["request_id"] == "call-7"
    assert set(body) == {"type", "title", "status", "detail", "request_id"}
    (failure,) = [line for line in logs if line["event"] == "request.failed"]
    assert failure["error"] == type(error).__name__
    assert failure["log_level"] == "error"
    assert any("by_token" in frame for frame in failure["frames"])
    assert "secret words" not in str(logs) + answer.text


@pytest.mark.parametrize("given", ["call-7", "A.b_c-9", "x" * 64])
def test_request_id_of_the_caller_is_kept(front: Front, given: str) -> None:
    assert front.client.get("/livez", headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\x7fb", "<b>", None], ids=repr)
def test_other_request_ids_are_replaced(front: Front, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}

    first, second = (front.client.get("/livez", headers=headers).headers["x-request-id"] for _ in range(2))

    assert first != second
    assert first.startswith("req_")


def test_every_answer_forbids_storing_and_guessing(front: Front) -> None:
    for answer in (front.client.get("/livez"), front.call(None, "GET", "/v1/refunds")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_log_tells_what_changed_and_names_no_person(front: Front) -> None:
    account: dict[str, Any] = {"username": "canary-user", "email": "canary@example.com", "status": "active"}
    with capture_logs() as logs:
        front.call("shop", "PUT", "/v1/accounts/canary-account", account)
        front.call("shop", "PUT", "/v1/accounts/canary-account", account | {"status": "canary"})

    assert [(line["event"], line["status"], line["caller"]) for line in logs] == [
        ("request.answered", 200, "shop"),
        ("request.refused", 422, "shop"),
    ]
    assert all(line["route"].startswith("/v1/accounts/{account_id") for line in logs)
    assert "canary" not in str(logs)
    assert "rfd_" not in str(logs)
