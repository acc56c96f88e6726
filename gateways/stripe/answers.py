"""Stripe's answers as far as we read them; one that does not fit the shape is nothing to act upon."""

import re
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

import stripe
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from domain.disputes import DisputeStage, FraudWarning, SeenDispute
from domain.errors import TryAgain
from domain.payments import Dispute
from domain.payouts import BankReference, CardDestination, CardPayout

# A reference goes into a message to the customer: only what looks like one is taken over.
_REFERENCE = re.compile(r"[A-Za-z0-9]{1,64}")
_WORD = re.compile(r"[a-z_]{1,64}")


class Answer(BaseModel):
    """Any object of Stripe's, pinned to the API version of the SDK; fields that we do not read are ignored."""

    model_config = ConfigDict(frozen=True, strict=True)


class PaymentMethodDetails(Answer):
    """Only how it was paid: `card`, or something that this rail does not pay back."""

    type: str


class Refund(Answer):
    """Money on its way back. The two reasons are absent, not null, where they do not apply."""

    object: Literal["refund"]
    id: str
    status: str | None
    amount: int
    currency: str
    payment_intent: str | None
    metadata: dict[str, str] | None = None
    pending_reason: str | None = None
    failure_reason: str | None = None
    destination_details: Any = None
    """Of any shape: what only informs must never keep a refund from being read."""

    @property
    def bank(self) -> BankReference | None:
        """Tell how it reaches the customer and by what their bank finds it; None where that is not said."""
        details = self.destination_details
        card = details.get("card") if isinstance(details, dict) else None
        if not isinstance(card, dict) or card.get("type") not in list(CardDestination):
            return None
        return BankReference(
            destination_type=CardDestination(card["type"]),
            reference=_fitting(_REFERENCE, card.get("reference")),
            reference_status=_fitting(_WORD, card.get("reference_status")),
            reference_type=_fitting(_WORD, card.get("reference_type")),
        )

    @property
    def is_live(self) -> bool:
        """Whether it takes its amount from what can still be refunded; an unknown status does."""
        return self.status not in ("failed", "canceled")

    @property
    def refund_id(self) -> str | None:
        """Name the refund of ours that it belongs to, by its metadata."""
        return (self.metadata or {}).get("refund_id")

    @property
    def attempt(self) -> str | None:
        """Tell the attempt of ours that made it, by its metadata."""
        return (self.metadata or {}).get("attempt")


class DatedRefund(Refund):
    """A refund with the moment at which it was made, in Unix seconds."""

    created: int


class BalanceMovement(Answer):
    """What a dispute moved on our balance: negative when the bank took it, positive when it gave it back."""

    amount: int


class DisputeAnswer(Answer):
    """A chargeback or, with a status that begins with `warning_`, an inquiry."""

    object: Literal["dispute"]
    id: str
    status: str
    amount: int = 0
    currency: str = ""
    balance_transactions: list[BalanceMovement] = []

    @property
    def stage(self) -> DisputeStage:
        """Tell how far it has gone; a status that nobody has listed counts as a chargeback.

        So does `prevented`: the bank was paid through another programme, and a person must look.
        """
        if self.status == "warning_closed":
            return DisputeStage.CLOSED
        if self.status.startswith("warning_"):
            return DisputeStage.INQUIRY
        return {"won": DisputeStage.WON, "lost": DisputeStage.LOST}.get(self.status, DisputeStage.CHARGEBACK)

    @property
    def seen(self) -> SeenDispute:
        """Tell it in our words."""
        return SeenDispute(
            dispute_id=self.id,
            stage=self.stage,
            status=self.status[:64],
            amount_minor=self.amount,
            currency=self.currency.upper()[:3],
            withdrawn_minor=max(0, -sum(it.amount for it in self.balance_transactions)),
        )


class WarningAnswer(Answer):
    """An early fraud warning of the card's issuer."""

    object: Literal["radar.early_fraud_warning"]
    id: str
    fraud_type: str
    actionable: bool

    @property
    def told(self) -> FraudWarning:
        """Tell it in our words."""
        return FraudWarning(warning_id=self.id, fraud_type=self.fraud_type[:64], is_actionable=self.actionable)


class RefundPage(Answer):
    """One page of refunds, newest first."""

    object: Literal["list"]
    data: list[Refund]
    has_more: bool

    @model_validator(mode="after")
    def _can_be_followed(self) -> Self:
        if self.has_more and not self.data:
            raise ValueError("an empty page cannot tell where the next one begins")
        return self


class Charge(Answer):
    """The attempt of a payment that took the money."""

    object: Literal["charge"]
    id: str
    captured: bool
    amount_captured: int
    disputed: bool
    payment_intent: str | None = None
    payment_method_details: PaymentMethodDetails | None = None
    refunds: RefundPage | None = None


class Intent(Answer):
    """A payment, read with `latest_charge.refunds` expanded. Stripe writes currencies in lower case."""

    object: Literal["payment_intent"]
    id: str
    status: str
    amount: int
    currency: str
    livemode: bool
    latest_charge: Charge | None = None


class DatedRefundPage(Answer):
    """One page of the account's refunds, newest first."""

    object: Literal["list"]
    data: list[DatedRefund]
    has_more: bool


class DisputePage(Answer):
    """All disputes of one payment: there are never more than a page holds."""

    object: Literal["list"]
    data: list[DisputeAnswer]


class WarningPage(Answer):
    """All early fraud warnings of one payment: there are never more than a page holds."""

    object: Literal["list"]
    data: list[WarningAnswer]


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One payment as it was seen at one moment: itself, all its refunds, and how far it is disputed."""

    intent: Intent
    refunds: tuple[Refund, ...]
    dispute: Dispute
    disputes: tuple[DisputeAnswer, ...] = ()

    @property
    def seen_disputes(self) -> tuple[SeenDispute, ...]:
        """Tell every dispute, the first as well as the last."""
        return tuple(it.seen for it in self.disputes)

    def made_by(self, payout: CardPayout) -> list[Refund]:
        """Find what this attempt made, in any status: a failed one skipped here would be sent again."""
        return [refund for refund in self.refunds if _is_made_by(refund, payout)]

    def live_besides(self, payout: CardPayout) -> list[Refund]:
        """Find the refunds that count and that this attempt did not make."""
        return [refund for refund in self.refunds if refund.is_live and not _is_made_by(refund, payout)]


Shape = TypeVar("Shape", bound=Answer)


def read_answer(shape: type[Shape], answer: object) -> Shape:
    """Read one answer of the SDK; raise `TryAgain` when it is not what was asked for."""
    if isinstance(answer, stripe.StripeObject):
        try:
            return shape.model_validate(answer.to_dict())
        except ValidationError:
            pass  # The complaint holds the content, which belongs into no message; it is dropped here.
    raise TryAgain(f"Stripe sent an answer that is no readable {shape.__name__.lower()}.")


def judge_disputes(disputes: list[DisputeAnswer]) -> Dispute:
    """Say how far a charge that was ever disputed is contested now; an unlisted dispute counts as open.

    `prevented` counts as open as well: the bank was paid through another programme, so a person must look.
    """
    statuses = {dispute.status for dispute in disputes}
    if "lost" in statuses:
        return Dispute.LOST
    if statuses and statuses <= {"won", "warning_closed"}:
        return Dispute.NONE
    return Dispute.OPEN


def _fitting(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _is_made_by(refund: Refund, payout: CardPayout) -> bool:
    is_known = payout.provider_ref is not None and refund.id == payout.provider_ref
    return is_known or (refund.refund_id, refund.attempt) == (payout.refund_id, str(payout.attempt))
