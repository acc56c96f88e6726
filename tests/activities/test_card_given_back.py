"""A hold is given back only while nothing of the payment has left, by whatever attempt and whatever we remember."""

from domain.decisions import ResolutionAction
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, workflow_id
from tests.activities.terminal import Terminal

KEPT = (RefundStatus.NEEDS_ATTENTION, "refunded_outside")


def test_giving_up_after_a_failed_refund_moved_after_all_keeps_the_hold(terminal: Terminal) -> None:
    refund = terminal.sent()
    terminal.fail(refund)
    terminal.go_on(refund)
    assert terminal.status(refund)[2] == PayoutStatus.FAILED
    (made,) = terminal.made(refund)
    terminal.stripe.control(f"refunds/{made['id']}/status", status="succeeded")

    terminal.house.resolve(refund, ResolutionAction.GIVE_UP)
    terminal.steps.read_records(refund)
    terminal.steps.end(refund)

    assert terminal.status(refund)[:2] == KEPT
    assert terminal.house.books() == {"held": 2000}
    assert terminal.findings_of(refund)["refunded_outside"] == 1


def test_rejecting_what_a_restored_database_has_forgotten_to_have_paid_keeps_the_hold(terminal: Terminal) -> None:
    refund = terminal.requested()
    terminal.steps.check(refund)
    marks = {"refund_id": refund, "attempt": "1", "workflow_id": workflow_id(refund)}
    terminal.stripe.refund(terminal.payment(refund), 2000, **marks)

    terminal.house.reject(refund)
    terminal.steps.read_records(refund)
    terminal.steps.end(refund)

    assert terminal.status(refund)[:2] == KEPT
    assert terminal.house.books() == {"held": 2000}
