"""May this deposit be paid back? A pure function of facts, policy and the moment of the request."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.money import Money
from domain.payments import (
    CardPayment,
    CardPaymentRef,
    ChainPayment,
    ChainPaymentRef,
    Dispute,
    PaymentFacts,
    PaymentRef,
    Settlement,
)
from domain.policy import Policy
from domain.verdicts import Fact, Outcome, Rule, RuleResult, Verdict, combine


class AccountStatus(StrEnum):
    """Whether the merchant serves this account."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class DepositState(StrEnum):
    """Where a deposit's money is, apart from orders."""

    OPEN = "open"
    HELD = "held"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged_back"


class DepositFacts(BaseModel):
    """What our books say of a deposit. Orders: `charged` is used, `pending` may still be charged."""

    model_config = ConfigDict(frozen=True)

    deposit_id: str
    credited: Money
    paid_at: datetime
    payment: PaymentRef
    terms_version: str | None = None
    account_status: AccountStatus = AccountStatus.ACTIVE
    state: DepositState = DepositState.OPEN
    held_by_other_refund: str | None = None
    charged_minor: int = 0
    charged_orders: int = 0
    pending_minor: int = 0
    pending_orders: int = 0


def assess(
    deposit: DepositFacts,
    payment: PaymentFacts,
    policy: Policy,
    *,
    requested_at: datetime,
    received_at: datetime,
) -> Verdict:
    """Apply every rule; none is skipped, so that customer, operator and auditor read all the reasons.

    `received_at` is when we first heard of the request: a request dated after it is in the future.
    """
    version = policy.version_for(deposit.paid_at, deposit.terms_version)
    skew = timedelta(seconds=policy.handling.clock_skew_seconds)
    route, destination = _route(payment)
    rules = (
        _window(deposit.paid_at, requested_at, received_at, version.window, skew),
        _unused(deposit),
        _settled(deposit.payment, payment),
        _clean(deposit, payment),
        route,
    )
    return Verdict(
        policy_version=version.version,
        outcome=combine([result.outcome for result in rules]),
        rules=rules,
        destination=destination,
    )


def _window(
    paid_at: datetime, requested_at: datetime, received_at: datetime, window: timedelta, skew: timedelta
) -> RuleResult:
    # Seconds are the unit of the promise, so a fraction of a second never decides against the customer.
    # In UTC: two moments of one zone that changes its clocks would be an hour off.
    paid, asked = (moment.astimezone(UTC).replace(microsecond=0) for moment in (paid_at, requested_at))
    facts = {
        "paid_at": paid.isoformat(),
        "requested_at": asked.isoformat(),
        "elapsed_seconds": int((asked - paid).total_seconds()),
        "window_seconds": int(window.total_seconds()),
    }

    def result(outcome: Outcome, code: str, reason: str) -> RuleResult:
        return RuleResult(rule=Rule.WINDOW, outcome=outcome, code=code, reason=reason, facts=dict(facts))

    if requested_at - received_at > skew:
        return result(Outcome.FAIL, "request_in_future", "The request is dated in the future.")
    if asked < paid:
        return result(Outcome.FAIL, "request_before_deposit", "The request is older than the deposit.")
    if asked - paid > window:
        days = (asked - paid).days
        return result(
            Outcome.FAIL,
            "window_over",
            f"The deposit was paid {days} days before the request; the promise holds for {window.days} days.",
        )
    return result(Outcome.PASS, "in_window", f"The request came within {window.days} days of the deposit.")


def _unused(deposit: DepositFacts) -> RuleResult:
    facts = {
        "charged_minor": deposit.charged_minor,
        "charged_orders": deposit.charged_orders,
        "pending_minor": deposit.pending_minor,
        "pending_orders": deposit.pending_orders,
    }
    if deposit.charged_minor > 0:
        used = Money(amount_minor=deposit.charged_minor, currency=deposit.credited.currency)
        return RuleResult(
            rule=Rule.UNUSED,
            outcome=Outcome.FAIL,
            code="used",
            reason=f"{used} of the deposit was used by {_orders(deposit.charged_orders)}; "
            "only a wholly unused deposit can be refunded.",
            facts=facts,
        )
    if deposit.pending_minor > 0:
        return RuleResult(
            rule=Rule.UNUSED,
            outcome=Outcome.WAIT,
            code="orders_pending",
            reason=f"{_orders(deposit.pending_orders).capitalize()} may still be charged to the deposit.",
            facts=facts,
        )
    return RuleResult(
        rule=Rule.UNUSED,
        outcome=Outcome.PASS,
        code="unused",
        reason="Nothing of the deposit was used.",
        facts=facts,
    )


def _orders(count: int) -> str:
    return "one order" if count == 1 else f"{count} orders"


def _settled(expected: PaymentRef, payment: PaymentFacts) -> RuleResult:
    if isinstance(expected, CardPaymentRef) and isinstance(payment, CardPayment):
        return _card_settled(expected, payment)
    if isinstance(expected, ChainPaymentRef) and isinstance(payment, ChainPayment):
        return _chain_settled(expected, payment)
    raise TypeError("the facts are of another rail than the deposit")


def _card_settled(expected: CardPaymentRef, payment: CardPayment) -> RuleResult:
    facts = {
        "payment_intent": expected.payment_intent,
        "payment_status": payment.status,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
    }

    def result(outcome: Outcome, code: str, reason: str) -> RuleResult:
        return RuleResult(rule=Rule.SETTLED, outcome=outcome, code=code, reason=reason, facts=dict(facts))

    if not payment.found:
        return result(Outcome.FAIL, "payment_unknown", "The card processor does not know this payment.")
    if payment.status in ("processing", "requires_capture", "requires_action", "requires_confirmation"):
        return result(Outcome.WAIT, "payment_unsettled", "The card payment is not settled yet.")
    if payment.status != "succeeded" or not payment.is_captured:
        return result(Outcome.FAIL, "payment_not_made", "The card payment was never completed.")
    if (payment.amount_minor, payment.currency) != (expected.amount_minor, expected.currency):
        return result(
            Outcome.FAIL,
            "amount_differs",
            "The card payment's amount is not the one recorded for the deposit.",
        )
    return result(Outcome.PASS, "settled", "The card payment succeeded with exactly the deposit's amount.")


def _chain_settled(expected: ChainPaymentRef, payment: ChainPayment) -> RuleResult:
    facts = {
        "chain_id": expected.chain_id,
        "tx_hash": expected.tx_hash,
        "settlement": payment.settlement.value,
    }

    def result(outcome: Outcome, code: str, reason: str) -> RuleResult:
        return RuleResult(
            rule=Rule.SETTLED,
            outcome=outcome,
            code=code,
            reason=reason,
            facts=dict(facts),
            moving_facts={"block_number": payment.block_number},
        )

    # An amount that cannot be read (an internal transfer, a token) is for the route to review, not a difference.
    differs = payment.amount_base_units not in (None, expected.amount_base_units)
    if payment.settlement == Settlement.FINAL and differs:
        return result(
            Outcome.FAIL,
            "amount_differs",
            "The chain transaction moved another amount than recorded for the deposit.",
        )
    if payment.settlement == Settlement.FINAL:
        return result(Outcome.PASS, "settled", "The chain transaction is final.")
    if payment.settlement == Settlement.FAILED:
        return result(Outcome.FAIL, "payment_not_made", "The chain transaction failed; nothing was deposited by it.")
    # A node that does not know a transaction proves nothing: it may lag, so this waits and never refuses.
    return result(Outcome.WAIT, "payment_unsettled", "The chain transaction is not final yet.")


def _clean(deposit: DepositFacts, payment: PaymentFacts) -> RuleResult:
    facts: dict[str, Fact] = {
        "deposit_state": deposit.state.value,
        "account_status": deposit.account_status.value,
        "held_by": deposit.held_by_other_refund,
    }
    if isinstance(payment, CardPayment):
        facts |= {"refunded_outside_minor": payment.refunded_minor, "dispute": payment.dispute.value}

    def result(outcome: Outcome, code: str, reason: str) -> RuleResult:
        return RuleResult(rule=Rule.CLEAN, outcome=outcome, code=code, reason=reason, facts=dict(facts))

    if deposit.state == DepositState.REFUNDED:
        return result(Outcome.FAIL, "already_refunded", "The deposit was refunded before.")
    if deposit.state == DepositState.CHARGED_BACK:
        return result(Outcome.FAIL, "charged_back", "The deposit was charged back by the customer's bank.")
    if isinstance(payment, CardPayment) and payment.dispute != Dispute.NONE:
        return result(Outcome.FAIL, "disputed", "The card payment is disputed at the customer's bank.")
    if isinstance(payment, CardPayment) and payment.refunded_minor > 0:
        return result(Outcome.FAIL, "refunded_outside", "The card payment was refunded outside this service.")
    if deposit.account_status == AccountStatus.SUSPENDED:
        return result(Outcome.FAIL, "account_suspended", "The account is suspended.")
    if deposit.held_by_other_refund is not None:
        return result(
            Outcome.FAIL,
            "held_by_other_refund",
            f"Refund {deposit.held_by_other_refund} is paying this deposit back.",
        )
    return result(Outcome.PASS, "clean", "No dispute, no other refund, and the account is in good standing.")


def _route(payment: PaymentFacts) -> tuple[RuleResult, str | None]:
    """Find the way back: the paying card, or the sender of the deposit's own chain transaction."""

    def result(outcome: Outcome, code: str, reason: str) -> RuleResult:
        return RuleResult(rule=Rule.ROUTE, outcome=outcome, code=code, reason=reason)

    if isinstance(payment, CardPayment):
        if payment.found and not payment.is_card:
            return result(Outcome.REVIEW, "not_a_card", "The payment was not made by card."), None
        return result(Outcome.PASS, "card", "The refund goes to the card that paid."), "card"
    if payment.refuse:
        return result(Outcome.FAIL, ",".join(payment.refuse), "This chain transaction is not a deposit to us."), None
    if payment.settlement != Settlement.FINAL:
        return result(Outcome.WAIT, "sender_not_final", "The sender is known once the transaction is final."), None
    unread = "sender_unknown" if payment.sender is None else "amount_unknown"
    if payment.review or payment.sender is None or payment.amount_base_units is None:
        return (
            result(
                Outcome.REVIEW,
                ",".join(payment.review) or unread,
                "A person must judge whether the sender can be paid.",
            ),
            payment.sender,
        )
    return result(Outcome.PASS, "sender", "The refund goes to the address that sent the deposit."), payment.sender
