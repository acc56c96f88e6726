"""Who may call: list, deactivate, activate. A token is made at the command line only, where nobody overhears."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.documents import READ, WRITE, problems_of
from api.fields import Body, Text
from api.guard import ADMINS, READERS, CallerNow, GuardedRoute, bearer, only
from api.pictures import Picture
from api.services import ServicesNow
from domain.people import Role
from domain.refunds import Identifier

routes = APIRouter(route_class=GuardedRoute, dependencies=[Depends(bearer)], tags=["operators"])

Name = Annotated[Identifier, Path(description="the caller's name")]


class OperatorBody(Body):
    """Why somebody may call no longer, or again."""

    reason: Text


class Operator(Picture):
    """Somebody who may call: a person, or a machine of billing or the help desk."""

    name: str
    role: Role
    is_active: bool


class OperatorList(Picture):
    """Everybody who may or might call, by name."""

    items: list[Operator]


@routes.get("/v1/operators", openapi_extra=only(READERS), responses=problems_of(*READ))
def list_operators(services: ServicesNow) -> OperatorList:
    """List who may call."""
    return OperatorList(items=[Operator.model_validate(row) for row in services.clients.clients()])


@routes.post(
    "/v1/operators/{name:path}/deactivate",
    openapi_extra=only(ADMINS, is_switch=True),
    responses=problems_of(*WRITE, 404),
)
def deactivate_operator(name: Name, body: OperatorBody, services: ServicesNow, caller: CallerNow) -> Operator:
    """Take the right to call away, at once; approvals of theirs that are not paid yet count no longer."""
    row = services.clients.set_active(name, False, reason=body.reason, actor=caller.name)
    return Operator.model_validate(row)


@routes.post(
    "/v1/operators/{name:path}/activate",
    openapi_extra=only(ADMINS),
    responses=problems_of(*WRITE, 404),
)
def activate_operator(name: Name, body: OperatorBody, services: ServicesNow, caller: CallerNow) -> Operator:
    """Give the right to call back, with the same token and role."""
    row = services.clients.set_active(name, True, reason=body.reason, actor=caller.name)
    return Operator.model_validate(row)
