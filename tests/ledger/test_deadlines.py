"""The time to pay: each mark of it is told once, wherever the unpaid refund stands; and a balance that is short."""

from datetime import timedelta

import pytest

from domain.errors import Conflict
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from tests.ledger.scene import NOON, Scene, policy

DAY = timedelta(days=1)
ALL = ["deadline_half", "deadline_three_quarters", "deadline_nine_tenths"]


def open_kinds(scene: Scene) -> list[str]:
    return [it["kind"] for it in scene.views.open_findings()]


def test_the_marks_are_a_half_three_quarters_and_nine_tenths_of_the_policys_days(scene: Scene) -> None:
    scene.govern(policy(pay_deadline_days=20))
    scene.funded()
    refund = scene.request()

    moments = []
    for mark in range(3):
        state = scene.intake.find(refund)
        assert state is not None
        assert (state.pay_mark, state.due_at) == (mark, NOON + 20 * DAY)
        moments.append(state.pay_mark_at)
        scene.checking.tell_deadline(refund, mark)

    assert moments == [NOON + 10 * DAY, NOON + 15 * DAY, NOON + 18 * DAY]
    assert scene.views.refund(refund)["pay_due_at"] == NOON + 20 * DAY
    assert open_kinds(scene) == ALL


def test_a_mark_is_told_once_even_if_somebody_closed_it(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()
    for _ in range(2):
        state = scene.checking.tell_deadline(refund, 0)

    assert state.pay_mark == 1
    assert scene.findings() == ["deadline_half"]
    with pytest.raises(Conflict):
        scene.findings_desk.close(scene.views.open_findings()[0]["id"], "quiet", operator="ann")


def test_a_run_that_was_away_for_days_tells_what_it_missed(scene: Scene) -> None:
    scene.funded()
    refund = scene.request()

    state = scene.checking.tell_deadline(refund, 2)

    assert open_kinds(scene) == ALL
    assert (state.status, state.pay_mark) == (RefundStatus.CHECKING, None)


def test_what_was_paid_or_has_ended_has_no_time_to_pay(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()
    assert scene.checking.tell_deadline(refund, 0).pay_mark == 1

    state = scene.outcome(refund, PayoutStatus.SUCCEEDED)
    scene.checking.tell_deadline(refund, 1)

    assert (state.pay_mark, state.due_at, open_kinds(scene)) == (None, None, [])
    failed = scene.outcome(refund, PayoutStatus.FAILED, StatusReason.PAYOUT_FAILED)
    assert failed.pay_mark == 1, "a refund that failed later is unpaid again"
    scene.outcome(refund, PayoutStatus.FAILED)


@pytest.mark.parametrize(
    ("status", "detail"),
    [(PayoutStatus.PENDING, "insufficient_funds"), (PayoutStatus.REFUSED, "balance_insufficient")],
    ids=["waits", "refused"],
)
def test_a_balance_that_is_short_is_told_at_once_and_only_until_the_refund_goes_on(
    scene: Scene, status: PayoutStatus, detail: str
) -> None:
    scene.funded()
    refund = scene.paying()
    short = PayoutOutcome(status=status, detail=detail)

    for _ in range(2):
        scene.payouts.record_outcome(refund, 1, short)

    (finding,) = [it for it in scene.views.open_findings() if it["kind"] == "balance_short"]
    assert (finding["evidence"]["amount_minor"], finding["evidence"]["currency"]) == (2000, "USD")
    if status == PayoutStatus.PENDING:
        with pytest.raises(Conflict):
            scene.findings_desk.close(finding["id"], "quiet", operator="ann")
        scene.payouts.record_outcome(refund, 1, PayoutOutcome(status=PayoutStatus.PENDING, detail="processing"))
        assert "balance_short" not in open_kinds(scene)


def test_a_refund_that_waits_for_another_reason_is_no_short_balance(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()

    scene.payouts.record_outcome(refund, 1, PayoutOutcome(status=PayoutStatus.PENDING, detail="processing"))

    assert open_kinds(scene) == []
