"""What the simulator keeps about each object; everything that can be computed is left out."""

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Record:
    """Any object: `created` is a Unix time of the simulator's clock; amounts are in minor units."""

    kind: ClassVar[str]

    id: str
    created: int


@dataclass(frozen=True, kw_only=True)
class PaymentIntent(Record):
    """A payment, confirmed or not."""

    kind: ClassVar[str] = "payment_intent"

    amount: int
    currency: str
    status: str
    capture_method: str
    payment_method: str | None
    payment_method_types: list[str]
    latest_charge: str | None
    description: str | None
    receipt_email: str | None
    metadata: dict[str, str] = field(default_factory=dict)
    # What a file written before these fields were known does not have, has a default.
    test_card: str | None = None
    amount_captured: int | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    last_payment_error: dict[str, Any] | None = None

    @property
    def amount_received(self) -> int:
        """What was captured: the whole amount, unless less of it was."""
        if self.status != "succeeded":
            return 0
        return self.amount if self.amount_captured is None else self.amount_captured


@dataclass(frozen=True, kw_only=True)
class Charge(Record):
    """Money taken from a card; `test_card` is the test payment method it was made with.

    `is_released` tells that it was never captured and never will be: the hold on the card was given up.
    """

    kind: ClassVar[str] = "charge"

    amount: int
    currency: str
    payment_intent: str
    payment_method: str
    test_card: str
    is_captured: bool
    description: str | None
    receipt_email: str | None
    metadata: dict[str, str] = field(default_factory=dict)
    status: str = "succeeded"
    amount_captured: int | None = None
    is_released: bool = False

    @property
    def captured_amount(self) -> int:
        """What can be refunded at most."""
        if not self.is_captured:
            return 0
        return self.amount if self.amount_captured is None else self.amount_captured


@dataclass(frozen=True, kw_only=True)
class Refund(Record):
    """Money on its way back to the card."""

    kind: ClassVar[str] = "refund"

    amount: int
    currency: str
    charge: str
    payment_intent: str
    status: str
    reason: str | None
    pending_reason: str | None = None
    failure_reason: str | None = None
    failure_balance_transaction: str | None = None
    balance_transaction: str | None
    metadata: dict[str, str] = field(default_factory=dict)
    destination: str = "card"
    is_reversal: bool = False
    reference: str | None = None
    reference_status: str = "pending"
    instructions_email: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether it takes its amount from what can still be refunded."""
        return self.status not in ("failed", "canceled")


@dataclass(frozen=True, kw_only=True)
class Dispute(Record):
    """A chargeback, or an inquiry that may become one; `amount` can be more than was charged."""

    kind: ClassVar[str] = "dispute"

    amount: int
    currency: str
    charge: str
    payment_intent: str
    status: str
    reason: str
    submission_count: int = 0
    balance_transactions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_inquiry(self) -> bool:
        """Whether the bank only asks, so that the charge can still be refunded."""
        return self.status.startswith("warning_")

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ("warning_closed", "won", "lost")

    @property
    def blocks_refunds(self) -> bool:
        """Whether the bank has taken the money back, or may keep it."""
        return not self.is_inquiry and self.status != "won"

    @property
    def withdrawn_amount(self) -> int:
        """How much of our balance the bank holds because of it."""
        return -sum(int(movement["amount"]) for movement in self.balance_transactions)


@dataclass(frozen=True, kw_only=True)
class EarlyFraudWarning(Record):
    """The card's issuer says that a charge may be fraudulent."""

    kind: ClassVar[str] = "radar.early_fraud_warning"

    charge: str
    payment_intent: str
    fraud_type: str
    actionable: bool = True
