"""What a sight of the payment, or a refusal, means for a payout: pure functions without a call."""

import re
from datetime import UTC, datetime

from domain.differences import ProviderRefund
from domain.payments import Dispute
from domain.payouts import CardPayout, PayoutOutcome, PayoutStatus
from domain.refunds import StatusReason
from gateways.stripe.answers import DatedRefund, Refund, Sight
from gateways.stripe.errors import Action, Refusal

_NAMED_MAX = 3  # refunds that a detail names
# Metadata can be written by anyone with access to the account: only what looks like ours is taken over.
_REFUND_ID = re.compile(r"rf_[0-9a-f]{24}")
_ATTEMPT = re.compile(r"[0-9]{1,4}")
_CONTESTED = {
    Dispute.NONE: None,
    Dispute.OPEN: StatusReason.PAYOUT_DISPUTED,
    Dispute.LOST: StatusReason.DISPUTE_LOST,
}


def adopt(sight: Sight, payout: CardPayout) -> PayoutOutcome | None:
    """Take over what this attempt made before, whatever became of it; None when it made nothing."""
    made = sight.made_by(payout)
    live = [refund for refund in made if refund.is_live]
    if len(live) > 1:
        return unknown(f"several_refunds: {_names(live)}")
    if not made:
        return None
    return outcome_of((live or made)[0], payout, dispute=sight.dispute)


def outcome_of(refund: Refund, payout: CardPayout, *, dispute: Dispute = Dispute.NONE) -> PayoutOutcome:
    """Map one refund of ours; one that is not exactly what was asked for is unknown."""
    asked = (payout.payment_intent, payout.amount_minor, payout.currency.upper())
    if (refund.payment_intent, refund.amount, refund.currency.upper()) != asked:
        return unknown("answer_differs", provider_ref=refund.id)
    match refund.status:
        case "pending":
            # What it waits for stays readable: finance must hear of a balance that is short, disputed or not.
            return PayoutOutcome(
                status=PayoutStatus.PENDING,
                provider_ref=refund.id,
                reason=_CONTESTED[dispute],
                detail=refund.pending_reason or "",
                bank=refund.bank,
            )
        case "succeeded":
            return PayoutOutcome(
                status=PayoutStatus.SUCCEEDED,
                provider_ref=refund.id,
                reason=_CONTESTED[dispute],
                detail="" if dispute == Dispute.NONE else f"dispute_{dispute.value}",
                bank=refund.bank,
            )
        case "failed":
            return PayoutOutcome(
                status=PayoutStatus.FAILED,
                provider_ref=refund.id,
                reason=StatusReason.PAYOUT_FAILED,
                detail=refund.failure_reason or "",
                bank=refund.bank,
            )
        case "canceled":
            return PayoutOutcome(
                status=PayoutStatus.CANCELED,
                provider_ref=refund.id,
                reason=StatusReason.PAYOUT_CANCELED,
                detail=refund.failure_reason or "",
                bank=refund.bank,
            )
    # `requires_action` belongs to payment methods other than cards; a new word may mean anything.
    return unknown("unexpected_status", provider_ref=refund.id)


def obstacle(sight: Sight, payout: CardPayout, *, maybe_sent: bool) -> PayoutOutcome | None:
    """Find what forbids sending: one refund of the full amount of a clean, captured card payment, or none.

    With `maybe_sent` an earlier request may still be on its way. Stripe itself stops it in every case but
    one: it accepts refunds while the bank only inquires. There the outcome stays unknown until the bank has decided:
    what was charged back for good, weeks later, is refunded by no request any more.
    """
    charge = sight.intent.latest_charge
    if sight.intent.status != "succeeded" or charge is None or not charge.captured:
        return refused("payment_not_captured")
    if charge.payment_method_details is None or charge.payment_method_details.type != "card":
        return refused("not_a_card_payment")
    paid = (charge.amount_captured, sight.intent.currency.upper())
    if paid != (payout.amount_minor, payout.currency.upper()):
        return refused("amount_differs")
    disputed = contested(sight)
    if disputed is not None:
        may_land = maybe_sent and sight.dispute != Dispute.LOST
        return disputed if may_land else refused(disputed.detail, reason=StatusReason.PAYOUT_DISPUTED)
    return taken(sight, payout)


def contested(sight: Sight) -> PayoutOutcome | None:
    """Say that the bank contests a payment of which no refund is to be seen; None where it does not."""
    if sight.dispute == Dispute.NONE:
        return None
    return unknown(f"dispute_{sight.dispute.value}", reason=StatusReason.PAYOUT_DISPUTED)


def after_refusal(refusal: Refusal, sight: Sight | None, payout: CardPayout) -> PayoutOutcome:
    """Judge a definite no from Stripe by what is seen after it; ours, if it is there after all, is adopted."""
    if sight is None:
        return unknown("payment_missing")
    ours = adopt(sight, payout)
    if ours is not None:
        return ours
    match refusal.action:
        case Action.TAKEN:
            # Said to be refunded, yet no refund to be seen: a contradiction that a person must resolve.
            return taken(sight, payout) or unknown(refusal.detail)
        case Action.DISPUTED:
            return refused(refusal.detail, reason=StatusReason.PAYOUT_DISPUTED)
        case Action.REFUSED | Action.MISSING:
            return refused(refusal.detail)
    return unknown(refusal.detail)


def with_disputes(outcome: PayoutOutcome, sight: Sight | None) -> PayoutOutcome:
    """Add every dispute that was seen to an outcome; without a sight nothing was seen of them."""
    return outcome if sight is None else outcome.model_copy(update={"disputes": sight.seen_disputes})


def unknown(
    detail: str,
    *,
    provider_ref: str | None = None,
    reason: StatusReason = StatusReason.PAYOUT_UNKNOWN,
) -> PayoutOutcome:
    """Say that a person must look, and that money may have moved."""
    return PayoutOutcome(status=PayoutStatus.UNKNOWN, provider_ref=provider_ref, reason=reason, detail=detail)


def refused(detail: str, *, reason: StatusReason = StatusReason.PAYOUT_REFUSED) -> PayoutOutcome:
    """Say that no refund was made by this attempt, and that none can come of it any more."""
    return PayoutOutcome(status=PayoutStatus.REFUSED, reason=reason, detail=detail)


def taken(sight: Sight, payout: CardPayout) -> PayoutOutcome | None:
    """Say that somebody else refunded the payment, in full or in part; None where nobody did."""
    others = sight.live_besides(payout)
    if not others:
        return None
    return refused(f"refunded_by: {_names(others)}", reason=StatusReason.REFUNDED_OUTSIDE)


def _names(refunds: list[Refund]) -> str:
    return ", ".join(refund.id for refund in refunds[:_NAMED_MAX])


def told(refund: DatedRefund) -> ProviderRefund:
    """Tell one refund for the comparison with our books."""
    marked, attempt = refund.refund_id or "", refund.attempt or ""
    return ProviderRefund(
        ref=refund.id,
        payment_intent=refund.payment_intent,
        amount_minor=refund.amount,
        currency=refund.currency.upper(),
        is_live=refund.is_live,
        is_done=refund.status == "succeeded",
        created_at=datetime.fromtimestamp(refund.created, UTC),
        refund_id=marked if _REFUND_ID.fullmatch(marked) else None,
        attempt=int(attempt) if _ATTEMPT.fullmatch(attempt) else None,
    )
