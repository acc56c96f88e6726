"""What operators do about a refund: confirm ownership, decide, resolve."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.documents import WRITE, problems_of
from api.fields import Body, Flag, QueryFlag, Text
from api.guard import DECIDERS, CallerNow, GuardedRoute, bearer, only
from api.pictures import Refund
from api.refunds import RefundId, TellingNow, picture, tell_and_show
from api.services import ServicesNow
from domain.decisions import Action, Digest, ResolutionAction
from domain.refunds import Identifier
from ledger.records import NewConfirmation, NewDecision, NewResolution

routes = APIRouter(route_class=GuardedRoute, dependencies=[Depends(bearer)], tags=["operators"])

RECORD = problems_of(*WRITE, 404)
ACKNOWLEDGE_MAX = 32

Deliver = Annotated[
    QueryFlag,
    Query(description="`false`: record only; bring the news by Temporal's `decide`, `approve` or `reject`."),
]


class OwnershipBody(Body):
    """An operator's word on who asks, and the evidence for it."""

    confirmation_id: Identifier
    action: Literal["confirm", "deny"]
    evidence: Text
    deposit_id: Identifier | None = None
    requested_at_confirmed: Flag = False


class DecisionBody(Body):
    """A decision about exactly what `digest` stands for. `acknowledge` names every review that was read."""

    decision_id: Identifier
    action: Action
    digest: Digest
    reason: Text | None = None
    acknowledge: Annotated[tuple[Identifier, ...], Field(max_length=ACKNOWLEDGE_MAX)] = ()


class ResolutionBody(Body):
    """What to do about a refund that needs attention."""

    resolution_id: Identifier
    action: ResolutionAction
    evidence: Text | None = None
    reason: Text


@routes.post("/v1/refunds/{refund_id}/ownership", status_code=202, openapi_extra=only(DECIDERS), responses=RECORD)
def confirm_ownership(
    refund_id: RefundId, body: OwnershipBody, services: ServicesNow, telling: TellingNow, caller: CallerNow
) -> Refund:
    """Record whether the requester owns the account."""
    confirmation = NewConfirmation(
        **body.model_dump(exclude={"requested_at_confirmed"}),
        is_request_time_confirmed=body.requested_at_confirmed,
    )
    services.records.confirm_ownership(refund_id, confirmation, operator=caller.name)
    return tell_and_show(services, telling, refund_id)


@routes.post("/v1/refunds/{refund_id}/decisions", status_code=202, openapi_extra=only(DECIDERS), responses=RECORD)
def decide(
    refund_id: RefundId,
    body: DecisionBody,
    services: ServicesNow,
    telling: TellingNow,
    caller: CallerNow,
    deliver: Deliver = True,
) -> Refund:
    """Approve or reject what the digest stands for. It is recorded; `deliver=false` leaves telling the run to you."""
    decision = NewDecision.model_validate(body.model_dump())
    services.records.decide(refund_id, decision, operator=caller.name, announce=deliver)
    return tell_and_show(services, telling, refund_id) if deliver else picture(services, refund_id)


@routes.post("/v1/refunds/{refund_id}/resolution", status_code=202, openapi_extra=only(DECIDERS), responses=RECORD)
def resolve(
    refund_id: RefundId, body: ResolutionBody, services: ServicesNow, telling: TellingNow, caller: CallerNow
) -> Refund:
    """Say what to do about a refund that needs attention; what could pay twice is refused."""
    services.records.resolve(refund_id, NewResolution.model_validate(body.model_dump()), operator=caller.name)
    return tell_and_show(services, telling, refund_id)
