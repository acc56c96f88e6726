"""Between a payout's beginning and the moment its money leaves anything may change; then it does not leave."""

import pytest

from domain.findings import FindingKind
from domain.people import Role
from domain.refunds import Rail, RefundStatus, StatusReason
from ledger.clients import Clients
from ledger.rails import Rails
from tests.activities.steps import Steps
from tests.workflows.house import House

SEND = {"card": "send_card", "crypto": "pump"}


def has_left(house: House) -> bool:
    return house.card.posts > 0 or bool(house.chain.nonces())


def dismiss(house: House, name: str) -> None:
    """Do what an admin does when somebody's token was stolen."""
    Clients(house.database).add("boss", Role.ADMIN, actor="setup")
    Clients(house.database).set_active(name, False, reason="token stolen", actor="boss")


@pytest.mark.parametrize("rail", SEND)
def test_a_payout_that_was_begun_leaves_only_when_its_stopped_rail_is_started(
    house: House, steps: Steps, rail: str
) -> None:
    refund = steps.begun(rail)
    rails = Rails(house.database)
    rails.stop(Rail(rail), "odd payouts", operator="ann")

    for _ in range(2):
        getattr(steps, SEND[rail])(refund)
    left_while_stopped = has_left(house)
    seen = house.see(refund)
    for person in ("ann", "bob"):
        rails.start(Rail(rail), "mended", operator=person)
    getattr(steps, SEND[rail])(refund)

    assert not left_while_stopped
    assert (seen["status"], seen["payouts"][0]["status"]) == (RefundStatus.PAYING, "queued")
    assert has_left(house)


@pytest.mark.parametrize("rail", SEND)
def test_a_payout_that_was_begun_does_not_leave_on_the_word_of_somebody_who_lost_the_right(
    house: House, steps: Steps, rail: str
) -> None:
    refund = steps.begun(rail)
    dismiss(house, "ann")

    for _ in range(2):
        getattr(steps, SEND[rail])(refund)

    seen = house.see(refund)
    assert not has_left(house)
    assert (seen["status"], seen["status_reason"]) == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REFUSED)
    assert seen["payouts"][0]["status"] == "refused"
    assert house.findings() == [FindingKind.PAYOUT_REFUSED]
    assert house.books() == {"held": 2000}


def test_a_request_that_has_left_is_followed_whoever_lost_the_right_since(house: House, steps: Steps) -> None:
    refund = steps.begun()
    steps.sending_was_recorded(refund)
    dismiss(house, "ann")

    steps.send_card(refund)

    assert house.see(refund)["status"] == RefundStatus.REFUNDED
    assert house.card.posts == 1


def test_a_request_that_may_have_left_is_not_repeated_while_its_rail_is_stopped(house: House, steps: Steps) -> None:
    refund = steps.begun()
    steps.sending_was_recorded(refund)
    Rails(house.database).stop(Rail.CARD, "odd payouts", operator="bob")

    steps.send_card(refund)

    assert house.see(refund)["status"] == RefundStatus.PAYING
    assert house.card.posts == 0
