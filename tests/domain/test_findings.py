"""Whatever is found has something that a person may do about it."""

import pytest

from domain.differences import DifferenceKind
from domain.findings import ADVICE, FindingKind, Remedy, remedies
from domain.refunds import RefundStatus


@pytest.mark.parametrize("kind", DifferenceKind, ids=str)
def test_every_difference_of_a_reconciliation_is_a_kind_of_finding(kind: DifferenceKind) -> None:
    assert FindingKind(kind)


@pytest.mark.parametrize("kind", FindingKind, ids=str)
def test_every_kind_has_more_to_do_about_it_than_closing_it(kind: FindingKind) -> None:
    offered = remedies(kind)

    assert offered[-1] == Remedy.CLOSE
    assert len(offered) > 1
    assert len(set(offered)) == len(offered)


def test_every_remedy_is_explained_and_offered_somewhere() -> None:
    assert ADVICE.keys() == set(Remedy)
    assert {remedy for kind in FindingKind for remedy in remedies(kind)} == set(Remedy)


@pytest.mark.parametrize("status", RefundStatus, ids=str)
def test_what_is_offered_depends_on_where_the_refund_stands_now(status: RefundStatus) -> None:
    offered = {remedy for kind in FindingKind for remedy in remedies(kind, status)}

    resolutions = {Remedy.LOOK_AGAIN, Remedy.RETRY, Remedy.PAID_OUTSIDE, Remedy.GIVE_UP}
    assert offered & resolutions == (resolutions if status == RefundStatus.NEEDS_ATTENTION else set())
    assert (Remedy.DECIDE in offered) == (status == RefundStatus.AWAITING_APPROVAL)
    assert (Remedy.CONFIRM_OWNERSHIP in offered) == (status == RefundStatus.AWAITING_OWNERSHIP)
    assert all(remedies(kind, status)[-1] == Remedy.CLOSE for kind in FindingKind)


@pytest.mark.parametrize("status", [RefundStatus.PAYING, RefundStatus.CONFIRMING], ids=str)
def test_overdue_payout_may_be_looked_at_by_waking_its_run(status: RefundStatus) -> None:
    assert remedies(FindingKind.OVERDUE_REMINDER, status) == (Remedy.WAKE_RUN, Remedy.CLOSE)


def test_webhooks_of_somebody_else_are_mended_at_their_endpoint_and_move_no_refund() -> None:
    offered = remedies(FindingKind.HOOK_MISDIRECTED)

    assert offered == (Remedy.MEND_HOOK, Remedy.CLOSE)
    assert ADVICE[Remedy.MEND_HOOK].call is None


def test_a_dispute_is_not_to_be_answered_once_its_refund_has_ended() -> None:
    assert Remedy.ANSWER_DISPUTE in remedies(FindingKind.PAYOUT_DISPUTED, RefundStatus.NEEDS_ATTENTION)
    assert Remedy.ANSWER_DISPUTE in remedies(FindingKind.PAYOUT_DISPUTED, RefundStatus.AWAITING_APPROVAL)

    assert remedies(FindingKind.PAYOUT_DISPUTED, RefundStatus.REFUNDED) == (Remedy.CLOSE,)
