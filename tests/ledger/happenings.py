"""What providers and chains may say of a payment or a payout, the usual more often than the rare."""

from domain.disputes import OPEN_STAGES, DisputeStage, SeenDispute
from domain.payments import Dispute
from domain.payouts import DEAD, PayoutStatus
from domain.refunds import StatusReason
from domain.transfers import Sighting
from tests.ledger.scene import DISPUTED_CARD, PAID_CARD, PAID_CHAIN

NEXT_OUTCOMES = {
    PayoutStatus.QUEUED: [PayoutStatus.UNKNOWN, PayoutStatus.PENDING, PayoutStatus.SUCCEEDED, PayoutStatus.FAILED],
    PayoutStatus.UNKNOWN: [PayoutStatus.UNKNOWN, PayoutStatus.PENDING, PayoutStatus.SUCCEEDED, PayoutStatus.REFUSED],
    PayoutStatus.PENDING: [PayoutStatus.UNKNOWN, PayoutStatus.SUCCEEDED, PayoutStatus.FAILED, PayoutStatus.CANCELED],
    PayoutStatus.SUCCEEDED: [PayoutStatus.SUCCEEDED, PayoutStatus.FAILED],
    PayoutStatus.FAILED: [PayoutStatus.FAILED, PayoutStatus.SUCCEEDED],
}
CARD_FACTS = [
    PAID_CARD,
    PAID_CARD,
    PAID_CARD,
    DISPUTED_CARD,
    PAID_CARD.model_copy(update={"dispute": Dispute.LOST}),
    PAID_CARD.model_copy(update={"status": "processing"}),
    PAID_CARD.model_copy(update={"is_card": False}),
]
CHAIN_FACTS = [
    PAID_CHAIN,
    PAID_CHAIN,
    PAID_CHAIN.model_copy(update={"block_number": 99}),
    PAID_CHAIN.model_copy(update={"sender": "0x" + "77" * 20}),
    PAID_CHAIN.model_copy(update={"sender": None}),
]
MINED = Sighting(is_mined=True, block_number=9, succeeded=True)
FINAL = MINED.model_copy(update={"is_final": True})
SIGHTINGS = [
    None,
    MINED,
    FINAL,
    FINAL,
    FINAL.model_copy(update={"is_buried": True}),
    FINAL.model_copy(update={"succeeded": False}),
]


def disputes(stages: list[DisputeStage]) -> tuple[SeenDispute, ...]:
    """Make a dispute for each stage, always under the same names."""
    return tuple(
        SeenDispute(dispute_id=f"du_{number}", stage=stage, status="x", amount_minor=2000, currency="USD")
        for number, stage in enumerate(stages)
    )


def judged(status: PayoutStatus, stages: list[DisputeStage]) -> StatusReason | None:
    """Name the reason that the gateway gives for these disputes."""
    if status in DEAD:
        return StatusReason.PAYOUT_FAILED
    if DisputeStage.LOST in stages:
        return StatusReason.DISPUTE_LOST
    return StatusReason.PAYOUT_DISPUTED if set(stages) & OPEN_STAGES else None
