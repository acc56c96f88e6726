"""What is compared when books meet the outside: our rows, what processor and chain show, and what can differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.money import NATIVE
from domain.payouts import PAID, PayoutStatus
from domain.refunds import RefundStatus


class DifferenceKind(StrEnum):
    """How books and outside can differ; a closed list, explained in the glossary. Each is a kind of finding."""

    PAID_NOT_BOOKED = "paid_not_booked"
    BOOKED_NOT_PAID = "booked_not_paid"
    AMOUNT_DIFFERS = "amount_differs"
    DESTINATION_DIFFERS = "destination_differs"
    PAID_TWICE = "paid_twice"
    UNOWNED_PAYMENT = "unowned_payment"
    DEPOSIT_GONE = "deposit_gone"
    HOLD_WITHOUT_REFUND = "hold_without_refund"
    REFUND_WITHOUT_PROGRESS = "refund_without_progress"
    BOOKS_UNBALANCED = "books_unbalanced"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One matter for a person. `subject` names it for ever; `at` is when it came to be, None where nobody knows."""

    kind: DifferenceKind
    subject: str
    refund_id: str | None = None
    deposit_id: str | None = None
    at: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{KEY_PREFIX}{self.kind}/{self.subject}"


KEY_PREFIX = "reconciliation/"


@dataclass(frozen=True)
class UnderWay:
    """Money on its way: nothing is wrong, and nothing is certain yet.

    `matter` is the key of the finding that it will be, or was already, if nothing more happens.
    """

    refund_id: str | None
    matter: str | None = None


Judgement = Difference | UnderWay | None


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When is compared, and how young something may be to count as under way."""

    now: datetime
    grace: timedelta

    def is_young(self, at: datetime) -> bool:
        return self.now - at < self.grace


@dataclass(frozen=True, kw_only=True)
class BookedPayout:
    """One payout as our database has it. `amount` is minor units by card and base units on a chain."""

    refund_id: str
    attempt: int
    deposit_id: str
    status: PayoutStatus
    is_current: bool
    hold_state: str | None
    amount: int
    begun_at: datetime
    updated_at: datetime
    currency: str | None = None
    provider_ref: str | None = None
    payment_intent: str | None = None
    chain_id: int | None = None
    wallet: str | None = None
    destination: str | None = None
    asset: str = NATIVE
    nonce: int | None = None
    tx_hashes: tuple[str, ...] = ()

    @property
    def is_booked(self) -> bool:
        """Whether the books say of the deposit what a paid refund makes them say; an older attempt has no say."""
        return not self.is_current or self.hold_state in ("captured", "charged_back")


@dataclass(frozen=True, kw_only=True)
class BookedDeposit:
    """One deposit with all its payouts, and the refund that asked last."""

    deposit_id: str
    refund_id: str | None
    payouts: tuple[BookedPayout, ...]
    payment_tx_hash: str | None = None

    def paid_besides(self, payout: BookedPayout | None) -> BookedPayout | None:
        """Find another payout that is paid by our books."""
        return next((it for it in self.payouts if it.status in PAID and it != payout), None)


@dataclass(frozen=True, kw_only=True)
class ProviderRefund:
    """One refund as the card processor has it. The last two are what its metadata claims, if that can be ours."""

    ref: str
    payment_intent: str | None
    amount_minor: int
    currency: str
    is_live: bool
    is_done: bool
    created_at: datetime
    refund_id: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, kw_only=True)
class SentTransfer:
    """One chain transaction that a wallet signed and a block holds, by the first thing that left the wallet in it.

    A token's movement is what its log tells. Where nothing left, `amount_base_units` is 0 and `to` is who was called.
    """

    tx_hash: str
    nonce: int | None
    to: str | None
    amount_base_units: int
    succeeded: bool
    is_final: bool
    block_number: int
    asset: str = NATIVE
    more_count: int = 0
    """How many more things left the wallet in it."""


@dataclass(frozen=True, kw_only=True)
class LikelyRefund:
    """A refund to the receiver, and of the asset and amount, of a transfer that none of our payouts sent."""

    refund_id: str
    deposit_id: str
    is_paid: bool


@dataclass(frozen=True, kw_only=True)
class BookedRefund:
    """One refund that our database counts as open, or that still has a hold."""

    refund_id: str
    deposit_id: str | None
    status: RefundStatus
    hold_state: str | None
    has_paid_payout: bool
    updated_at: datetime
    patience: timedelta | None
    """How long it may stand still; None while a person or the customer must move."""
