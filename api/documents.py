"""The OpenAPI document: problems as they are really sent."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.examples import EXAMPLES
from api.problems import MEDIA_TYPE, TABLE, Problem

API_VERSION = "1.0"
REFERENCE = "#/components/schemas/Problem"

KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 255 visible ASCII characters. The same call within 24 hours gets its first answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!#-\[\]-~]+$"},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}

DESCRIPTION = """Takes refund requests, proves who asks, waits for people's approval, and pays a deposit back the
way it came, exactly once. Money is a whole number of the smallest unit and a currency; chain amounts are decimal
strings in base units; times are RFC 3339. An `Idempotency-Key` header is accepted and not needed: a ticket, and the
ids in the bodies, are the keys. With it, the same call within 24 hours gets its first answer, marked
`Idempotent-Replayed: true`; a switch (`x-switch`) is carried out each time. `x-roles` names who may call."""


# What every read, and every call with a body, can be answered with; a path with an id adds 404.
READ = (400, 401, 403, 422, 500, 503)
WRITE = (400, 401, 403, 409, 413, 415, 422, 500, 503)


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer with."""
    return {
        status: {
            "description": _titles(status),
            "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE}, "examples": _problem_examples(status)}},
        }
        for status in sorted(statuses)
    }


def install(app: FastAPI) -> None:
    """Serve the document with the schema of problems in it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title="Refunds", version=API_VERSION, description=DESCRIPTION, routes=app.routes)
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = document["components"]["schemas"]
            schemas.update(schema.pop("$defs"))
            schemas["Problem"] = schema
            for path, item in document["paths"].items():
                for method, operation in item.items():
                    _complete(operation, takes_key=_is_a_caller_s(path) and method in ("post", "put"))
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to change the document


def _is_a_caller_s(path: str) -> bool:
    """Tell whether callers with a token ask there; what providers send has ids of its own."""
    return path.startswith("/v1/") and not path.startswith("/v1/hooks/")


def _complete(operation: dict[str, Any], *, takes_key: bool) -> None:
    """Add the examples of bodies and answers, and the header that every changing call may bring."""
    if takes_key:
        operation.setdefault("parameters", []).append(KEY_PARAMETER)
    contents = [operation.get("requestBody", {}).get("content", {})]
    contents += [answer.get("content", {}) for answer in operation["responses"].values()]
    for media in (content["application/json"] for content in contents if "application/json" in content):
        name = str(media["schema"].get("$ref", "")).rpartition("/")[2]
        if name in EXAMPLES:
            media["examples"] = {"example": {"value": EXAMPLES[name]}}


def _problem_examples(status: int) -> dict[str, Any]:
    """Return one example of every type of problem with this status."""
    return {
        kind.value.rpartition("/")[2]: {
            "value": {
                "type": kind.value,
                "title": title,
                "status": code.value,
                "detail": f"{title}.",
                "request_id": "req_0123456789abcdef01234567",
            }
        }
        for kind, (code, title) in TABLE.items()
        if code == status
    }


def _titles(status: int) -> str:
    titles = [title for code, title in TABLE.values() if code == status]
    return "; ".join(titles) or HTTPStatus(status).phrase
