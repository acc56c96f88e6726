"""Refunds over HTTP: a help desk starts, reads and withdraws them; operators read them."""

import base64
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from api.documents import READ, WRITE, problems_of
from api.fields import Body, Moment, QueryNumber, Text
from api.guard import HELPDESK, READERS, CallerNow, GuardedRoute, bearer, only
from api.pictures import Refund, RefundList, RefundSummary
from api.services import Services, ServicesNow
from api.telling import Telling
from domain.errors import InvalidRequest
from domain.refunds import (
    Channel,
    Identifier,
    Locale,
    PaymentProof,
    Rail,
    RefundRequest,
    RefundStatus,
    SessionClaim,
    TicketSystem,
    TicketUrl,
    TypedIn,
)
from ledger.intake import Requester

routes = APIRouter(route_class=GuardedRoute, dependencies=[Depends(bearer)], tags=["refunds"])

REFUND_ID = re.compile(r"rf_[0-9a-f]{24}", re.ASCII)

RefundId = Annotated[Identifier, Path(description="`rf_` and 24 hexadecimal digits")]


class TicketBody(Body):
    """The help desk's reference."""

    system: TicketSystem
    id: Identifier
    url: TicketUrl | None = None


class AccountRefBody(Body):
    """The account by its id, or by the username that a mail names."""

    id: Identifier | None = None
    username: TypedIn | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.id is None) == (self.username is None):
            raise PydanticCustomError("exactly_one", "give exactly one of id and username")
        return self


class RefundBody(Body):
    """One request to pay one deposit back. It names a deposit, never an amount or a destination."""

    ticket: TicketBody
    channel: Channel
    account: AccountRefBody
    rail: Rail
    deposit_id: Identifier | None = None
    payment_proof: PaymentProof | None = None
    session_claim: SessionClaim | None = None
    requested_at: Moment
    locale: Locale = "en"


class WithdrawalBody(Body):
    """Why the customer changed their mind."""

    reason: Text


class Filters(Body):
    """Which refunds to list. A ticket is `system:id`, or its id alone."""

    status: RefundStatus | None = None
    ticket: Identifier | None = None
    account: Identifier | None = None
    deposit: Identifier | None = None
    cursor: Annotated[str, Field(max_length=256)] | None = None
    limit: Annotated[QueryNumber, Field(ge=1, le=200)] = 50


async def telling_of(request: Request) -> Telling:
    """Return what brings news to the runs."""
    telling: Telling = request.app.state.telling
    return telling


TellingNow = Annotated[Telling, Depends(telling_of)]


@routes.post(
    "/v1/refunds",
    status_code=202,
    openapi_extra=only(HELPDESK),
    responses=problems_of(*WRITE),
)
def start_refund(body: RefundBody, services: ServicesNow, telling: TellingNow, caller: CallerNow) -> Refund:
    """Start a refund. The ticket is the key: the same ticket again returns the same refund."""
    request = RefundRequest.parse(body.model_dump())
    state = services.intake.accept(request, Requester(name=caller.name, is_helpdesk=True))
    telling.tell(state.refund_id)
    return picture(services, state.refund_id)


@routes.get("/v1/refunds", openapi_extra=only(HELPDESK | READERS), responses=problems_of(*READ))
def list_refunds(filters: Annotated[Filters, Query()], services: ServicesNow) -> RefundList:
    """List refunds, newest first."""
    wanted = filters.model_dump(exclude={"cursor", "limit"})
    after = _read_cursor(filters.cursor) if filters.cursor is not None else None
    rows = services.views.refunds(**wanted, after=after, limit=filters.limit + 1)
    items = [RefundSummary.model_validate(row) for row in rows[: filters.limit]]
    return RefundList(items=items, next_cursor=_write_cursor(items[-1]) if len(rows) > filters.limit else None)


@routes.get(
    "/v1/refunds/{refund_id}",
    openapi_extra=only(HELPDESK | READERS),
    responses=problems_of(*READ, 404),
)
def get_refund(refund_id: RefundId, services: ServicesNow) -> Refund:
    """Show the refund with verdict, timeline and what it waits for."""
    return picture(services, refund_id)


@routes.post(
    "/v1/refunds/{refund_id}/withdraw",
    status_code=202,
    openapi_extra=only(HELPDESK),
    responses=problems_of(*WRITE, 404),
)
def withdraw_refund(
    refund_id: RefundId, body: WithdrawalBody, services: ServicesNow, telling: TellingNow, caller: CallerNow
) -> Refund:
    """Record that the customer changed their mind; from `paying` on it is too late."""
    services.records.withdraw(refund_id, body.reason, client=caller.name)
    return tell_and_show(services, telling, refund_id)


def tell_and_show(services: Services, telling: Telling, refund_id: str) -> Refund:
    """Tell the run that something was recorded, and return the refund as it is now."""
    telling.tell(refund_id)
    return picture(services, refund_id)


def picture(services: Services, refund_id: str) -> Refund:
    """Return the whole refund."""
    return Refund.model_validate(services.views.refund(refund_id))


def _write_cursor(last: RefundSummary) -> str:
    return base64.urlsafe_b64encode(json.dumps([last.created_at.isoformat(), last.id]).encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        moment, identifier = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        created_at = datetime.fromisoformat(moment)
        if created_at.utcoffset() is None or not REFUND_ID.fullmatch(identifier):
            raise ValueError
        return created_at.astimezone(UTC), identifier
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise InvalidRequest("cursor", "cursor", "is not a cursor that a list returned") from None
