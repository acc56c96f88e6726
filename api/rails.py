"""Stopping a rail, and starting it again."""

from datetime import datetime

from fastapi import APIRouter, Depends

from api.documents import READ, WRITE, problems_of
from api.fields import Body, Text
from api.guard import DECIDERS, READERS, CallerNow, GuardedRoute, bearer, only
from api.pictures import Picture
from api.services import ServicesNow
from domain.rails import RailWait
from domain.refunds import Rail

routes = APIRouter(route_class=GuardedRoute, dependencies=[Depends(bearer)], tags=["rails"])


class RailBody(Body):
    """Why the rail is to stop or to start."""

    reason: Text


class StartWord(Picture):
    """One person's word that the rail may start."""

    operator: str
    recorded_at: datetime


class RailAnswer(Picture):
    """A rail's switch. `waiting_for` says who must still speak before a stopped rail starts."""

    rail: Rail
    is_stopped: bool
    stopped_by: str | None
    stopped_at: datetime | None
    reason: str | None
    start_asked: list[StartWord]
    waiting_for: RailWait | None


class RailList(Picture):
    """All rails."""

    items: list[RailAnswer]


@routes.get("/v1/rails", openapi_extra=only(READERS), responses=problems_of(*READ))
def list_rails(services: ServicesNow) -> RailList:
    """List the rails: which may pay now, and who stopped the others."""
    return RailList(items=[RailAnswer.model_validate(row) for row in services.rails.rails()])


@routes.post("/v1/rails/{rail}/stop", openapi_extra=only(READERS, is_switch=True), responses=problems_of(*WRITE))
def stop_rail(rail: Rail, body: RailBody, services: ServicesNow, caller: CallerNow) -> RailAnswer:
    """Stop a rail at once: no payout begins or gets a nonce. What was sent already is followed to its end."""
    return RailAnswer.model_validate(services.rails.stop(rail, body.reason, operator=caller.name))


@routes.post("/v1/rails/{rail}/start", openapi_extra=only(DECIDERS), responses=problems_of(*WRITE))
def start_rail(rail: Rail, body: RailBody, services: ServicesNow, caller: CallerNow) -> RailAnswer:
    """Say that a rail may start. The first word waits for a second person's; a new stop voids both."""
    return RailAnswer.model_validate(services.rails.start(rail, body.reason, operator=caller.name))
