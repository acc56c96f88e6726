"""A key that is not taken stops the rail and fails no refund; a stored failure is waited out by looking."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from domain.findings import FindingKind
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.rails import RailWait, StopCause
from domain.refunds import Rail, RefundStatus, StatusReason
from ledger.payouts import Payouts
from ledger.rails import Rails
from ledger.tables import Finding, Payout
from tests.activities.steps import Steps
from tests.fakes import FAILED, REFUSED, UNKNOWN
from tests.workflows.house import House


def start_again(house: House) -> None:
    for person in ("ann", "bob"):
        Rails(house.database).start(Rail.CARD, "the key is mended", operator=person)


def switch(house: House) -> dict[str, Any]:
    return next(it for it in Rails(house.database).rails() if it["rail"] == Rail.CARD)


def payout(house: House, refund: str, attempt: int = 1) -> Payout:
    with house.database.read() as session:
        return session.get_one(Payout, (refund, attempt))


def unclear(step: Callable[[str], Any], refund: str) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        step(refund)
    assert not raised.value.non_retryable
    return raised.value


# --- a key that is not taken ---


def test_a_refused_key_stops_the_rail_once_and_the_payout_waits_unsent(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.is_locked = True

    for _ in range(3):
        state = steps.send_card(refund)

    assert (state.status, payout(house, refund).status) == (RefundStatus.PAYING, PayoutStatus.QUEUED)
    stopped = switch(house)
    assert (stopped["is_stopped"], stopped["stopped_by"], stopped["waiting_for"]) == (
        True,
        "service",
        RailWait.TWO_PEOPLE,
    )
    assert stopped["stop_cause"] == StopCause.KEY_REFUSED
    assert house.findings() == [FindingKind.RAIL_STOP]
    assert house.trail_is_whole()


def test_two_workers_at_once_make_one_stop_and_one_finding(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.is_locked = True

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: Steps(house).send_card(refund), range(2)))

    assert house.findings() == [FindingKind.RAIL_STOP]
    with house.database.read() as session:
        assert [it.openings for it in session.query(Finding).all()] == [1]


def test_payouts_go_on_only_after_two_people_started_the_rail(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.is_locked = True
    steps.send_card(refund)
    house.card.is_locked = False

    steps.send_card(refund)
    posts_while_stopped = house.card.posts
    start_again(house)
    state = steps.send_card(refund)

    assert posts_while_stopped == 0
    assert (state.status, house.card.posts) == (RefundStatus.REFUNDED, 1)
    assert house.findings() == []


def test_a_key_that_may_only_read_keeps_a_payout_that_may_have_left_before_the_rail(
    house: House, steps: Steps
) -> None:
    refund = steps.begun()
    house.card.takes_no_requests_of_its_key = True
    steps.send_card(refund)
    house.card.takes_no_requests_of_its_key = False

    for _ in range(2):
        waiting = steps.look_at_card(refund)
    posts_while_stopped = house.card.posts
    start_again(house)
    woken = house.see(refund)
    state = steps.look_at_card(refund)

    assert (waiting.status, woken["payouts"][0]["status"]) == (RefundStatus.PAYING, PayoutStatus.UNKNOWN)
    assert posts_while_stopped == 0
    assert (state.status, house.card.posts) == (RefundStatus.REFUNDED, 1)


def test_what_was_sent_is_still_found_while_the_rail_is_stopped(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.loses_answers = True
    unclear(steps.send_card, refund)
    Rails(house.database).stop(Rail.CARD, "odd", operator="ann")

    assert steps.look_at_card(refund).status == RefundStatus.REFUNDED


def test_an_approved_refund_waits_approved_before_the_stopped_rail(house: House, steps: Steps) -> None:
    refund = steps.approved()
    house.card.is_locked = True

    for _ in range(2):
        state = steps.begin(refund)
    house.card.is_locked = False
    mended = steps.begin(refund)
    start_again(house)

    assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.RAIL_STOPPED)
    assert (mended.status, mended.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.RAIL_STOPPED)
    assert steps.begin(refund).status == RefundStatus.PAYING


def test_a_refund_that_is_checked_meanwhile_comes_before_nobody_and_is_checked_again(
    house: House, steps: Steps
) -> None:
    refund = steps.requested()
    house.card.is_locked = True

    unclear(steps.check, refund)
    attended = steps.attend(refund)
    house.card.is_locked = False

    assert (attended.status, house.findings()) == (RefundStatus.CHECKING, [FindingKind.RAIL_STOP])
    assert steps.check(refund).status == RefundStatus.AWAITING_APPROVAL


def test_a_rail_that_people_stopped_hides_no_provider_that_is_away(house: House, steps: Steps) -> None:
    refund = steps.requested()
    Rails(house.database).stop(Rail.CARD, "odd", operator="ann")

    assert steps.attend(refund).status == RefundStatus.NEEDS_ATTENTION


def test_a_paid_refund_under_watch_is_left_as_it_is(house: House, steps: Steps) -> None:
    refund = steps.paid()
    house.card.is_locked = True

    state = steps.look_at_card(refund)

    assert (state.status, house.findings()) == (RefundStatus.REFUNDED, [FindingKind.RAIL_STOP])


def test_words_to_start_count_only_if_they_came_after_the_stop(house: House, steps: Steps) -> None:
    refund = steps.begun()
    Rails(house.database).stop(Rail.CARD, "odd", operator="ann")
    start_again(house)
    house.card.is_locked = True

    steps.send_card(refund)
    Rails(house.database).start(Rail.CARD, "mended", operator="bob")

    assert switch(house)["is_stopped"]


# --- a stored failure ---


def test_a_stored_failure_is_waited_out_by_looking_and_sent_anew_after_25_hours(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.stores_failures = True
    unclear(steps.send_card, refund)
    house.card.stores_failures = False

    for _ in range(99):  # each quarter of an hour, up to 24 h 45 min
        house.clock.ahead += timedelta(minutes=15)
        assert unclear(steps.look_at_card, refund).next_retry_delay == timedelta(minutes=15)
    replays_meanwhile = house.card.replays
    house.clock.ahead += timedelta(minutes=15)
    house.card.stored.clear()  # the processor forgot the key an hour ago
    state = steps.look_at_card(refund)

    assert replays_meanwhile == 1
    assert (state.status, house.card.posts) == (RefundStatus.REFUNDED, 1)
    assert list(house.card.requests) == [f"refund/{refund}/1"]


def test_a_refund_that_appears_while_its_failure_is_stored_is_adopted(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.stores_failures = True
    unclear(steps.send_card, refund)
    house.card.refunds[f"refund/{refund}/1"] = PayoutOutcome(status=PayoutStatus.SUCCEEDED, provider_ref="re_late")

    assert steps.look_at_card(refund).status == RefundStatus.REFUNDED
    assert house.card.replays == 1


def test_a_failure_that_is_stored_anew_after_25_hours_is_waited_out_once_more(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.stores_failures = True
    unclear(steps.send_card, refund)
    house.clock.ahead += timedelta(hours=25)
    unclear(steps.look_at_card, refund)

    house.clock.ahead += timedelta(hours=24, minutes=59)
    unclear(steps.look_at_card, refund)
    assert house.card.replays == 2
    house.clock.ahead += timedelta(minutes=1)
    unclear(steps.look_at_card, refund)
    assert house.card.replays == 3


def test_the_age_of_a_key_is_counted_from_its_own_first_use_and_not_from_another_attempts(
    house: House, steps: Steps
) -> None:
    refund = steps.begun()
    house.card.status_of_new = FAILED
    steps.send_card(refund)
    house.clock.ahead += timedelta(hours=2)
    house.resolve(refund, "retry")
    steps.read_records(refund)
    house.approve(refund)
    steps.begin(refund)

    steps.send_card(refund)

    first, second = (payout(house, refund, it).key_used_at for it in (1, 2))
    assert first is not None
    assert second is not None
    assert second - first >= timedelta(hours=2)


# --- answers that tell nothing ---


@pytest.mark.parametrize(
    ("pause", "answers"),
    [(timedelta(seconds=30), 8), (timedelta(minutes=20), 4)],
    ids=["eight answers", "an hour"],
)
@pytest.mark.parametrize("is_away", [True, False], ids=["queued", "perhaps sent"])
def test_people_hear_of_a_payout_of_which_nothing_is_known_for_long(
    house: House, steps: Steps, pause: timedelta, answers: int, is_away: bool
) -> None:
    refund = steps.begun()
    house.card.is_away, house.card.takes_no_requests = is_away, not is_away
    told = []

    for _ in range(answers + 2):
        unclear(steps.send_card, refund)
        told.append(len(house.findings()))
        house.clock.ahead += pause

    assert told == [0] * (answers - 1) + [1] * 3
    assert house.findings() == [FindingKind.FACTS_UNAVAILABLE if is_away else FindingKind.PAYOUT_UNKNOWN]


def test_answers_that_tell_nothing_are_counted_in_a_row(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.takes_no_requests = True
    for _ in range(7):
        unclear(steps.send_card, refund)
    house.card.takes_no_requests, house.card.status_of_new = False, UNKNOWN
    steps.send_card(refund)

    assert payout(house, refund).unclear_answers == 0


# --- two at once ---


def test_a_refusal_counts_only_while_no_other_worker_has_sent(house: House, steps: Steps) -> None:
    refund = steps.begun()
    payouts = Payouts(house.database, house.policy)
    payouts.record_sending(refund, 1)  # another worker, which looked before

    with pytest.raises(Exception, match="another worker"):
        payouts.record_outcome(refund, 1, REFUSED, is_unsent=True)

    assert payout(house, refund).status == PayoutStatus.UNKNOWN


def test_a_late_refusal_never_undoes_what_another_worker_saw(house: House, steps: Steps) -> None:
    refund = steps.paid()

    state = Payouts(house.database, house.policy).record_outcome(refund, 1, REFUSED, is_unsent=True)

    assert (state.status, house.books()) == (RefundStatus.REFUNDED, {"refunded": 2000})


def test_a_look_that_finds_no_refund_where_none_was_made_keeps_its_reason(house: House, steps: Steps) -> None:
    refund = steps.begun()
    house.card.status_of_new = REFUSED
    steps.send_card(refund)
    house.card.refunds.clear()
    house.resolve(refund, "look_again")
    steps.read_records(refund)

    state = steps.look_at_card(refund)

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_REFUSED)
