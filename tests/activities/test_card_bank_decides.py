"""What the bank decides is seen whatever became of the payout: it never left, got lost, or was paid otherwise."""

from domain.decisions import ResolutionAction
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from tests.activities.terminal import PAID, Terminal

ATTENTION = RefundStatus.NEEDS_ATTENTION


def dispute(terminal: Terminal, refund: str) -> str:
    """Let the customer's bank take the payment back; return the dispute."""
    return str(terminal.stripe.control(f"charges/{terminal.payment(refund).charge}/dispute")["id"])


def decide(terminal: Terminal, dispute_id: str, how: str) -> None:
    if how == "win":
        terminal.stripe.control(f"disputes/{dispute_id}/review")
    terminal.stripe.control(f"disputes/{dispute_id}/{how}")


def test_a_dispute_that_stopped_the_request_and_was_won_frees_the_way(terminal: Terminal) -> None:
    refund = terminal.begun()
    opened = dispute(terminal, refund)
    terminal.go_on(refund)
    assert terminal.status(refund) == (ATTENTION, "payout_disputed", PayoutStatus.REFUSED)
    decide(terminal, opened, "win")

    terminal.go_on(refund)

    assert terminal.status(refund) == (ATTENTION, "payout_refused", PayoutStatus.REFUSED)
    terminal.retry(refund)
    assert terminal.status(refund) == PAID


def test_a_request_that_got_lost_before_the_dispute_was_lost_can_be_closed(terminal: Terminal) -> None:
    refund = terminal.begun()
    terminal.steps.sending_was_recorded(refund)
    opened = dispute(terminal, refund)
    terminal.go_on(refund)
    assert terminal.status(refund) == (ATTENTION, "payout_disputed", PayoutStatus.UNKNOWN)
    decide(terminal, opened, "lose")

    terminal.go_on(refund)

    assert terminal.status(refund) == (ATTENTION, "dispute_lost", PayoutStatus.REFUSED)
    terminal.house.resolve(refund, ResolutionAction.ACCEPT_LOSS)
    terminal.steps.read_records(refund)
    assert terminal.status(refund)[0] == RefundStatus.REJECTED
    assert terminal.house.books() == {"charged_back": 2000}


def test_a_chargeback_after_it_was_paid_outside_reopens_the_case_until_the_bank_has_decided(
    terminal: Terminal,
) -> None:
    refund = terminal.sent()
    terminal.fail(refund)
    terminal.go_on(refund)
    terminal.house.resolve(refund, ResolutionAction.PAID_OUTSIDE, evidence="bank transfer 77")
    terminal.steps.read_records(refund)
    assert terminal.status(refund) == (RefundStatus.REFUNDED, "paid_outside", PayoutStatus.PAID_OUTSIDE)
    terminal.go_on(refund)
    assert terminal.status(refund)[0] == RefundStatus.REFUNDED

    opened = dispute(terminal, refund)
    terminal.go_on(refund)

    assert terminal.status(refund) == (ATTENTION, "payout_disputed", PayoutStatus.PAID_OUTSIDE)
    (told,) = (it for it in terminal.house.views.findings(refund_id=refund) if it["kind"] == "payout_disputed")
    assert told["evidence"]["is_double_loss"]
    assert terminal.house.books() == {"refunded": 2000}

    decide(terminal, opened, "win")
    terminal.go_on(refund)
    assert terminal.status(refund) == (RefundStatus.REFUNDED, "paid_outside", PayoutStatus.PAID_OUTSIDE)
