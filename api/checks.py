"""A dry run: the verdict that a request would get now. It changes nothing."""

from typing import Self

from fastapi import APIRouter, Depends
from fastapi.concurrency import run_in_threadpool
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from api.documents import WRITE, problems_of
from api.fields import Body, Moment
from api.guard import HELPDESK, READERS, GuardedRoute, bearer, only
from api.pictures import Picture, VerdictAnswer
from api.refunds import AccountRefBody, TicketBody
from api.services import ServicesNow
from domain.checks import CheckQuestion
from domain.refunds import (
    Channel,
    Identifier,
    Locale,
    PaymentProof,
    Rail,
    RefundStatus,
    SessionClaim,
    StatusReason,
    WaitingFor,
)

routes = APIRouter(route_class=GuardedRoute, dependencies=[Depends(bearer)], tags=["checks"])


class CheckBody(Body):
    """The body of `POST /v1/refunds`, of which the ticket is not needed; or a deposit alone. Default: asked now."""

    ticket: TicketBody | None = None
    channel: Channel = Channel.TICKET
    account: AccountRefBody | None = None
    rail: Rail | None = None
    deposit_id: Identifier | None = None
    payment_proof: PaymentProof | None = None
    session_claim: SessionClaim | None = None
    requested_at: Moment | None = None
    locale: Locale = "en"

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.deposit_id is None and (self.account is None or self.rail is None):
            raise PydanticCustomError("names_deposit", "give account and rail, or deposit_id")
        return self


class CheckAnswer(Picture):
    """Where the refund would stand, and why. A deposit that is not known yet has no verdict."""

    status: RefundStatus
    status_reason: StatusReason | None
    waiting_for: WaitingFor | None
    refund_id: str | None
    account_id: str
    deposit_id: str | None
    duplicate_of: str | None
    rail: Rail
    verdict: VerdictAnswer | None
    approvals_needed: int | None


@routes.post("/v1/checks", openapi_extra=only(HELPDESK | READERS), responses=problems_of(*WRITE))
async def check(body: CheckBody, services: ServicesNow) -> CheckAnswer:
    """Say what would become of a request, by fresh facts. Nothing is written, held or told to anybody."""
    question = CheckQuestion.model_validate(body.model_dump())
    request = await run_in_threadpool(services.previews.prepare, question)
    outcome = await services.runs.check(request)
    known = {"refund_id": request.refund_id, "account_id": request.account_id, "rail": request.rail}
    return CheckAnswer.model_validate(outcome.model_dump() | known)
