"""What the API answers: refunds and balances as callers see them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.decisions import Action
from domain.disputes import DisputeStage
from domain.money import Currency
from domain.payouts import CardDestination, PayoutStatus
from domain.refunds import Channel, OwnershipLevel, Rail, RefundStatus, StatusReason, WaitingFor
from domain.verdicts import Fact, Outcome, Rule


class Picture(BaseModel):
    """The base of all answers."""

    model_config = ConfigDict(frozen=True)


class Recorded(Picture):
    """Billing's record is in the books."""

    type: Literal["account", "deposit", "order"]
    id: str


class CurrencyBalance(Picture):
    """Where the money of one currency is, in minor units; deposited is the sum of the others."""

    currency: Currency
    deposited_minor: int
    spendable_minor: int
    held_minor: int
    used_minor: int
    refunded_minor: int
    charged_back_minor: int


class Balance(Picture):
    """An account's money."""

    account_id: str
    balances: list[CurrencyBalance]


class Ticket(Picture):
    """The help desk's reference."""

    system: str
    id: str
    url: str | None


class RefundSummary(Picture):
    """A refund in a list."""

    id: str
    status: RefundStatus
    status_reason: StatusReason | None
    waiting_for: WaitingFor | None
    rail: Rail
    channel: Channel
    ticket: Ticket
    account_id: str
    deposit_id: str | None
    duplicate_of: str | None
    amount_minor: int | None = Field(description="what the deposit was credited with")
    currency: str | None
    ownership: OwnershipLevel
    attempt: int
    digest: str | None = Field(description="what a decision must name")
    approvals_needed: int | None
    requested_at: datetime
    pay_due_at: datetime = Field(
        description="until when it shall be paid; escalated while it is not, never ended by it"
    )
    created_at: datetime
    updated_at: datetime


class RuleAnswer(Picture):
    """One rule of the policy, with the facts that it read."""

    rule: Rule
    outcome: Outcome
    code: str
    reason: str
    reasons: dict[str, str] = {}
    facts: dict[str, Fact]
    moving_facts: dict[str, Fact] = {}


class VerdictAnswer(Picture):
    """The explained answer of the policy; `destination` is derived from the deposit, never given."""

    outcome: Outcome
    policy_version: str
    rules: list[RuleAnswer]
    destination: str | None


class CardPaymentAnswer(Picture):
    """The card payment that goes back."""

    rail: Literal["card"]
    payment_intent: str
    amount_minor: int
    currency: str


class ChainPaymentAnswer(Picture):
    """The chain payment that goes back, in base units."""

    rail: Literal["crypto"]
    chain_id: int
    tx_hash: str
    asset: str
    amount_base_units: str


class DecisionAnswer(Picture):
    """One recorded decision."""

    decision_id: str
    operator: str
    action: Action
    digest: str
    reason: str | None
    acknowledge: list[str]
    recorded_at: datetime


class CardPayoutAnswer(Picture):
    """One attempt to pay by card."""

    attempt: int
    rail: Literal["card"]
    status: PayoutStatus
    detail: str
    provider_ref: str | None
    amount_minor: int | None
    currency: str | None
    destination_type: CardDestination | None = Field(description="how the bank shows it: a credit, or no charge")
    reference: str | None = Field(description="by which the customer's bank finds it; a reversal never has one")
    reference_status: str | None
    reference_type: str | None


class ChainPayoutAnswer(Picture):
    """One attempt to pay on a chain."""

    attempt: int
    rail: Literal["crypto"]
    status: PayoutStatus
    detail: str
    chain_id: int | None
    tx_hash: str | None
    to: str | None
    asset: str | None
    amount_base_units: str | None
    nonce: int | None


class DisputeAnswer(Picture):
    """One dispute of the card payment, as it was last seen."""

    dispute_id: str
    stage: DisputeStage
    status: str = Field(description="the processor's own word")
    amount_minor: int
    currency: str
    withdrawn_minor: int = Field(description="what the bank holds of our money for it")
    is_accepted: bool = Field(description="it was lost, and an operator took the loss")
    seen_at: datetime


class FraudWarningAnswer(Picture):
    """One early fraud warning of the card's issuer. It stops nothing."""

    warning_id: str
    fraud_type: str
    is_actionable: bool
    seen_at: datetime


class MessageAnswer(Picture):
    """What the customer is told."""

    kind: str
    text: str
    written_at: datetime


class TimelineEntry(Picture):
    """One line of the audit trail."""

    at: datetime
    actor: str
    event: str
    subject: str | None
    detail: dict[str, Any]


class Refund(RefundSummary):
    """The whole refund."""

    payment: Annotated[CardPaymentAnswer | ChainPaymentAnswer, Field(discriminator="rail")] | None
    verdict: VerdictAnswer | None
    decisions: list[DecisionAnswer]
    payouts: list[Annotated[CardPayoutAnswer | ChainPayoutAnswer, Field(discriminator="rail")]]
    disputes: list[DisputeAnswer]
    fraud_warnings: list[FraudWarningAnswer]
    messages: list[MessageAnswer]
    timeline: list[TimelineEntry]


class RefundList(Picture):
    """One page of refunds, newest first; `next_cursor` leads to the next page and is null on the last."""

    items: list[RefundSummary]
    next_cursor: str | None


class Health(Picture):
    """The process answers."""

    status: Literal["ok"] = "ok"
