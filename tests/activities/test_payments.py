"""The step that begins a payout trusts nobody: not the run that calls it, nor an earlier check."""

import pytest
from sqlalchemy import update

from domain.policy import ApprovalLevel
from domain.refunds import RefundStatus
from ledger.tables import Client
from tests.activities.steps import Steps
from tests.workflows.house import House, make_policy

AWAITING_APPROVAL = RefundStatus.AWAITING_APPROVAL
TWO_PEOPLE = make_policy(approvals=(ApprovalLevel(currency="USD", up_to_minor=10**6, approvals=2),))


def test_a_payout_does_not_begin_without_an_approval(house: House, steps: Steps) -> None:
    refund = steps.awaiting_approval()

    state = steps.begin(refund)

    assert state.status == AWAITING_APPROVAL
    assert house.see(refund)["payouts"] == []


@pytest.mark.parametrize("policy", [TWO_PEOPLE], ids=["two approvals"])
def test_a_payout_does_not_begin_with_one_approval_of_two(house: House, steps: Steps) -> None:
    refund = steps.approved()

    assert steps.begin(refund).status == AWAITING_APPROVAL
    house.approve(refund, "bob")
    assert steps.begin(refund).status == RefundStatus.PAYING


def test_a_payout_does_not_begin_on_the_word_of_somebody_who_lost_the_right(house: House, steps: Steps) -> None:
    refund = steps.approved()
    with house.database.write() as session:
        session.execute(update(Client).where(Client.name == "ann").values(role="viewer"))

    assert steps.begin(refund).status == AWAITING_APPROVAL
    assert house.see(refund)["payouts"] == []


def test_a_payout_does_not_begin_after_a_rejection_or_before_a_check(house: House, steps: Steps) -> None:
    refund = steps.requested()
    steps.identify_only(refund)
    before_the_check = steps.begin(refund).status
    steps.check(refund)
    house.reject(refund)
    steps.end(refund)

    assert (before_the_check, steps.begin(refund).status) == (RefundStatus.CHECKING, RefundStatus.REJECTED)
    assert (house.see(refund)["payouts"], house.books()) == ([], {"spendable": 2000})
