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
    """The index of a token's transfer log in its block; -1 for the native coin, and where the feed names no log."""
    asset: str = NATIVE
    amount_base_units: BaseUnits

    @property
    def names_its_payment(self) -> bool:
        """Tell whether (chain, hash, log) is known, or only the chain can say which log of a token is meant."""
        return self.asset == NATIVE or self.log_index >= 0


PaymentRef = Annotated[CardPaymentRef | ChainPaymentRef, Field(discriminator="rail")]


class Dispute(StrEnum):
    """How far a card payment is contested. An inquiry is open too: money may still be pulled."""

    NONE = "none"
    OPEN = "open"
    LOST = "lost"


class CardPayment(BaseModel):
    """One card payment as Stripe tells it: GET payment_intents/{id} with its charge, refunds and disputes.

    `refunded_minor` sums the refunds that are neither failed nor canceled and that are not this refund's own,
    `own_refunded_minor` those that bear its mark, whichever attempt made them.
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
    own_refunded_minor: int = 0
    dispute: Dispute = Dispute.NONE


class Settlement(StrEnum):
    """How settled a chain transaction is."""

    MISSING = "missing"
    PENDING = "pending"
    FAILED = "failed"
    FINAL = "final"


class CodeKind(StrEnum):
    """What stands at an address. A delegation (EIP-7702) runs code for an account that still belongs to its key."""

    NONE = "none"
    DELEGATION = "delegation"
    CONTRACT = "contract"
    FORGOTTEN = "forgotten"
    """The node no longer holds that state, which only an archive node keeps for days."""


class TraceKind(StrEnum):
    """Whether a node could tell which code paid whom inside a chain transaction."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"


class ChainEvidence(BaseModel):
    """What a person needs to believe a sender, or to judge one: all of it read from the chain, none of it told.

    Everything is of the deposit's own block, but `code_now` and `endpoints`. Nothing here decides: what decides is
    named in `review`, `refuse` and `hold` of the payment.
    """

    model_config = ConfigDict(frozen=True)

    block_hash: str | None = None
    log_index: int | None = None
    """The one log that this deposit is, with a token; also where the feed named none."""
    candidates: int | None = None
    """How many payments to us this chain transaction holds."""
    signer: str | None = None
    """Who signed the chain transaction. With a token this may be a third party, and never decides."""
    code_then: CodeKind | None = None
    code_now: CodeKind | None = None
    sender_nonce: int | None = None
    """How many chain transactions the sender had signed; thousands mean an exchange."""
    trace: TraceKind | None = None
    """None where no trace was needed."""
    paid_by: str | None = None
    """Whose code paid us, as a trace shows. Paying it back would most often lose the money."""
    balance_change_base_units: BaseUnits | None = None
    """What the deposit addresses gained in that block, where no trace tells who paid."""
    received_base_units: BaseUnits | None = None
    """What the token's log credited us with."""
    sent_base_units: BaseUnits | None = None
    """What the customer told the token to move: more than came, where the token keeps a part."""
    imitates: str | None = None
    """The symbol of a listed token that an unlisted contract gives itself."""
    endpoints: int = 1
    """How many endpoints said the same."""


class ChainPayment(BaseModel):
    """One crypto payment as the chain tells it, read from the deposit's own transaction.

    `sender` is set only where it is known without doubt; `review` names what a person must judge
    (`sender_is_contract`, `not_a_plain_transfer`, …); `hold` what must change before anybody may be paid, whoever
    approves (`token_is_paused`, `sender_is_frozen`, …); `refuse` what no person may wave through (`sender_is_ours`,
    `wrong_recipient`, …).
    """

    model_config = ConfigDict(frozen=True)

    rail: Literal["crypto"] = "crypto"
    settlement: Settlement
    block_number: int | None = None
    sender: str | None = None
    amount_base_units: BaseUnits | None = None
    review: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    evidence: ChainEvidence | None = None
    found_on: tuple[int, ...] = ()
    """The chains that do know a hash which its own chain does not."""


PaymentFacts = Annotated[CardPayment | ChainPayment, Field(discriminator="rail")]
