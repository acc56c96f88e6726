"""Errors as RFC 9457 problems: one closed list of types, one table from our errors to them."""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api.complaints import first, safe_path
from api.strict_json import MalformedJson
from domain.errors import KeyInUse, NotAuthenticated, NotFound, Refused, TryAgain

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1.0


class ProblemType(StrEnum):
    """What can be wrong; a closed list, explained in the glossary."""

    MALFORMED_JSON = "/problems/malformed-json"
    MALFORMED_REQUEST = "/problems/malformed-request"
    NOT_AUTHENTICATED = "/problems/not-authenticated"
    NOT_ALLOWED = "/problems/not-allowed"
    NOT_FOUND = "/problems/not-found"
    METHOD_NOT_ALLOWED = "/problems/method-not-allowed"
    CONFLICT = "/problems/conflict"
    WRONG_STATE = "/problems/wrong-state"
    INSUFFICIENT_BALANCE = "/problems/insufficient-balance"
    PAYMENT_TAKEN = "/problems/payment-taken"
    STALE_DIGEST = "/problems/stale-digest"
    ALREADY_DECIDED = "/problems/already-decided"
    IDEMPOTENCY_KEY_IN_USE = "/problems/idempotency-key-in-use"
    IDEMPOTENCY_KEY_REUSED = "/problems/idempotency-key-reused"
    BODY_TOO_LARGE = "/problems/body-too-large"
    UNSUPPORTED_MEDIA_TYPE = "/problems/unsupported-media-type"
    INVALID_REQUEST = "/problems/invalid-request"
    INTERNAL = "/problems/internal"
    NOT_READY = "/problems/not-ready"
    TRY_AGAIN = "/problems/try-again"


TABLE: Mapping[ProblemType, tuple[HTTPStatus, str]] = {
    ProblemType.MALFORMED_JSON: (HTTPStatus.BAD_REQUEST, "The body is not JSON"),
    ProblemType.MALFORMED_REQUEST: (HTTPStatus.BAD_REQUEST, "The request is malformed"),
    ProblemType.NOT_AUTHENTICATED: (HTTPStatus.UNAUTHORIZED, "Not authenticated"),
    ProblemType.NOT_ALLOWED: (HTTPStatus.FORBIDDEN, "Not allowed"),
    ProblemType.NOT_FOUND: (HTTPStatus.NOT_FOUND, "Not found"),
    ProblemType.METHOD_NOT_ALLOWED: (HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed"),
    ProblemType.CONFLICT: (HTTPStatus.CONFLICT, "This contradicts what is recorded"),
    ProblemType.WRONG_STATE: (HTTPStatus.CONFLICT, "The refund is not in a state for this"),
    ProblemType.INSUFFICIENT_BALANCE: (HTTPStatus.CONFLICT, "The spendable balance is too small"),
    ProblemType.PAYMENT_TAKEN: (HTTPStatus.CONFLICT, "This payment backs another deposit"),
    ProblemType.STALE_DIGEST: (HTTPStatus.CONFLICT, "The refund has changed"),
    ProblemType.ALREADY_DECIDED: (HTTPStatus.CONFLICT, "Already decided"),
    ProblemType.IDEMPOTENCY_KEY_IN_USE: (HTTPStatus.CONFLICT, "The same call is being worked on"),
    ProblemType.IDEMPOTENCY_KEY_REUSED: (HTTPStatus.UNPROCESSABLE_ENTITY, "This key came with another call"),
    ProblemType.BODY_TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    ProblemType.UNSUPPORTED_MEDIA_TYPE: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
    ProblemType.INVALID_REQUEST: (HTTPStatus.UNPROCESSABLE_ENTITY, "A field breaks a rule"),
    ProblemType.INTERNAL: (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error"),
    ProblemType.NOT_READY: (HTTPStatus.SERVICE_UNAVAILABLE, "Not ready"),
    ProblemType.TRY_AGAIN: (HTTPStatus.SERVICE_UNAVAILABLE, "Try again"),
}

BY_STATUS = {
    400: (ProblemType.MALFORMED_REQUEST, "The request cannot be read."),
    404: (ProblemType.NOT_FOUND, "There is nothing at this path."),
    405: (ProblemType.METHOD_NOT_ALLOWED, "This path does not answer this method."),
}


class Problem(BaseModel):
    """An error answer. `field` and `rule` name what to mend, `request_id` finds the call in our logs."""

    model_config = ConfigDict(frozen=True)

    type: ProblemType
    title: str
    status: int
    detail: str
    field: str | None = Field(default=None, description="path of the field at fault, such as `ticket.id`")
    rule: str | None = Field(default=None, description="name of the rule that it breaks")
    request_id: str


class ProblemError(Exception):
    """A problem that belongs to HTTP alone and has no word in the domain."""

    def __init__(self, kind: ProblemType, detail: str, *, field: str | None = None, rule: str | None = None) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.field, self.rule = kind, detail, field, rule


def answer(
    request_id: str,
    kind: ProblemType,
    detail: str,
    *,
    field: str | None = None,
    rule: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Write one problem as the answer."""
    status, title = TABLE[kind]
    problem = Problem(
        type=kind,
        title=title,
        status=status.value,
        detail=detail,
        field=field and safe_path(field),
        rule=rule,
        request_id=request_id,
    )
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status.value, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Answer every known error; what is unknown passes on to the edge, which answers 500."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)


def response_to(request: Request, error: Exception) -> Response | None:
    """Return the problem that a known error is answered with; None for one that is a bug."""
    handler = next((it for kind, it in HANDLERS.items() if isinstance(error, kind)), None)
    return handler(request, error) if handler is not None else None


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - Starlette hands each handler its own class
    detail, headers = error.message, {}
    if isinstance(error, NotFound):
        detail = f"There is no such {error.field}."  # the error's own sentence repeats what was asked for
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="refunds"'
    if isinstance(error, KeyInUse):
        headers["Retry-After"] = str(math.ceil(RETRY_SECONDS))
    kind = ProblemType(f"/problems/{error.type}")
    return answer(_id(request), kind, detail, field=error.field, rule=error.rule, headers=headers)


def _try_again(request: Request, error: Exception) -> Response:
    assert isinstance(error, TryAgain)  # noqa: S101 - see above
    seconds = math.ceil(error.after_seconds or RETRY_SECONDS)
    detail = "The service could not answer just now; the same call again is safe."
    return answer(_id(request), ProblemType.TRY_AGAIN, detail, headers={"Retry-After": str(seconds)})


def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, MalformedJson)  # noqa: S101 - see above
    return answer(_id(request), ProblemType.MALFORMED_JSON, error.message, field="body", rule=error.rule)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - see above
    return answer(_id(request), error.kind, error.detail, field=error.field, rule=error.rule)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - see above
    field, rule, detail = first(error.errors())
    return answer(_id(request), ProblemType.INVALID_REQUEST, detail, field=field, rule=rule)


def _by_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - see above
    kind, detail = BY_STATUS.get(error.status_code, (ProblemType.INTERNAL, "Something went wrong here."))
    return answer(_id(request), kind, detail, headers=error.headers)


def _id(request: Request) -> str:
    return str(request.state.request_id)


HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Response]] = {
    Refused: _refused,
    TryAgain: _try_again,
    MalformedJson: _malformed,
    ProblemError: _http,
    RequestValidationError: _invalid,
    HTTPException: _by_status,
}
