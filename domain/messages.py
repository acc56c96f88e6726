"""What the customer is told, in plain words and without promises that are not ours to make."""

from domain.languages import Language, joined, say
from domain.money import Money
from domain.payouts import CardDestination
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
    StatusReason.LOSS_ACCEPTED: "taken_back_by_bank",
    StatusReason.OWNERSHIP_DENIED: "not_the_owner",
    StatusReason.PROOF_MATCHES_NOTHING: "proof_matches_nothing",
}

# A refund is a credit of its own; a reversal lets the charge vanish, and never has a reference of the bank.
SHOWN_BY_THE_BANK = {
    CardDestination.PENDING: "credit_or_no_charge",
    CardDestination.REFUND: "credit_in_days",
    CardDestination.REVERSAL: "charge_vanishes",
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
    destination_type: CardDestination = CardDestination.PENDING,
    bank_reference: str | None = None,
    is_charged_back: bool = False,
) -> str | None:
    """Return the message for where a refund stands, or None where the customer has nothing to hear.

    `is_charged_back` says that the bank took the payment back: then no balance of it is the customer's to use, and
    nothing more is promised.
    """
    if status == RefundStatus.INELIGIBLE and verdict is not None:
        return _refusal(language, verdict)
    name = _sentence(status, reason, rail)
    if name is None:
        return None
    names = [name]
    if name == "sent_to_card":
        names = [name, SHOWN_BY_THE_BANK[destination_type]]
        names += ["bank_finds_it_by"] if bank_reference is not None else []
    if name == "could_not_be_paid" and is_charged_back:
        names = ["taken_back_by_bank"]
    if name == "withdrawn":
        names = [name, "taken_back_by_bank" if is_charged_back else "balance_is_free"]
    facts = {"destination": destination, "reference": reference, "other": duplicate_of}
    said = (say(language, it, amount=amount, bank_reference=bank_reference, **facts) for it in names)
    return joined(language, said)


def _sentence(status: RefundStatus, reason: StatusReason | None, rail: str) -> str | None:
    match status:
        case RefundStatus.AWAITING_OWNERSHIP:
            return QUESTIONS.get(reason) if reason else None
        case RefundStatus.REFUNDED if reason == StatusReason.PAID:
            return "sent_to_card" if rail == "card" else "sent_to_address"
        case RefundStatus.REFUNDED:
            # Of a dispute that was lost the bank tells the customer; they were told of the refund when it was sent.
            return "paid_otherwise" if reason == StatusReason.PAID_OUTSIDE else None
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
