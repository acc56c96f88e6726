"""A dry run: what would become of a request, if it came now. Written to history, so it holds no names."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from domain.refunds import (
    AccountRef,
    Channel,
    Identifier,
    PaymentProof,
    Rail,
    RefundStatus,
    RequestTime,
    SessionClaim,
    StatusReason,
    TicketRef,
    WaitingFor,
)
from domain.verdicts import Verdict


class CheckQuestion(BaseModel):
    """A request as a refund's, of which a ticket is not needed, and nothing else where the deposit is named."""

    model_config = ConfigDict(frozen=True)

    ticket: TicketRef | None = None
    channel: Channel = Channel.TICKET
    account: AccountRef | None = None
    rail: Rail | None = None
    deposit_id: Identifier | None = None
    payment_proof: PaymentProof | None = None
    session_claim: SessionClaim | None = None
    requested_at: RequestTime | None = None


class CheckRequest(BaseModel):
    """What a worker needs to answer. `refund_id` is the refund of the ticket, whose own hold is no obstacle."""

    model_config = ConfigDict(frozen=True)

    refund_id: str | None = None
    channel: Channel
    account_id: str
    rail: Rail
    deposit_id: str | None = None
    payment_proof: str | None = None
    requested_at: datetime
    received_at: datetime


class CheckOutcome(BaseModel):
    """Where the refund would stand after its first check, and the verdict, as far as a deposit is known."""

    model_config = ConfigDict(frozen=True)

    status: RefundStatus
    status_reason: StatusReason | None = None
    waiting_for: WaitingFor | None = None
    deposit_id: str | None = None
    duplicate_of: str | None = None
    verdict: Verdict | None = None
    approvals_needed: int | None = None
