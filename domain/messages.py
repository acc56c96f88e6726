"""What the customer is told, in plain words and without promises that are not ours to make."""

from domain.languages import Language, say
from domain.money import Money
from domain.refunds import RefundStatus, StatusReason
from domain.verdicts import Outcome, Verdict

# What a wait for the customer asks of them.
QUESTIONS = {
    StatusReason.PROOF_MISSING: "ask_proof",
    StatusReason.PROOF_MATCHES_NOTHING: "ask_other_proof",
    StatusReason.DEPOSIT_AMBIGUOUS: "ask_deposit",
}

REJECTIONS = {
    StatusReason.OPERATOR_REJECTED: "not_approved",
    StatusReason.OPERATOR_GAVE_UP: "could_not_be_paid",
    StatusReason.OWNERSHIP_DENIED: "not_the_owner",
    StatusReason.PROOF_MATCHES_NOTHING: "proof_matches_nothing",
}

EXPIRIES = {StatusReason.ORDERS_UNDECIDED: "order_still_open", StatusReason.PAYMENT_UNDECIDED: "never_settled"}


def write_message(
    *,
    language: Language,
    status: RefundStatus,
    reason: StatusReason | None,
    rail: str,
    amount: Money | None,
    verdict: Verdict | None,
    destination: str | None,
    reference: str | None,
    duplicate_of: str | None,
) -> str | None:
    """Return the message for where a refund stands, or None where the customer has nothing to hear."""
    if status == RefundStatus.INELIGIBLE and verdict is not None:
        return _refusal(language, verdict)
    name = _sentence(status, reason, rail)
    if name is None:
        return None
    return say(language, name, amount=amount, destination=destination, reference=reference, other=duplicate_of)


def _sentence(status: RefundStatus, reason: StatusReason | None, rail: str) -> str | None:
    match status:
        case RefundStatus.AWAITING_OWNERSHIP:
            return QUESTIONS.get(reason) if reason else None
        case RefundStatus.REFUNDED if reason == StatusReason.PAID:
            return "sent_to_card" if rail == "card" else "sent_to_address"
        case RefundStatus.REFUNDED:
            return "paid_otherwise"
        case RefundStatus.REJECTED:
            return REJECTIONS.get(reason) if reason else None
        case RefundStatus.WITHDRAWN:
            return "withdrawn"
        case RefundStatus.EXPIRED:
            return EXPIRIES.get(reason, "no_answer") if reason else "no_answer"
        case RefundStatus.DUPLICATE:
            return "refunded_under_another"
        case _:
            return None


def _refusal(language: Language, verdict: Verdict) -> str:
    """Say which rules failed; a verdict from before a language was written says its reasons in English."""
    failed = [result for result in verdict.rules if result.outcome == Outcome.FAIL]
    reasons = [result.reasons.get(language, result.reason) for result in failed]
    return " ".join([say(language, "cannot_be_refunded"), *reasons])
