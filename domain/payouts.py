"""The movement of money: what it may be, and what is known of it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.disputes import SeenDispute
from domain.refunds import StatusReason


class PayoutStatus(StrEnum):
    """What is known of a payout. An exception is never `queued` again: an unclear answer is `unknown`."""

    QUEUED = "queued"  # recorded, certainly not sent: no request made, no nonce assigned
    UNKNOWN = "unknown"  # may have been sent: a request is under way, or a nonce is assigned
    PENDING = "pending"  # really sent: the provider holds it, or a block does, and it is not final
    SUCCEEDED = "succeeded"
    PAID_OUTSIDE = "paid_outside"  # an operator showed that it was paid by other means
    REFUSED = "refused"  # dead: provably never created
    FAILED = "failed"  # dead
    CANCELED = "canceled"  # dead
    REVERTED = "reverted"  # dead: finally mined without moving money


DEAD = frozenset([PayoutStatus.REFUSED, PayoutStatus.FAILED, PayoutStatus.CANCELED, PayoutStatus.REVERTED])
PAID = frozenset([PayoutStatus.SUCCEEDED, PayoutStatus.PAID_OUTSIDE])
MAY_STILL_LAND = frozenset([PayoutStatus.QUEUED, PayoutStatus.UNKNOWN, PayoutStatus.PENDING])


class Departure(StrEnum):
    """Whether a card payout's request may leave now."""

    GO = "go"  # it is recorded: from now on the outcome is unknown until it is seen
    STAY = "stay"  # the rail is stopped, an approval counts no longer, or the payout is settled
    ASK_LATER = "ask_later"  # the processor repeats a failure under this key until it forgets it


class CardDestination(StrEnum):
    """How a card refund reaches the customer: it cannot be told yet, as a credit, or by the charge vanishing."""

    PENDING = "pending"
    REFUND = "refund"
    REVERSAL = "reversal"


class BankReference(BaseModel):
    """By what the customer's bank finds a card refund. A reversal never gets a reference."""

    model_config = ConfigDict(frozen=True)

    destination_type: CardDestination
    reference: str | None = None
    reference_status: str | None = None
    reference_type: str | None = None


class PayoutOutcome(BaseModel):
    """What a provider or a chain says of one payout, looked at once.

    `reason` is set where a person must act: what went wrong, in the refund's own list. `disputes` are all that the
    payment ever had, as they are now.
    """

    model_config = ConfigDict(frozen=True)

    status: PayoutStatus
    provider_ref: str | None = None
    reason: StatusReason | None = None
    detail: str = ""
    disputes: tuple[SeenDispute, ...] = ()
    saw_disputes: bool = True
    """False for the answer to the request itself, which tells of no dispute: one that is known stays as it is."""
    bank: BankReference | None = None


class CardPayout(BaseModel):
    """One card payout to make or to look for: always the full amount, of one payment, under one attempt."""

    model_config = ConfigDict(frozen=True)

    refund_id: str
    attempt: int
    payment_intent: str
    amount_minor: int
    currency: str
    provider_ref: str | None = None
    """What the processor called it when it was seen; its marks there can be edited, this cannot."""

    @property
    def idempotency_key(self) -> str:
        """Name the effect, never the try: the same for every repeat, another only for another attempt."""
        return f"refund/{self.refund_id}/{self.attempt}"
