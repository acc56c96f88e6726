"""Every step may run twice in a row: a worker died after it worked, and before it could say so."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain.decisions import ResolutionAction
from domain.refunds import RefundStatus
from tests.activities.steps import Steps
from tests.fakes import CANCELED, DISPUTED, FAILED, PENDING, REFUSED, SUCCEEDED, UNKNOWN
from tests.workflows.house import COIN, House

Scene = Callable[[Steps], str]


def withdrawn(steps: Steps, refund: str) -> str:
    steps.house.withdraw(refund)
    return refund


def rejected(steps: Steps) -> str:
    refund = steps.awaiting_approval()
    steps.house.reject(refund)
    return refund


def by_mail(steps: Steps) -> str:
    refund = steps.requested(channel="email", payment_proof="pi_dep_1")
    steps.check(refund)
    return refund


def unproved(steps: Steps) -> str:
    refund = steps.requested(channel="email")
    steps.check(refund)
    return refund


def confirmed(steps: Steps, action: str) -> str:
    refund = by_mail(steps)
    steps.house.confirm(refund, action=action)
    return refund


def resolved(steps: Steps, action: ResolutionAction) -> str:
    refund = steps.begun()
    steps.house.card.status_of_new = FAILED
    steps.send_card(refund)
    steps.house.resolve(refund, action, evidence="bank transfer 77")
    return refund


def second_ticket(steps: Steps) -> str:
    steps.awaiting_approval()
    return steps.house.accept("2")


def with_order(steps: Steps, status: str) -> str:
    refund = steps.requested()
    steps.house.order("ord_1", status)
    return refund


def sending(steps: Steps, outcome: Any) -> str:
    steps.house.card.status_of_new = outcome
    return steps.begun()


def changed_after_paying(steps: Steps, outcome: Any) -> str:
    refund = steps.paid()
    steps.house.card.change(f"refund/{refund}/1", outcome)
    return refund


def on_chain(steps: Steps, *, mines: bool, moves: bool = True, pumped: bool = False) -> str:
    steps.house.chain.mines_at_once = mines
    steps.house.chain.mines_without_moving = not moves
    refund = steps.begun("crypto")
    if pumped:
        steps.pump(refund)
    return refund


def unpayable(steps: Steps) -> str:
    refund = on_chain(steps, mines=True)
    steps.house.chain.refuses.add(steps.house.see(refund)["payouts"][0]["to"])
    return refund


CASES: dict[str, tuple[Scene, str]] = {
    "a direct start writes its row": (Steps.requested, "open_directly"),
    "a check asks for approval": (Steps.requested, "check"),
    "a check finds a second ticket": (second_ticket, "check"),
    "a check waits for an order": (lambda it: with_order(it, "pending"), "check"),
    "a check finds the deposit used": (lambda it: with_order(it, "charged"), "check"),
    "a check finds a withdrawal": (lambda it: withdrawn(it, it.requested()), "check"),
    "a check asks for the proof": (lambda it: it.requested(channel="email"), "check"),
    "a confirmation is read": (lambda it: confirmed(it, "confirm"), "read_records"),
    "a denial is read": (lambda it: confirmed(it, "deny"), "read_records"),
    "an approval is read": (Steps.approved, "read_records"),
    "a rejection is read": (rejected, "read_records"),
    "a withdrawal is read": (lambda it: withdrawn(it, it.awaiting_approval()), "read_records"),
    "a retry is read": (lambda it: resolved(it, ResolutionAction.RETRY), "read_records"),
    "a look again is read": (lambda it: resolved(it, ResolutionAction.LOOK_AGAIN), "read_records"),
    "paid outside is read": (lambda it: resolved(it, ResolutionAction.PAID_OUTSIDE), "read_records"),
    "giving up is read": (lambda it: resolved(it, ResolutionAction.GIVE_UP), "read_records"),
    "a rejection ends the refund": (rejected, "end"),
    "a withdrawal ends the refund": (lambda it: withdrawn(it, it.awaiting_approval()), "end"),
    "giving up ends the refund": (lambda it: resolved(it, ResolutionAction.GIVE_UP), "end"),
    "an operator is called to a check": (Steps.requested, "attend"),
    "an operator is called to an approved refund": (Steps.approved, "attend"),
    "an operator is called to a payout": (Steps.begun, "attend"),
    "a wait for the customer ends": (unproved, "expire"),
    "a reminder is written": (Steps.awaiting_approval, "remind"),
    "the ticket is answered": (Steps.paid, "answer_ticket"),
    "a payout begins": (Steps.approved, "begin"),
    "a payout does not begin after a withdrawal": (lambda it: withdrawn(it, it.approved()), "begin"),
    "a card refund succeeds": (lambda it: sending(it, SUCCEEDED), "send_card"),
    "a card refund is pending": (lambda it: sending(it, PENDING), "send_card"),
    "a card refund is refused": (lambda it: sending(it, REFUSED), "send_card"),
    "a card refund fails": (lambda it: sending(it, FAILED), "send_card"),
    "a card refund is canceled": (lambda it: sending(it, CANCELED), "send_card"),
    "a card refund is unknown": (lambda it: sending(it, UNKNOWN), "send_card"),
    "a paid card refund failed": (lambda it: changed_after_paying(it, FAILED), "look_at_card"),
    "a paid card refund is disputed": (lambda it: changed_after_paying(it, DISPUTED), "look_at_card"),
    "a watch ends": (Steps.paid, "end_watch"),
    "a chain payout is signed and sent": (lambda it: on_chain(it, mines=False), "pump"),
    "a chain payout is seen": (lambda it: on_chain(it, mines=True, pumped=True), "pump"),
    "a chain payout reverted": (lambda it: on_chain(it, mines=True, moves=False, pumped=True), "pump"),
    "a chain payout cannot be signed": (unpayable, "pump"),
}


def picture(house: House) -> Any:
    """Return everything that can be seen from outside."""
    refunds = sorted(summary["id"] for summary in house.views.refunds())
    moved = (house.card.posts, house.card.moved(), house.chain.moved(), house.chain.nonces())
    return [house.see(refund) for refund in refunds], house.books(), house.findings(), moved


@pytest.mark.parametrize(("scene", "step"), CASES.values(), ids=CASES.keys())
def test_a_step_that_runs_twice_leaves_what_it_left_the_first_time(
    house: House, steps: Steps, scene: Scene, step: str
) -> None:
    refund = scene(steps)
    before = picture(house)

    first_answer = getattr(steps, step)(refund)
    after_one = picture(house)
    getattr(steps, step)(refund)
    second_answer = getattr(steps, step)(refund)

    assert after_one != before
    assert picture(house) == after_one
    assert getattr(second_answer, "status", None) == getattr(first_answer, "status", None)
    assert house.trail_is_whole()


def test_every_step_that_a_worker_registers_is_tried_twice_or_writes_nothing() -> None:
    tried = {step for _, step in CASES.values()}

    steps = {name for name in vars(Steps) if not name.startswith("_")}

    begins = {"requested", "identify_only", "sending_was_recorded", "awaiting_approval", "approved", "begun", "paid"}
    assert steps - begins - tried == {"wake_wallet"}


async def test_waking_a_wallet_twice_writes_nothing(house: House, steps: Steps) -> None:
    refund = steps.begun("crypto")
    before = picture(house)

    for _ in range(2):
        assert (await steps.wake_wallet(refund)).status == RefundStatus.PAYING

    assert picture(house) == before
    assert len(steps.wallet_runs.woken) == 2


def test_a_request_whose_answer_was_lost_is_adopted_and_never_sent_again(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.loses_answers = True
    with pytest.raises(Exception, match="answer was lost"):
        steps.send_card(refund)
    assert house.see(refund)["payouts"][0]["status"] == "unknown"

    state = steps.send_card(refund)

    assert state.status == RefundStatus.REFUNDED
    assert (house.card.posts, house.books()) == (1, {"refunded": 2000})


def test_bytes_that_were_signed_and_not_sent_are_sent_as_they_are(house: House, steps: Steps) -> None:
    refund = on_chain(steps, mines=False, pumped=True)
    (tx_hash,) = house.chain.sent
    raw = house.chain.sent.pop(tx_hash)

    house.clock.ahead += timedelta(minutes=1)
    steps.pump(refund)

    assert house.chain.sent == {tx_hash: raw}
    assert int(house.see(refund)["payouts"][0]["amount_base_units"]) == COIN
