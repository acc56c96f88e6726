"""What a look at the card processor shows of a refund and of the bank's disputes, recorded in a scene."""

from domain.disputes import DisputeStage, SeenDispute
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.refunds import RefundState, StatusReason
from tests.ledger.scene import Scene

REASONS = {
    DisputeStage.INQUIRY: StatusReason.PAYOUT_DISPUTED,
    DisputeStage.CHARGEBACK: StatusReason.PAYOUT_DISPUTED,
    DisputeStage.LOST: StatusReason.DISPUTE_LOST,
}


def dispute(stage: DisputeStage, name: str = "du_1") -> SeenDispute:
    withdrawn = 2000 if stage in (DisputeStage.CHARGEBACK, DisputeStage.LOST) else 0
    return SeenDispute(
        dispute_id=name,
        stage=stage,
        status=f"as {stage}",
        amount_minor=2000,
        currency="USD",
        withdrawn_minor=withdrawn,
    )


def look(scene: Scene, refund: str, status: PayoutStatus, *seen: SeenDispute) -> RefundState:
    """Record what one look at the processor shows: the refund, and every dispute."""
    reason = next((REASONS[it.stage] for it in seen if it.stage in REASONS), None)
    if status == PayoutStatus.FAILED:
        reason = StatusReason.PAYOUT_FAILED
    outcome = PayoutOutcome(status=status, provider_ref="re_1", reason=reason, disputes=seen)
    return scene.payouts.record_outcome(refund, 1, outcome)
