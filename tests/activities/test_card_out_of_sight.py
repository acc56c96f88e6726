"""A refund that was seen once is known by its reference: it is neither lost by its marks nor asked for again."""

from typing import Any

from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus
from tests.activities.terminal import KEY_FORGOTTEN, PAID, Terminal

UNSEEN = (RefundStatus.NEEDS_ATTENTION, "payout_unknown", PayoutStatus.UNKNOWN)


def hide(body: Any) -> Any:
    """Show a payment without its refunds."""
    body["latest_charge"]["refunds"]["data"] = []
    return body


def test_marks_that_somebody_edited_hide_no_refund(terminal: Terminal) -> None:
    refund = terminal.sent()
    (made,) = terminal.made(refund)
    terminal.stripe.control(f"refunds/{made['id']}/metadata", metadata={"refund_id": "", "attempt": "9"})
    assert terminal.made(refund) == []

    terminal.go_on(refund)

    assert terminal.status(refund) == PAID


def test_a_paid_refund_that_is_not_shown_any_more_is_looked_for_and_never_asked_for_again(terminal: Terminal) -> None:
    refund = terminal.sent()
    terminal.pass_time(KEY_FORGOTTEN)

    for _ in range(2):
        terminal.rewrite_look(hide)
        terminal.go_on(refund)

    assert terminal.status(refund) == UNSEEN
    assert len(terminal.posts(refund)) == 1
    terminal.look_again(refund)
    assert terminal.status(refund) == PAID
    assert len(terminal.posts(refund)) == 1
