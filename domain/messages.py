"""What the customer is told, in plain words and without promises that are not ours to make."""

from domain.money import Money
from domain.refunds import RefundStatus, StatusReason
from domain.verdicts import Outcome, Verdict

# What a wait for the customer asks of them.
QUESTIONS = {
    StatusReason.PROOF_MISSING: "Please send us the payment id of your deposit, or its transaction hash.",
    StatusReason.PROOF_MATCHES_NOTHING: "The proof of payment matches no deposit of this account. "
    "Please send us its payment id or transaction hash again.",
    StatusReason.DEPOSIT_AMBIGUOUS: "You have several deposits. Please tell us which one you ask to have back.",
}

REJECTIONS = {
    StatusReason.OPERATOR_REJECTED: "Your refund was not approved. Please ask us on this ticket for the reason.",
    StatusReason.OPERATOR_GAVE_UP: "Your refund could not be paid. We will write to you on this ticket.",
    StatusReason.OWNERSHIP_DENIED: "We could not confirm that the account is yours, so nothing was refunded.",
    StatusReason.PROOF_MATCHES_NOTHING: "The proof of payment matches no deposit of this account.",
}


def write_message(
    *,
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
    match status:
        case RefundStatus.AWAITING_OWNERSHIP:
            return QUESTIONS.get(reason) if reason else None
        case RefundStatus.REFUNDED if rail == "card" and reason == StatusReason.PAID:
            return (
                f"We sent {amount} back to the card you paid with (reference {reference}). "
                "Banks take some working days to show it."
            )
        case RefundStatus.REFUNDED if reason == StatusReason.PAID:
            return (
                f"We sent your deposit of {amount} back in the same coin to the address it came from, "
                f"{destination} (chain transaction {reference})."
            )
        case RefundStatus.REFUNDED:
            return f"Your deposit of {amount} was paid back to you."
        case RefundStatus.INELIGIBLE if verdict is not None:
            failed = [result.reason for result in verdict.rules if result.outcome == Outcome.FAIL]
            return "This deposit cannot be refunded. " + " ".join(failed)
        case RefundStatus.REJECTED:
            return REJECTIONS.get(reason) if reason else None
        case RefundStatus.WITHDRAWN:
            return "Your request was withdrawn. Your balance is yours to use again."
        case RefundStatus.EXPIRED if reason == StatusReason.ORDERS_UNDECIDED:
            return "An order on this deposit is still open, so this request was closed. A new ticket may ask again."
        case RefundStatus.EXPIRED if reason == StatusReason.PAYMENT_UNDECIDED:
            return "The payment of this deposit never settled, so this request was closed."
        case RefundStatus.EXPIRED:
            return "We did not hear from you, so this request was closed. A new ticket may ask again."
        case RefundStatus.DUPLICATE:
            return f"This deposit is already being refunded under {duplicate_of}."
        case _:
            return None
