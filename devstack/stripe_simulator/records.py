"""What the simulator keeps about each object; everything that can be computed is left out."""

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Record:
    """Any object: `created` is a Unix time of the simulator's clock; amounts are in minor units."""

    kind: ClassVar[str]

    id: str
    created: int
    amount: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class PaymentIntent(Record):
    """A payment, confirmed or not."""

    kind: ClassVar[str] = "payment_intent"

    status: str
    capture_method: str
    payment_method: str | None
    payment_method_types: list[str]
    latest_charge: str | None
    description: str | None
    receipt_email: str | None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Charge(Record):
    """Money taken from a card; `test_card` is the test payment method it was made with."""

    kind: ClassVar[str] = "charge"

    payment_intent: str
    payment_method: str
    test_card: str
    is_captured: bool
    description: str | None
    receipt_email: str | None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Refund(Record):
    """Money on its way back to the card."""

    kind: ClassVar[str] = "refund"

    charge: str
    payment_intent: str
    status: str
    reason: str | None
    pending_reason: str | None = None
    failure_reason: str | None = None
    failure_balance_transaction: str | None = None
    balance_transaction: str
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Whether it takes its amount from what can still be refunded."""
        return self.status not in ("failed", "canceled")


@dataclass(frozen=True, kw_only=True)
class Dispute(Record):
    """A chargeback, or an inquiry that may become one."""

    kind: ClassVar[str] = "dispute"

    charge: str
    payment_intent: str
    status: str
    reason: str

    @property
    def is_inquiry(self) -> bool:
        """Whether the bank only asks, so that the charge can still be refunded."""
        return self.status.startswith("warning_")
