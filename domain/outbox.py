"""Chain payouts on their way out: first without a nonce, then with signed bytes."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from domain.payouts import PayoutStatus
from domain.transfers import Outgoing, SignedTransfer, Transfer

Sign = Callable[[Transfer], SignedTransfer]


class QueuedPayout(BaseModel):
    """A payout without a nonce: certainly not sent."""

    model_config = ConfigDict(frozen=True)

    refund_id: str
    attempt: int
    outgoing: Outgoing


class SentPayout(BaseModel):
    """A payout with a nonce: all its signed bytes, the newest last."""

    model_config = ConfigDict(frozen=True)

    refund_id: str
    attempt: int
    nonce: int
    status: PayoutStatus
    outgoing: Outgoing
    cost_base_units_max: int = 0
    """Amount and highest fee: what the wallet must keep for this payout until it is in a block."""
    transactions: tuple[SignedTransfer, ...] = Field(repr=False)
