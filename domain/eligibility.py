"""May this deposit be paid back? A pure function of facts, policy and the moment of the request."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.languages import Language, is_said, say, say_in_others
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
    payment_taken_by: str | None = None
    """The other deposit that the same payment backs, once the chain showed that it is the same."""
    charged_minor: int = 0
    charged_orders: int = 0
    pending_minor: int = 0
    pending_orders: int = 0


# A node that does not know a chain transaction may lag by minutes; for older deposits that is no reason any more.
UNKNOWN_AFTER = timedelta(hours=1)


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
    route, destination = _route(payment, is_unknown=_is_unknown(deposit, payment, received_at))
    rules = (
        _window(deposit.paid_at, requested_at, received_at, version.window, skew),
        _unused(deposit),
        _settled(deposit, payment, received_at),
        _clean(deposit, payment),
        route,
    )
    return Verdict(
        policy_version=version.version,
        outcome=combine([result.outcome for result in rules]),
        rules=rules,
        destination=destination,
    )


def _result(
    rule: Rule, outcome: Outcome, code: str, facts: dict[str, Fact], *, sentence: str | None = None, **words: object
) -> RuleResult:
    """Put one rule's result in words: the sentence is called as the code, unless it is named."""
    name = sentence or code
    return RuleResult(
        rule=rule,
        outcome=outcome,
        code=code,
        reason=say(Language.ENGLISH, name, **words),
        reasons=say_in_others(name, **words),
        facts=facts,
    )


def _window(
    paid_at: datetime, requested_at: datetime, received_at: datetime, window: timedelta, skew: timedelta
) -> RuleResult:
    # Seconds are the unit of the promise, so a fraction of a second never decides against the customer.
    # In UTC: two moments of one zone that changes its clocks would be an hour off.
    paid, asked = (moment.astimezone(UTC).replace(microsecond=0) for moment in (paid_at, requested_at))
    facts: dict[str, Fact] = {
        "paid_at": paid.isoformat(),
        "requested_at": asked.isoformat(),
        "elapsed_seconds": int((asked - paid).total_seconds()),
        "window_seconds": int(window.total_seconds()),
    }
    if requested_at - received_at > skew:
        return _result(Rule.WINDOW, Outcome.FAIL, "request_in_future", facts)
    if asked < paid:
        return _result(Rule.WINDOW, Outcome.FAIL, "request_before_deposit", facts)
    if asked - paid > window:
        days = (asked - paid).days
        return _result(Rule.WINDOW, Outcome.FAIL, "window_over", facts, days=days, window_days=window.days)
    return _result(Rule.WINDOW, Outcome.PASS, "in_window", facts, window_days=window.days)


def _unused(deposit: DepositFacts) -> RuleResult:
    facts: dict[str, Fact] = {
        "charged_minor": deposit.charged_minor,
        "charged_orders": deposit.charged_orders,
        "pending_minor": deposit.pending_minor,
        "pending_orders": deposit.pending_orders,
    }
    if deposit.charged_minor > 0:
        used = Money(amount_minor=deposit.charged_minor, currency=deposit.credited.currency)
        sentence = "used_by_one" if deposit.charged_orders == 1 else "used_by_many"
        return _result(
            Rule.UNUSED, Outcome.FAIL, "used", facts, sentence=sentence, used=used, orders=deposit.charged_orders
        )
    if deposit.pending_minor > 0:
        sentence = "pending_one" if deposit.pending_orders == 1 else "pending_many"
        return _result(
            Rule.UNUSED, Outcome.WAIT, "orders_pending", facts, sentence=sentence, orders=deposit.pending_orders
        )
    return _result(Rule.UNUSED, Outcome.PASS, "unused", facts)


def _settled(deposit: DepositFacts, payment: PaymentFacts, received_at: datetime) -> RuleResult:
    expected = deposit.payment
    if isinstance(expected, CardPaymentRef) and isinstance(payment, CardPayment):
        return _card_settled(expected, payment)
    if isinstance(expected, ChainPaymentRef) and isinstance(payment, ChainPayment):
        return _chain_settled(expected, payment, is_unknown=_is_unknown(deposit, payment, received_at))
    raise TypeError("the facts are of another rail than the deposit")


def _card_settled(expected: CardPaymentRef, payment: CardPayment) -> RuleResult:
    facts: dict[str, Fact] = {
        "payment_intent": expected.payment_intent,
        "payment_status": payment.status,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
    }

    def result(outcome: Outcome, code: str) -> RuleResult:
        return _result(Rule.SETTLED, outcome, code, facts, sentence=f"card_{code}")

    if not payment.found:
        return result(Outcome.FAIL, "payment_unknown")
    if payment.status in ("processing", "requires_capture", "requires_action", "requires_confirmation"):
        return result(Outcome.WAIT, "payment_unsettled")
    if payment.status != "succeeded" or not payment.is_captured:
        return result(Outcome.FAIL, "payment_not_made")
    if (payment.amount_minor, payment.currency) != (expected.amount_minor, expected.currency):
        return result(Outcome.FAIL, "amount_differs")
    return result(Outcome.PASS, "settled")


def _is_unknown(deposit: DepositFacts, payment: PaymentFacts, received_at: datetime) -> bool:
    """Tell whether a person must find out where a chain transaction is that its chain does not know."""
    if not isinstance(payment, ChainPayment) or payment.settlement != Settlement.MISSING:
        return False
    return bool(payment.found_on) or received_at - deposit.paid_at >= UNKNOWN_AFTER


def _chain_settled(expected: ChainPaymentRef, payment: ChainPayment, *, is_unknown: bool) -> RuleResult:
    facts: dict[str, Fact] = {
        "chain_id": expected.chain_id,
        "tx_hash": expected.tx_hash,
        "settlement": payment.settlement.value,
    }

    elsewhere = ", ".join(str(chain_id) for chain_id in payment.found_on)
    if elsewhere:
        facts["found_on_chains"] = elsewhere

    def result(outcome: Outcome, code: str) -> RuleResult:
        said = _result(Rule.SETTLED, outcome, code, facts, sentence=f"chain_{code}", chains=elsewhere)
        return said.model_copy(update={"moving_facts": {"block_number": payment.block_number}})

    # An amount that cannot be read (an internal transfer, a token) is for the route to review, not a difference.
    differs = payment.amount_base_units not in (None, expected.amount_base_units)
    if payment.settlement == Settlement.FINAL and differs:
        return result(Outcome.FAIL, "amount_differs")
    if payment.settlement == Settlement.FINAL:
        return result(Outcome.PASS, "settled")
    if payment.settlement == Settlement.FAILED:
        return result(Outcome.FAIL, "payment_not_made")
    if is_unknown:
        return result(Outcome.REVIEW, "on_another_chain" if elsewhere else "payment_unknown")
    # A node that does not know a transaction proves nothing: it may lag, so this waits and never refuses.
    return result(Outcome.WAIT, "payment_unsettled")


def _clean(deposit: DepositFacts, payment: PaymentFacts) -> RuleResult:
    facts: dict[str, Fact] = {
        "deposit_state": deposit.state.value,
        "account_status": deposit.account_status.value,
        "held_by": deposit.held_by_other_refund,
    }
    if deposit.payment_taken_by is not None:
        facts["payment_taken_by"] = deposit.payment_taken_by
    if isinstance(payment, CardPayment):
        facts |= {"refunded_outside_minor": payment.refunded_minor, "dispute": payment.dispute.value}

    def result(outcome: Outcome, code: str) -> RuleResult:
        return _result(Rule.CLEAN, outcome, code, facts, other=deposit.held_by_other_refund)

    if deposit.state == DepositState.REFUNDED:
        return result(Outcome.FAIL, "already_refunded")
    if deposit.state == DepositState.CHARGED_BACK:
        return result(Outcome.FAIL, "charged_back")
    if isinstance(payment, CardPayment) and payment.dispute != Dispute.NONE:
        return result(Outcome.FAIL, "disputed")
    if isinstance(payment, CardPayment) and payment.refunded_minor > 0:
        return result(Outcome.FAIL, "refunded_outside")
    if deposit.payment_taken_by is not None:
        return result(Outcome.FAIL, "payment_taken")
    if deposit.account_status == AccountStatus.SUSPENDED:
        return result(Outcome.FAIL, "account_suspended")
    if deposit.held_by_other_refund is not None:
        return result(Outcome.FAIL, "held_by_other_refund")
    if deposit.account_status == AccountStatus.CLOSED:
        # The promise outlives the account; but why it was closed, and who asks now, a person must judge.
        return result(Outcome.REVIEW, "account_closed")
    return result(Outcome.PASS, "clean")


def _route(payment: PaymentFacts, *, is_unknown: bool) -> tuple[RuleResult, str | None]:
    """Find the way back: the paying card, or the sender of the deposit's own chain transaction."""

    facts = _evidence(payment)

    def result(outcome: Outcome, code: str, sentence: str | None = None) -> RuleResult:
        return _result(Rule.ROUTE, outcome, code, facts, sentence=sentence)

    def reasons(outcome: Outcome, *codes: str) -> RuleResult:
        said = {language: " ".join(say(language, _sentence_of(code)) for code in codes) for language in Language}
        english = said.pop(Language.ENGLISH)
        return RuleResult(
            rule=Rule.ROUTE,
            outcome=outcome,
            code=",".join(codes),
            reason=english,
            reasons={language.value: told for language, told in said.items()},
            facts=facts,
        )

    if isinstance(payment, CardPayment):
        if payment.found and not payment.is_card:
            return result(Outcome.REVIEW, "not_a_card"), None
        return result(Outcome.PASS, "card", "to_the_card"), "card"
    if payment.refuse:
        return reasons(Outcome.FAIL, *payment.refuse), None
    if is_unknown:
        return result(Outcome.REVIEW, "sender_unknown", "sender_to_judge"), None
    if payment.settlement != Settlement.FINAL:
        return result(Outcome.WAIT, "sender_not_final"), None
    if payment.hold:
        # An approval cannot mend it, so there is nothing to approve: the refund stands before an operator, held.
        return reasons(Outcome.REVIEW, *payment.hold, *payment.review), None
    if payment.review:
        return reasons(Outcome.REVIEW, *payment.review), payment.sender
    if payment.sender is None or payment.amount_base_units is None:
        unread = "sender_unknown" if payment.sender is None else "amount_unknown"
        return result(Outcome.REVIEW, unread, "sender_to_judge"), payment.sender
    return result(Outcome.PASS, "sender", "to_the_sender"), payment.sender


def _sentence_of(code: str) -> str:
    """Name the sentence of a reason: a code that came with a newer worker may have none here yet."""
    return code if is_said(code) else "sender_to_judge"


def _evidence(payment: PaymentFacts) -> dict[str, Fact]:
    """Lay out what the chain showed, for whoever must believe the sender; the digest holds none of it."""
    if not isinstance(payment, ChainPayment):
        return {}
    facts: dict[str, Fact] = {"sender": payment.sender, "block_number": payment.block_number}
    if payment.evidence is not None:
        facts |= payment.evidence.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in facts.items() if value is not None}
