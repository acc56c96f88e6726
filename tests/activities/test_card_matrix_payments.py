"""What a payment may be when its refund is about to leave: not what was told, taken elsewhere, or disputed."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from temporalio.exceptions import ApplicationError

from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from tests.activities.terminal import PAID, Terminal
from tests.gateways.stripe_endpoints import Json

MANY = 101  # one more than a page holds
ATTENTION = RefundStatus.NEEDS_ATTENTION
OUTSIDE = (ATTENTION, "refunded_outside", PayoutStatus.REFUSED)
DISPUTED = (ATTENTION, "payout_disputed", PayoutStatus.REFUSED)
REFUSED = (ATTENTION, "payout_refused", PayoutStatus.REFUSED)


def refunded(minor: int) -> Callable[[Terminal, str], object]:
    """Let somebody refund so much in Stripe's dashboard."""
    return lambda terminal, refund: terminal.stripe.control(
        f"payment_intents/{terminal.payment(refund).intent}/refund", amount_minor=minor
    )


def disputed(status: str) -> Callable[[Terminal, str], object]:
    """Let the customer's bank open a dispute."""
    return lambda terminal, refund: terminal.stripe.control(
        f"charges/{terminal.payment(refund).charge}/dispute", status=status
    )


class TestTakenElsewhere:
    """Somebody refunded in the dashboard: only what carries our id and attempt is ours."""

    @pytest.mark.parametrize("minor", [2000, 500], ids=["in full", "in part"])
    def test_before_the_request_is_judged_it_is_ineligible(self, terminal: Terminal, minor: int) -> None:
        refund = terminal.requested()
        refunded(minor)(terminal, refund)

        terminal.steps.check(refund)

        assert terminal.status(refund) == (RefundStatus.INELIGIBLE, "clean_failed", None)

    @pytest.mark.parametrize("minor", [2000, 500], ids=["in full", "in part"])
    def test_before_the_payout_begins_it_is_a_persons(self, terminal: Terminal, minor: int) -> None:
        refund = terminal.approved()
        refunded(minor)(terminal, refund)

        terminal.steps.begin(refund)

        assert terminal.status(refund) == (ATTENTION, "refunded_outside", None)
        terminal.assert_sound(refund, posts=0)

    @pytest.mark.parametrize("minor", [2000, 500], ids=["in full", "in part"])
    def test_before_the_look_nothing_is_sent(self, terminal: Terminal, minor: int) -> None:
        refund = terminal.begun()
        refunded(minor)(terminal, refund)

        terminal.go_on(refund)

        assert terminal.status(refund) == OUTSIDE
        terminal.assert_sound(refund, posts=0)

    @pytest.mark.parametrize("minor", [2000, 500], ids=["in full", "in part"])
    def test_between_look_and_request_it_is_found_by_looking_again(self, terminal: Terminal, minor: int) -> None:
        refund = terminal.begun()
        terminal.before_post(lambda: refunded(minor)(terminal, refund))

        terminal.go_on(refund)

        assert terminal.status(refund) == OUTSIDE
        terminal.assert_sound(refund, posts=1)

    def test_one_more_look_still_says_that_it_was_refunded_outside(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        refunded(2000)(terminal, refund)
        terminal.go_on(refund)

        terminal.look_again(refund)

        assert terminal.status(refund) == OUTSIDE
        terminal.assert_sound(refund, posts=0)

    def test_one_made_by_hand_with_our_id_and_another_attempt_is_not_taken_for_ours(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.stripe.refund(terminal.payment(refund), 2000, refund_id=refund, attempt="7")

        terminal.go_on(refund)

        assert terminal.status(refund) == OUTSIDE
        assert len(terminal.posts(refund)) == 1, "by hand, and none of ours"


class TestDisputed:
    """A dispute is answered, and its money is not paid a second time."""

    @pytest.mark.parametrize("status", ["needs_response", "warning_needs_response"], ids=["chargeback", "inquiry"])
    def test_before_the_look_nothing_is_sent(self, terminal: Terminal, status: str) -> None:
        refund = terminal.begun()
        disputed(status)(terminal, refund)

        terminal.go_on(refund)

        assert terminal.status(refund) == DISPUTED
        terminal.assert_sound(refund, posts=0)

    def test_one_more_look_still_says_that_it_is_disputed(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        disputed("needs_response")(terminal, refund)
        terminal.go_on(refund)

        terminal.look_again(refund)

        assert terminal.status(refund) == DISPUTED
        terminal.assert_sound(refund, posts=0)

    def test_a_chargeback_between_look_and_request_is_refused_by_stripe(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.before_post(lambda: disputed("needs_response")(terminal, refund))

        terminal.go_on(refund)

        assert terminal.status(refund) == DISPUTED
        terminal.assert_sound(refund, posts=1)

    def test_an_inquiry_between_look_and_request_is_paid_and_seen_by_the_next_look(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.before_post(lambda: disputed("warning_needs_response")(terminal, refund))
        terminal.go_on(refund)

        terminal.go_on(refund)

        assert terminal.status(refund) == (ATTENTION, "payout_disputed", PayoutStatus.SUCCEEDED)
        terminal.assert_sound(refund, posts=1)

    def test_a_chargeback_seconds_after_overtakes_the_refund(self, terminal: Terminal) -> None:
        refund = terminal.sent()
        disputed("needs_response")(terminal, refund)

        terminal.go_on(refund)

        status, _, payout = terminal.status(refund)
        assert (status, payout) == (ATTENTION, PayoutStatus.FAILED)
        assert terminal.house.see(refund)["payouts"][-1]["detail"] == "charge_for_pending_refund_disputed"
        terminal.assert_sound(refund, posts=1)

    @pytest.mark.parametrize("status", ["needs_response", "warning_needs_response"], ids=["chargeback", "inquiry"])
    def test_minutes_after_the_customer_may_be_paid_twice_and_a_person_hears_of_it(
        self, terminal: Terminal, status: str
    ) -> None:
        refund = terminal.sent()
        terminal.pass_time(301)
        disputed(status)(terminal, refund)

        terminal.go_on(refund)

        assert terminal.status(refund) == (ATTENTION, "payout_disputed", PayoutStatus.SUCCEEDED)
        assert terminal.findings_of(refund)["payout_disputed"] == 1
        terminal.assert_sound(refund, posts=1)

    def test_an_inquiry_that_escalates_at_once_overtakes_the_refund(self, terminal: Terminal) -> None:
        refund = terminal.sent()
        disputed("warning_needs_response")(terminal, refund)
        terminal.go_on(refund)
        disputed("needs_response")(terminal, refund)

        terminal.go_on(refund)

        status, _, payout = terminal.status(refund)
        assert (status, payout) == (ATTENTION, PayoutStatus.FAILED)
        terminal.assert_sound(refund, posts=1)

    def test_an_inquiry_that_escalates_later_leaves_the_case_with_a_person(self, terminal: Terminal) -> None:
        refund = terminal.sent()
        disputed("warning_needs_response")(terminal, refund)
        terminal.go_on(refund)
        terminal.pass_time(301)
        disputed("needs_response")(terminal, refund)

        terminal.go_on(refund)

        assert terminal.status(refund) == (ATTENTION, "payout_disputed", PayoutStatus.SUCCEEDED)
        terminal.assert_sound(refund, posts=1)

    def test_an_early_fraud_warning_does_not_block(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.stripe.control(f"charges/{terminal.payment(refund).charge}/early_fraud_warning")

        terminal.go_on(refund)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)

    @pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
    def test_an_early_fraud_warning_is_shown(self, terminal: Terminal, is_before: bool) -> None:
        refund = terminal.begun()
        if not is_before:
            terminal.go_on(refund)
        terminal.stripe.control(f"charges/{terminal.payment(refund).charge}/early_fraud_warning")

        terminal.go_on(refund)
        terminal.go_on(refund)

        assert any("fraud" in kind for kind in terminal.findings_of(refund))


def rewritten(**changes: Any) -> Callable[[Json], Json]:
    return lambda intent: intent | changes


def on_charge(**changes: Any) -> Callable[[Json], Json]:
    return lambda intent: intent | {"latest_charge": intent["latest_charge"] | changes}


class TestNotWhatWasTold:
    """Nothing is sent for a payment that is not the captured card payment, of exactly this amount, in our mode."""

    @pytest.mark.parametrize(
        ("options", "told", "ends"),
        [
            ({"capture_method": "manual"}, {}, (RefundStatus.AWAITING_ORDERS, "payment_unsettled")),
            ({"currency": "eur"}, {}, (RefundStatus.INELIGIBLE, "settled_failed")),
            ({}, {"amount_minor": 2001}, (RefundStatus.INELIGIBLE, "settled_failed")),
            ({}, {"amount_minor": 1999}, (RefundStatus.INELIGIBLE, "settled_failed")),
            ({"card": "pm_usBankAccount_success"}, {}, (ATTENTION, "route_unknown")),
            ({}, {"payment_intent": "pi_of_another_account"}, (RefundStatus.INELIGIBLE, "settled_failed")),
        ],
        ids=["uncaptured", "currency", "too little was paid", "too much was paid", "py_ charge", "unknown payment"],
    )
    def test_when_it_is_judged(
        self, terminal: Terminal, options: dict[str, str], told: dict[str, Any], ends: tuple[str, str]
    ) -> None:
        terminal.pay(told=told, **options)

        refund = terminal.asked()

        assert terminal.status(refund)[:2] == ends
        assert terminal.stripe.requests_to_refund() == []

    def test_a_payment_that_failed_is_no_payment(self, terminal: Terminal) -> None:
        with pytest.raises(httpx2.HTTPStatusError):
            terminal.stripe.pay(card="pm_card_chargeDeclined")
        terminal.pay(told={"payment_intent": terminal.stripe.state()["payment_intents"][0]["id"]})

        refund = terminal.asked()

        assert terminal.status(refund) == (RefundStatus.INELIGIBLE, "settled_failed", None)
        assert terminal.stripe.requests_to_refund() == []

    @pytest.mark.parametrize("is_begun", [False, True], ids=["when it is judged", "before the request"])
    def test_a_payment_of_the_other_mode_stops_the_whole_rail_and_the_refund_waits(
        self, terminal: Terminal, is_begun: bool
    ) -> None:
        refund = terminal.begun() if is_begun else terminal.requested()
        terminal.rewrite_look(rewritten(livemode=True))

        with suppress(ApplicationError):
            (terminal.steps.look_at_card if is_begun else terminal.steps.check)(refund)

        assert terminal.is_stopped()
        assert terminal.status(refund)[0] == (RefundStatus.PAYING if is_begun else RefundStatus.CHECKING)
        assert terminal.stripe.requests_to_refund() == []

    @pytest.mark.parametrize(
        "change",
        [
            rewritten(status="requires_capture"),
            rewritten(status="requires_payment_method"),
            rewritten(currency="eur"),
            on_charge(amount_captured=1999),
            on_charge(captured=False),
            on_charge(payment_method_details={"type": "us_bank_account"}),
        ],
        ids=["uncaptured", "failed", "currency", "amount", "charge uncaptured", "py_ charge"],
    )
    def test_when_it_is_looked_at_before_the_request(
        self, terminal: Terminal, change: Callable[[Json], Json]
    ) -> None:
        refund = terminal.begun()
        terminal.rewrite_look(change)

        terminal.go_on(refund)

        assert terminal.status(refund) == REFUSED
        terminal.assert_sound(refund, posts=0)


class TestManyRefunds:
    """All pages of refunds are read: ours may be the oldest of them."""

    @pytest.mark.parametrize("status", ["succeeded", "failed"])
    def test_ours_is_found_behind_more_than_a_hundred_others(self, terminal: Terminal, status: str) -> None:
        refund = terminal.begun()
        terminal.stripe.fault("drop_after")
        terminal.try_once(refund)
        bury(terminal, refund)
        if status == "failed":
            terminal.fail(refund)

        terminal.go_on(refund)

        expected = PAID if status == "succeeded" else (ATTENTION, "payout_failed", PayoutStatus.FAILED)
        assert terminal.status(refund) == expected
        terminal.assert_sound(refund, posts=1)

    def test_one_from_outside_is_found_behind_more_than_a_hundred_that_failed(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        refunded(2000)(terminal, refund)
        bury(terminal, refund)

        terminal.go_on(refund)

        assert terminal.status(refund) == OUTSIDE


def bury(terminal: Terminal, refund: str) -> None:
    """Let more than a page of other refunds of the same payment be made, and fail."""
    terminal.stripe.control("profile", profile="permissive")  # ours took all of the amount already
    terminal.stripe.control("next_refunds", status="failed", failure_reason="unknown", times=MANY)
    for _ in range(MANY):
        terminal.stripe.refund(terminal.payment(refund), 1)
    terminal.stripe.control("profile", profile="faithful")
