"""What becomes of a refund after Stripe took it, and that nobody pays by another way while it may still land."""

from contextlib import suppress
from typing import Any

import pytest

from domain.decisions import ResolutionAction
from domain.errors import Conflict, RefundError
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from tests.activities.terminal import HOUR, PAID, Terminal

ATTENTION = RefundStatus.NEEDS_ATTENTION
PENDING = (RefundStatus.CONFIRMING, "payout_accepted", PayoutStatus.PENDING)
ELSEWHERE = (ResolutionAction.RETRY, ResolutionAction.PAID_OUTSIDE, ResolutionAction.GIVE_UP)


def on_refund(terminal: Terminal, refund: str, act: str, **command: Any) -> None:
    """Let the bank, or somebody in the dashboard, do something to our one refund."""
    (made,) = terminal.made(refund)
    terminal.stripe.control(f"refunds/{made['id']}/{act}", **command)


class TestPending:
    """Accepted and not sent yet: it was really sent to Stripe, and it is not paid."""

    def test_it_is_shown_as_pending_and_succeeds_later(self, terminal: Terminal) -> None:
        refund = terminal.sent(card="pm_card_pendingRefund")
        assert terminal.status(refund) == PENDING
        terminal.assert_sound(refund, posts=1)
        on_refund(terminal, refund, "settle")

        terminal.go_on(refund)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)

    def test_it_fails_later_and_a_person_hears_of_it(self, terminal: Terminal) -> None:
        refund = terminal.sent(card="pm_card_pendingRefund")
        terminal.fail(refund)

        terminal.go_on(refund)

        assert terminal.status(refund) == (ATTENTION, "payout_failed", PayoutStatus.FAILED)
        assert terminal.house.books() == {"held": 2000}
        terminal.assert_sound(refund, posts=1)

    def test_one_that_waits_for_our_balance_is_paid_once_there_is_money(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.stripe.control("balance", currency="usd", available_minor=0, when_short="pending")
        terminal.go_on(refund)
        assert terminal.status(refund) == PENDING
        assert terminal.house.see(refund)["payouts"][-1]["detail"] == "insufficient_funds"
        terminal.assert_sound(refund, posts=1)
        terminal.stripe.control("balance", currency="usd", top_up_minor=10_000)

        terminal.go_on(refund)

        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)

    def test_one_that_waits_for_our_balance_is_told_at_once(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.stripe.control("balance", currency="usd", available_minor=0, when_short="pending")

        terminal.go_on(refund)

        assert terminal.house.findings() != []


class TestAfterSuccess:
    """Succeeded is not the end of care."""

    def test_it_fails_weeks_later_and_the_money_is_held_again(self, terminal: Terminal) -> None:
        refund = terminal.sent()
        assert terminal.status(refund) == PAID
        terminal.pass_time(21 * 24 * HOUR)
        terminal.fail(refund)

        terminal.go_on(refund)

        assert terminal.status(refund) == (ATTENTION, "payout_failed", PayoutStatus.FAILED)
        assert terminal.house.see(refund)["payouts"][-1]["detail"] == "lost_or_stolen_card"
        assert terminal.house.books() == {"held": 2000}
        terminal.assert_sound(refund, posts=1)

    @pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_pendingRefund"], ids=["succeeded", "pending"])
    def test_canceled_is_no_payment(self, terminal: Terminal, card: str) -> None:
        refund = terminal.sent(card=card)
        on_refund(terminal, refund, "status" if card == "pm_card_visa" else "cancel", **canceled(card))

        terminal.go_on(refund)

        assert terminal.status(refund) == (ATTENTION, "payout_canceled", PayoutStatus.CANCELED)
        assert terminal.house.books() == {"held": 2000}
        terminal.assert_sound(refund, posts=1)

    @pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_pendingRefund"], ids=["succeeded", "pending"])
    def test_a_word_that_nobody_knows_is_a_persons_and_releases_nothing(self, terminal: Terminal, card: str) -> None:
        refund = terminal.sent(card=card)
        on_refund(terminal, refund, "status", status="teleported")

        terminal.go_on(refund)

        status, reason, payout = terminal.status(refund)
        assert (status, reason, payout) == (ATTENTION, "payout_unknown", PayoutStatus.UNKNOWN)
        assert_no_other_way(terminal, refund)
        assert terminal.findings_of(refund)["payout_unknown"] == 1
        assert len(terminal.posts(refund)) == 1

    def test_one_that_failed_is_never_sent_again_by_itself(self, terminal: Terminal) -> None:
        refund = terminal.sent()
        terminal.fail(refund)

        for _ in range(4):
            terminal.go_on(refund)
            terminal.pass_time(25 * HOUR)

        terminal.assert_sound(refund, posts=1)

    def test_one_that_failed_before_we_heard_of_it_is_found_and_not_sent_again(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.stripe.fault("drop_after")
        terminal.try_once(refund)
        terminal.fail(refund)
        terminal.pass_time(25 * HOUR)

        terminal.go_on(refund)

        assert terminal.status(refund) == (ATTENTION, "payout_failed", PayoutStatus.FAILED)
        terminal.assert_sound(refund, posts=1)

    def test_the_next_attempt_after_a_failed_one_has_a_key_of_its_own_and_pays_once(self, terminal: Terminal) -> None:
        refund = terminal.sent()
        terminal.fail(refund)
        terminal.go_on(refund)

        terminal.retry(refund)

        assert terminal.status(refund) == PAID
        assert [it["status"] for it in terminal.made(refund)] == ["failed", "succeeded"]
        assert [it["idempotency_key"] for it in terminal.posts(refund)] == [f"refund/{refund}/{it}" for it in (1, 2)]
        terminal.assert_sound(refund, posts=2)

    def test_the_banks_reference_is_kept_when_it_comes(self, terminal: Terminal) -> None:
        refund = terminal.sent()
        on_refund(terminal, refund, "arn", reference="74000000000000000000001", reference_status="available")

        terminal.go_on(refund)

        assert "74000000000000000000001" in str(terminal.house.see(refund)["payouts"])
        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)

    def test_a_reversal_gets_no_reference_and_is_told_apart(self, terminal: Terminal) -> None:
        reversed_, credited = terminal.begun("dep_1"), terminal.begun("dep_2")
        terminal.stripe.control("next_refunds", status="succeeded", is_reversal=True)
        for refund in (reversed_, credited):
            terminal.go_on(refund)
            terminal.steps.answer_ticket(refund)
            assert terminal.status(refund) == PAID
            terminal.assert_sound(refund, posts=1)

        assert told(terminal, reversed_) != told(terminal, credited)


def told(terminal: Terminal, refund: str) -> str:
    """Return what the customer reads, without the reference of this one refund."""
    seen = terminal.house.see(refund)
    return str(seen["messages"][-1]["text"]).replace(seen["payouts"][-1]["provider_ref"], "…")


def canceled(card: str) -> dict[str, str]:
    return {"status": "canceled"} if card == "pm_card_visa" else {}


class TestOneRail:
    """Another way to pay is refused while the card may still pay, and after the card has paid."""

    def test_while_nothing_is_known_of_the_request(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.stripe.fault("drop_after")
        terminal.try_once(refund)

        assert_no_other_way(terminal, refund)

        terminal.go_on(refund)
        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)

    def test_while_a_person_must_find_out(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.stripe.fault("drop_after")
        terminal.try_once(refund)
        terminal.steps.attend(refund)
        assert terminal.status(refund) == (ATTENTION, "payout_unknown", PayoutStatus.UNKNOWN)

        assert_no_other_way(terminal, refund)

        assert len(terminal.made(refund)) == 1
        terminal.assert_sound(refund, posts=1)

    @pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_pendingRefund"], ids=["succeeded", "pending"])
    def test_while_stripe_has_it(self, terminal: Terminal, card: str) -> None:
        refund = terminal.sent(card=card)

        assert_no_other_way(terminal, refund)

        terminal.assert_sound(refund, posts=1)

    def test_while_it_is_disputed(self, terminal: Terminal) -> None:
        refund = terminal.sent()
        terminal.pass_time(301)
        terminal.stripe.control(f"charges/{terminal.payment(refund).charge}/dispute")
        terminal.go_on(refund)
        assert terminal.status(refund)[1] == "payout_disputed"

        assert_no_other_way(terminal, refund)

    def test_once_it_failed_it_may_be_paid_outside_and_never_by_card_again(self, terminal: Terminal) -> None:
        refund = terminal.sent()
        terminal.fail(refund)
        terminal.go_on(refund)

        terminal.house.resolve(refund, ResolutionAction.PAID_OUTSIDE, evidence="bank transfer 77")
        terminal.steps.read_records(refund)

        assert terminal.status(refund)[::2] == (RefundStatus.REFUNDED, PayoutStatus.PAID_OUTSIDE)
        assert_no_other_way(terminal, refund)
        terminal.assert_sound(refund, posts=1)

    @pytest.mark.parametrize("is_sent", [False, True], ids=["before the refund", "over the refund"])
    def test_what_a_chargeback_took_back_is_neither_sent_again_nor_paid_by_another_way(
        self, terminal: Terminal, is_sent: bool
    ) -> None:
        refund = charged_back(terminal, is_sent=is_sent)

        for action in (ResolutionAction.RETRY, ResolutionAction.PAID_OUTSIDE):
            with pytest.raises(Conflict):
                terminal.house.resolve(refund, action, evidence="bank transfer 77")

        terminal.assert_sound(refund, posts=int(is_sent))

    @pytest.mark.parametrize("is_sent", [False, True], ids=["before the refund", "over the refund"])
    def test_what_a_chargeback_took_back_is_not_given_back(self, terminal: Terminal, is_sent: bool) -> None:
        refund = charged_back(terminal, is_sent=is_sent)

        with suppress(Conflict):  # refused at once, or when the payment is read once more
            terminal.house.resolve(refund, ResolutionAction.GIVE_UP)
            terminal.steps.read_records(refund)
            terminal.steps.end(refund)

        assert terminal.house.books() == {"held": 2000}
        assert terminal.house.findings() != []
        terminal.assert_sound(refund, posts=int(is_sent))

    def test_a_second_ticket_for_the_same_deposit_pays_nothing(self, terminal: Terminal) -> None:
        refund = terminal.begun()
        terminal.stripe.fault("drop_after")
        terminal.try_once(refund)

        second = terminal.house.accept("second", deposit_id="dep_1")
        terminal.steps.check(second)

        assert terminal.status(second)[0] == RefundStatus.DUPLICATE
        terminal.go_on(refund)
        assert terminal.status(refund) == PAID
        terminal.assert_sound(refund, posts=1)

    def test_a_second_deposit_cannot_name_the_same_payment(self, terminal: Terminal) -> None:
        refund = terminal.sent(card="pm_card_pendingRefund")

        with pytest.raises(Conflict):
            terminal.feed("dep_2", terminal.payment(refund))


def charged_back(terminal: Terminal, *, is_sent: bool) -> str:
    """Let a chargeback come between approval and request, or overtake the refund."""
    refund = terminal.sent() if is_sent else terminal.begun()
    terminal.stripe.control(f"charges/{terminal.payment(refund).charge}/dispute")
    terminal.go_on(refund)
    assert terminal.status(refund)[0] == ATTENTION
    return refund


def assert_no_other_way(terminal: Terminal, refund: str) -> None:
    """Insist that nobody may pay, or give the balance back, by any other way now."""
    for action in ELSEWHERE:
        with pytest.raises(RefundError) as refused:
            terminal.house.resolve(refund, action, evidence="bank transfer 77")
        assert isinstance(refused.value, Conflict), refused.value
