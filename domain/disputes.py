"""What a customer's bank does about a card payment: disputes in their stages, and warnings of fraud."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class DisputeStage(StrEnum):
    """How far one dispute has gone. An inquiry takes no money; a chargeback has taken it, and may give it back."""

    INQUIRY = "inquiry"
    CHARGEBACK = "chargeback"
    LOST = "lost"
    WON = "won"
    CLOSED = "closed"  # an inquiry that ended without a chargeback, or a dispute that is not shown any more


OPEN_STAGES = frozenset([DisputeStage.INQUIRY, DisputeStage.CHARGEBACK])


class Contest(StrEnum):
    """How far a refund's payment is contested by all of its disputes together."""

    NONE = "none"
    OPEN = "open"
    LOST = "lost"
    """One was lost, and nobody has accepted that loss yet."""


class SeenDispute(BaseModel):
    """One dispute as the processor showed it. The amount may differ from the payment's, and so may the currency."""

    model_config = ConfigDict(frozen=True)

    dispute_id: str
    stage: DisputeStage
    status: str
    amount_minor: int
    currency: str
    withdrawn_minor: int = 0
    """What the bank holds of our money for it now: 0 for an inquiry, and again after it was won."""


class FraudWarning(BaseModel):
    """What a card's issuer suspects. It forbids nothing: a full refund is the best answer to it."""

    model_config = ConfigDict(frozen=True)

    warning_id: str
    fraud_type: str
    is_actionable: bool
