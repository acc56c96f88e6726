"""What providers say about the payment behind a deposit, in our words."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from domain.money import NATIVE, AmountMinor, BaseUnits, Currency


class CardPaymentRef(BaseModel):
    """A card payment as the billing feed names it, with what was paid (credited may differ)."""

    model_config = ConfigDict(frozen=True)

    rail: Literal["card"] = "card"
    payment_intent: str
    amount_minor: AmountMinor
    currency: Currency


class ChainPaymentRef(BaseModel):
    """A crypto payment as the billing feed names it. `tx_hash` (with 0x) gets lower case: one payment, one name."""

    model_config = ConfigDict(frozen=True)

    rail: Literal["crypto"] = "crypto"
    chain_id: int
    tx_hash: Annotated[str, AfterValidator(str.lower)]
    log_index: int = -1
    """-1 for the native coin, else the index of the transfer's log in its block."""
    asset: str = NATIVE
    amount_base_units: BaseUnits


PaymentRef = Annotated[CardPaymentRef | ChainPaymentRef, Field(discriminator="rail")]


class Dispute(StrEnum):
    """How far a card payment is contested. An inquiry is open too: money may still be pulled."""

    NONE = "none"
    OPEN = "open"
    LOST = "lost"


class CardPayment(BaseModel):
    """One card payment as Stripe tells it: GET payment_intents/{id} with its charge, refunds and disputes.

    `refunded_minor` sums the refunds that are neither failed nor canceled and that are not this refund's own.
    """

    model_config = ConfigDict(frozen=True)

    rail: Literal["card"] = "card"
    found: bool
    status: str = ""
    is_captured: bool = False
    is_card: bool = False
    amount_minor: int = 0
    currency: str = ""
    refunded_minor: int = 0
    dispute: Dispute = Dispute.NONE


class Settlement(StrEnum):
    """How settled a chain transaction is."""

    MISSING = "missing"
    PENDING = "pending"
    FAILED = "failed"
    FINAL = "final"


class ChainPayment(BaseModel):
    """One crypto payment as the chain tells it, read from the deposit's own transaction.

    `sender` is set only where it is known without doubt; `review` names what a person must judge
    (`sender_is_contract`, `not_a_plain_transfer`, `sender_cannot_receive`, …); `refuse` what no person may
    wave through (`sender_is_ours`, `wrong_recipient`, `amount_differs`, …).
    """

    model_config = ConfigDict(frozen=True)

    rail: Literal["crypto"] = "crypto"
    settlement: Settlement
    block_number: int | None = None
    sender: str | None = None
    amount_base_units: BaseUnits | None = None
    review: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()


PaymentFacts = Annotated[CardPayment | ChainPayment, Field(discriminator="rail")]
