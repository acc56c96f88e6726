"""Stopping a rail, and starting it again."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from api.documents import READ, WRITE, problems_of
from api.fields import Body, Text
from api.guard import DECIDERS, READERS, CallerNow, GuardedRoute, bearer, only
from api.pictures import Picture
from api.services import ServicesNow
from domain.rails import RailWait, StopCause
from domain.refunds import Rail
from domain.wallets import PauseReason

routes = APIRouter(route_class=GuardedRoute, dependencies=[Depends(bearer)], tags=["rails"])


ChainId = Annotated[int, Field(ge=1, le=2**53 - 1)]
NonceCount = Annotated[int, Field(ge=0, le=2**53 - 1)]


class StopBody(Body):
    """Why the rail is to stop; `chain_id` stops only the wallet of one chain."""

    reason: Text
    chain_id: ChainId | None = None


class StartBody(StopBody):
    """Why the rail may start. `adopt_nonce`: how many nonces the chain's wallet has used, each of them explained."""

    adopt_nonce: NonceCount | None = None


class StartWord(Picture):
    """One person's word that the rail may start."""

    operator: str
    recorded_at: datetime


class RailAnswer(Picture):
    """A switch: a rail's, or with `chain_id` that of one chain's wallet, which may also have paused by itself.

    `stop_cause` says why the service itself stopped a rail; it is empty where a person did.

    `waiting_for` says who must still speak before it starts.
    """

    rail: Rail
    chain_id: int | None
    is_stopped: bool
    pause_reason: PauseReason | None
    stopped_by: str | None
    stopped_at: datetime | None
    stop_cause: StopCause | None
    reason: str | None
    start_asked: list[StartWord]
    waiting_for: RailWait | None


class RailList(Picture):
    """All rails, and every chain whose wallet may not pay now."""

    items: list[RailAnswer]


@routes.get("/v1/rails", openapi_extra=only(READERS), responses=problems_of(*READ))
def list_rails(services: ServicesNow) -> RailList:
    """List the rails: which may pay now, and who stopped the others."""
    return RailList(items=[RailAnswer.model_validate(row) for row in services.rails.rails()])


@routes.post("/v1/rails/{rail}/stop", openapi_extra=only(READERS, is_switch=True), responses=problems_of(*WRITE))
def stop_rail(rail: Rail, body: StopBody, services: ServicesNow, caller: CallerNow) -> RailAnswer:
    """Stop a rail at once: no payout begins or gets a nonce. What was sent already is followed to its end."""
    return RailAnswer.model_validate(
        services.rails.stop(rail, body.reason, operator=caller.name, chain_id=body.chain_id)
    )


@routes.post("/v1/rails/{rail}/start", openapi_extra=only(DECIDERS), responses=problems_of(*WRITE))
def start_rail(rail: Rail, body: StartBody, services: ServicesNow, caller: CallerNow) -> RailAnswer:
    """Say that a rail may start. The first word waits for a second person's; a new stop voids both.

    A wallet that paused by itself starts only once its cause is gone; 409 says what must be done.
    """
    said = services.rails.start(
        rail, body.reason, operator=caller.name, chain_id=body.chain_id, adopt_nonce=body.adopt_nonce
    )
    return RailAnswer.model_validate(said)
