"""The rules on both sides of every border."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.eligibility import AccountStatus, DepositState
from domain.money import Money
from domain.payments import CardPayment, Dispute, Settlement
from domain.policy import Policy
from domain.verdicts import Outcome, Rule, combine
from tests.domain.deposits import CARD, CHAIN, CHAIN_REF, PAID_AT, POLICY, judge

PASS, FAIL, WAIT, REVIEW = Outcome.PASS, Outcome.FAIL, Outcome.WAIT, Outcome.REVIEW
FORTNIGHT = timedelta(hours=14 * 24)
SECOND = timedelta(seconds=1)
MOMENT = timedelta(microseconds=1)
EAST = timezone(timedelta(hours=14))
WEST = timezone(timedelta(hours=-11, minutes=-30))


@pytest.mark.parametrize(
    ("elapsed", "outcome", "code"),
    [
        pytest.param(timedelta(0), PASS, "in_window", id="in the second of the deposit"),
        pytest.param(SECOND, PASS, "in_window", id="a second after it"),
        pytest.param(FORTNIGHT - SECOND, PASS, "in_window", id="a second before the end"),
        pytest.param(FORTNIGHT, PASS, "in_window", id="at the end exactly"),
        pytest.param(FORTNIGHT + SECOND - MOMENT, PASS, "in_window", id="within the last second"),
        pytest.param(FORTNIGHT + SECOND, FAIL, "window_over", id="a second after the end"),
        pytest.param(timedelta(days=400), FAIL, "window_over", id="a year later"),
        pytest.param(-SECOND, FAIL, "request_before_deposit", id="a second before the deposit"),
        pytest.param(-timedelta(days=3), FAIL, "request_before_deposit", id="days before the deposit"),
    ],
)
def test_the_window_holds_from_the_deposit_to_fourteen_times_24_hours_later(
    elapsed: timedelta, outcome: Outcome, code: str
) -> None:
    result = judge(requested_at=PAID_AT + elapsed).result(Rule.WINDOW)

    assert (result.outcome, result.code) == (outcome, code)


@pytest.mark.parametrize("zone", [UTC, EAST, WEST], ids=["utc", "14 hours east", "half an hour zone in the west"])
@pytest.mark.parametrize(
    ("elapsed", "outcome"), [(FORTNIGHT, PASS), (FORTNIGHT + SECOND, FAIL)], ids=["at the end", "a second later"]
)
def test_the_window_counts_moments_and_not_wall_clocks(zone: timezone, elapsed: timedelta, outcome: Outcome) -> None:
    asked = (PAID_AT + elapsed).astimezone(zone)

    result = judge(requested_at=asked, received_at=PAID_AT + elapsed).result(Rule.WINDOW)

    assert result.outcome == outcome
    assert result.facts["elapsed_seconds"] == elapsed.total_seconds()


@pytest.mark.parametrize(
    ("hours", "outcome"), [(14 * 24, PASS), (14 * 24 + 1, FAIL)], ids=["at the end", "an hour later"]
)
def test_a_change_of_clocks_within_the_window_neither_gives_nor_takes_an_hour(hours: int, outcome: Outcome) -> None:
    berlin = ZoneInfo("Europe/Berlin")  # its clocks go back on 25 October 2026
    paid_at = datetime(2026, 10, 20, 10, 0, tzinfo=berlin)
    asked = (paid_at.astimezone(UTC) + timedelta(hours=hours)).astimezone(berlin)

    result = judge(paid_at=paid_at, requested_at=asked).result(Rule.WINDOW)

    assert result.outcome == outcome


def test_a_fraction_of_a_second_never_decides_against_the_customer() -> None:
    paid_at = PAID_AT.replace(microsecond=900_000)
    asked = PAID_AT.replace(microsecond=100_000)

    result = judge(paid_at=paid_at, requested_at=asked).result(Rule.WINDOW)

    assert result.outcome == PASS


@pytest.mark.parametrize(
    ("ahead", "code"),
    [
        pytest.param(timedelta(0), "in_window", id="not at all"),
        pytest.param(timedelta(minutes=5), "in_window", id="by exactly five minutes"),
        pytest.param(timedelta(minutes=5) + MOMENT, "request_in_future", id="by a moment more"),
        pytest.param(timedelta(days=1), "request_in_future", id="by a day"),
    ],
)
def test_a_request_may_be_ahead_of_our_clock_by_five_minutes(ahead: timedelta, code: str) -> None:
    received = PAID_AT + timedelta(days=1)

    result = judge(requested_at=received + ahead, received_at=received).result(Rule.WINDOW)

    assert result.code == code


def test_what_counts_is_when_the_ticket_was_opened_and_not_when_it_reached_us() -> None:
    result = judge(requested_at=PAID_AT + timedelta(days=13), received_at=PAID_AT + timedelta(days=20))

    assert result.result(Rule.WINDOW).outcome == PASS


@pytest.mark.parametrize(
    ("books", "outcome", "code"),
    [
        pytest.param({}, PASS, "unused", id="no order"),
        pytest.param({"charged_minor": 1, "charged_orders": 1}, FAIL, "used", id="one cent charged"),
        pytest.param({"pending_minor": 1, "pending_orders": 1}, WAIT, "orders_pending", id="one cent pending"),
        pytest.param(
            {"charged_minor": 50, "charged_orders": 1, "pending_minor": 50, "pending_orders": 1},
            FAIL,
            "used",
            id="charged and pending",
        ),
    ],
)
def test_a_deposit_must_be_wholly_unused(books: dict[str, int], outcome: Outcome, code: str) -> None:
    result = judge(**books).result(Rule.UNUSED)

    assert (result.outcome, result.code) == (outcome, code)


@pytest.mark.parametrize(
    ("minor", "currency", "orders", "words"),
    [
        pytest.param(50, "USD", 1, "0.50 USD of the deposit was used by one order", id="cents by one order"),
        pytest.param(500, "JPY", 3, "500 JPY of the deposit was used by 3 orders", id="yen by several"),
    ],
)
def test_the_reason_says_how_much_was_used_by_how_many(minor: int, currency: str, orders: int, words: str) -> None:
    credited = Money(amount_minor=2000, currency=currency)

    result = judge(credited=credited, charged_minor=minor, charged_orders=orders).result(Rule.UNUSED)

    assert words in result.reason


@pytest.mark.parametrize(
    ("change", "outcome", "code"),
    [
        pytest.param({}, PASS, "settled", id="succeeded with the deposit's amount"),
        pytest.param({"found": False, "status": ""}, FAIL, "payment_unknown", id="unknown to the processor"),
        pytest.param({"status": "processing"}, WAIT, "payment_unsettled", id="processing"),
        pytest.param({"status": "requires_capture"}, WAIT, "payment_unsettled", id="not captured yet"),
        pytest.param({"status": "requires_action"}, WAIT, "payment_unsettled", id="waits for the payer"),
        pytest.param({"status": "requires_confirmation"}, WAIT, "payment_unsettled", id="not confirmed yet"),
        pytest.param({"status": "requires_payment_method"}, FAIL, "payment_not_made", id="declined"),
        pytest.param({"status": "canceled"}, FAIL, "payment_not_made", id="canceled"),
        pytest.param({"is_captured": False}, FAIL, "payment_not_made", id="succeeded and not captured"),
        pytest.param({"amount_minor": 1999}, FAIL, "amount_differs", id="a cent less"),
        pytest.param({"amount_minor": 2001}, FAIL, "amount_differs", id="a cent more"),
        pytest.param({"currency": "EUR"}, FAIL, "amount_differs", id="another currency"),
    ],
)
def test_a_card_payment_must_have_succeeded_with_exactly_the_paid_amount(
    change: dict[str, Any], outcome: Outcome, code: str
) -> None:
    result = judge(CARD.model_copy(update=change)).result(Rule.SETTLED)

    assert (result.outcome, result.code) == (outcome, code)


@pytest.mark.parametrize(
    ("change", "outcome", "code"),
    [
        pytest.param({}, PASS, "settled", id="final"),
        pytest.param({"amount_base_units": 10**19 - 1}, FAIL, "amount_differs", id="final, one wei less"),
        pytest.param({"amount_base_units": None}, PASS, "settled", id="final, its amount left to the route's review"),
        pytest.param({"settlement": Settlement.FAILED}, FAIL, "payment_not_made", id="failed"),
        pytest.param({"settlement": Settlement.PENDING}, WAIT, "payment_unsettled", id="not final yet"),
        pytest.param(
            {"settlement": Settlement.MISSING, "found_on": (10, 56)}, REVIEW, "on_another_chain", id="elsewhere"
        ),
    ],
)
def test_a_chain_payment_must_be_final_with_exactly_the_paid_amount(
    change: dict[str, Any], outcome: Outcome, code: str
) -> None:
    result = judge(CHAIN.model_copy(update=change)).result(Rule.SETTLED)

    assert (result.outcome, result.code) == (outcome, code)


@pytest.mark.parametrize(("payment", "ref"), [(CARD, CHAIN_REF)], ids=["card facts of a crypto deposit"])
def test_facts_of_another_rail_are_a_bug_and_no_verdict(payment: CardPayment, ref: Any) -> None:
    with pytest.raises(TypeError):
        judge(payment, payment=ref)


@pytest.mark.parametrize(
    ("books", "payment", "code"),
    [
        pytest.param({}, {}, "clean", id="nothing against it"),
        pytest.param({"account_status": AccountStatus.SUSPENDED}, {}, "account_suspended", id="suspended account"),
        pytest.param({"state": DepositState.REFUNDED}, {}, "already_refunded", id="refunded by us"),
        pytest.param({"state": DepositState.CHARGED_BACK}, {}, "charged_back", id="charged back"),
        pytest.param({"held_by_other_refund": "rf_2"}, {}, "held_by_other_refund", id="held by another refund"),
        pytest.param({}, {"dispute": Dispute.OPEN}, "disputed", id="dispute open"),
        pytest.param({}, {"dispute": Dispute.LOST}, "disputed", id="dispute lost"),
        pytest.param({}, {"refunded_minor": 1}, "refunded_outside", id="a cent refunded outside"),
    ],
)
def test_nothing_may_stand_against_the_deposit(books: dict[str, Any], payment: dict[str, Any], code: str) -> None:
    result = judge(CARD.model_copy(update=payment), **books).result(Rule.CLEAN)

    assert (result.outcome, result.code) == (PASS if code == "clean" else FAIL, code)


def test_closed_account_is_for_a_person_to_judge_unless_something_else_decides() -> None:
    closed = judge(account_status=AccountStatus.CLOSED)
    held = judge(account_status=AccountStatus.CLOSED, held_by_other_refund="rf_2").result(Rule.CLEAN)

    assert (closed.outcome, closed.to_acknowledge) == (REVIEW, ("account_closed",))
    assert (held.outcome, held.code) == (FAIL, "held_by_other_refund")


def test_the_refund_that_holds_the_deposit_is_named() -> None:
    result = judge(held_by_other_refund="rf_2").result(Rule.CLEAN)

    assert "rf_2" in result.reason
    assert result.facts["held_by"] == "rf_2"


@pytest.mark.parametrize(
    ("outcomes", "together"),
    [
        pytest.param([], PASS, id="nothing said"),
        pytest.param([PASS, PASS], PASS, id="all pass"),
        pytest.param([PASS, REVIEW], REVIEW, id="one to review"),
        pytest.param([REVIEW, WAIT, PASS], WAIT, id="waiting comes before judging"),
        pytest.param([REVIEW, WAIT, FAIL], FAIL, id="one failure decides"),
    ],
)
def test_outcomes_combine(outcomes: list[Outcome], together: Outcome) -> None:
    assert combine(outcomes) == together


def test_every_rule_is_told_even_when_the_first_fails() -> None:
    verdict = judge(requested_at=PAID_AT + timedelta(days=30), charged_minor=50, charged_orders=1)

    assert [result.rule for result in verdict.rules] == list(Rule)
    assert verdict.outcome == FAIL
    assert verdict.failed_reason == "window_failed"


def test_every_code_under_review_must_be_acknowledged() -> None:
    verdict = judge(CHAIN.model_copy(update={"review": ("sender_is_contract", "not_a_plain_transfer")}))

    assert verdict.to_acknowledge == ("sender_is_contract", "not_a_plain_transfer")


@pytest.mark.parametrize("rule", list(Rule), ids=str)
def test_each_rule_has_a_reason_of_its_own_for_the_refund(rule: Rule) -> None:
    verdict = judge()
    rules = tuple(
        result.model_copy(update={"outcome": FAIL}) if result.rule == rule else result for result in verdict.rules
    )

    assert verdict.model_copy(update={"rules": rules}).failed_reason == f"{rule}_failed"


def test_a_deposit_is_judged_by_the_window_in_force_when_it_was_paid() -> None:
    versions = [
        {"version": "old", "in_force_from": "2026-01-01T00:00:00Z", "window_days": 30},
        {"version": "new", "in_force_from": PAID_AT + timedelta(seconds=1), "window_days": 14},
    ]
    policy = Policy.model_validate({"versions": versions})

    before = judge(policy=policy, requested_at=PAID_AT + timedelta(days=20))
    after = judge(policy=policy, paid_at=PAID_AT + timedelta(seconds=1), requested_at=PAID_AT + timedelta(days=20))

    assert (before.policy_version, before.outcome) == ("old", PASS)
    assert (after.policy_version, after.outcome) == ("new", FAIL)


def test_the_verdict_names_the_version_that_judged() -> None:
    assert judge().policy_version == POLICY.versions[0].version
