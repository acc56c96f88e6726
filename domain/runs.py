"""What a run hands to its activities and gets back: written to history, so fields are only ever added."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from domain.policy import PolicySnapshot
from domain.refunds import RefundState, RefundStatus, StatusReason


class OpenRefund(BaseModel):
    """The start of a run: untyped JSON as it came. Nothing but the ticket is needed where a row exists."""

    model_config = ConfigDict(frozen=True)

    raw: dict[str, Any]


class Opened(BaseModel):
    """The refund as its row has it, with the waits this run keeps; or the field that breaks a rule."""

    model_config = ConfigDict(frozen=True)

    refund: RefundState | None = None
    waits: PolicySnapshot = PolicySnapshot()
    invalid_field: str | None = None
    invalid_message: str | None = None


class RefundKey(BaseModel):
    """Names a refund."""

    model_config = ConfigDict(frozen=True)

    refund_id: str


class ReadRecords(RefundKey):
    """Asks to apply what people recorded. `told`: ids that reached the run and have not been looked up."""

    told: tuple[str, ...] = ()


class Attend(RefundKey):
    """Asks to bring a refund before an operator."""

    reason: StatusReason


class Remind(RefundKey):
    """Tells that a refund waits too long: `reminder`, then `escalation`."""

    urgency: str


class PayMark(RefundKey):
    """Tells that a mark of the time to pay has come, counted from 0."""

    mark: int


class PayoutKey(RefundKey):
    """Names one attempt to pay."""

    attempt: int


class WalletKey(BaseModel):
    """Names a hot wallet on its chain."""

    model_config = ConfigDict(frozen=True)

    chain_id: int
    wallet: str
    block_seconds: float = 2
    turn: int = 0
    """Counted by the run: every so many turns the pump looks at all, whatever the counts of nonces say."""


class PumpReport(BaseModel):
    """What one turn of the pump left behind: payouts that still need care, refunds whose run has news."""

    model_config = ConfigDict(frozen=True)

    open_payouts: int = 0
    changed: tuple[str, ...] = ()


class RefundOutcome(BaseModel):
    """How a refund ended, or where it stands now."""

    model_config = ConfigDict(frozen=True)

    refund_id: str | None
    status: RefundStatus
    reason: StatusReason | None = None
    waiting_for: str | None = None
    field: str | None = None
    message: str | None = None
    account_id: str | None = None
    deposit_id: str | None = None
    attempt: int = 1
    digest: str | None = None
