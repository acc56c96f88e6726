"""The OpenAPI document: problems as they are really sent."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import MEDIA_TYPE, TABLE, Problem

API_VERSION = "1.0"
REFERENCE = "#/components/schemas/Problem"

DESCRIPTION = """Takes refund requests, proves who asks, waits for people's approval, and pays a deposit back the
way it came, exactly once. Money is a whole number of the smallest unit and a currency; chain amounts are decimal
strings in base units; times are RFC 3339. An `Idempotency-Key` header is accepted and not needed: a ticket, and the
ids in the bodies, are the keys. `x-roles` names who may call."""


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": REFERENCE}}}
    return {status: {"description": _titles(status), "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Serve the document with the schema of problems in it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title="Refunds", version=API_VERSION, description=DESCRIPTION, routes=app.routes)
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = document["components"]["schemas"]
            schemas.update(schema.pop("$defs"))
            schemas["Problem"] = schema
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to change the document


def _titles(status: int) -> str:
    titles = [title for code, title in TABLE.values() if code == status]
    return "; ".join(titles) or HTTPStatus(status).phrase
