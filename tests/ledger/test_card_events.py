"""Events of the card processor: whom they wake, what they show, and that they change nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from domain.card_events import CardEvent, EventOutcome, EventSubject
from domain.decisions import ResolutionAction
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, workflow_id
from ledger import cases
from ledger.card_events import KEPT, UNDER_WAY, CardEvents, Taken
from ledger.tables import CardEventRow, Finding
from tests.ledger.scene import Scene

WOKE, ECHO, MISFIT = EventOutcome.WOKE, EventOutcome.ECHO, EventOutcome.MISFIT
OUTSIDE, UNHELD, UNKNOWN = EventOutcome.REFUNDED_OUTSIDE, EventOutcome.UNHELD, EventOutcome.UNKNOWN


def of_refund(refund: str, event_id: str = "evt_1", attempt: int = 1, **changes: Any) -> CardEvent:
    """Make an event of the refund that this attempt made at the processor."""
    named = {"refund_id": refund, "attempt": attempt, "workflow_id": workflow_id(refund)}
    shown = {"subject": EventSubject.REFUND, "subject_id": "re_1", "payment_intent": "pi_dep", "status": "failed"}
    fields: dict[str, Any] = {"event_id": event_id, "type": "refund.failed", "is_live": False}
    return CardEvent(**(fields | named | shown | changes))


def of_payment(subject: EventSubject, event_id: str = "evt_1", **changes: Any) -> CardEvent:
    fields: dict[str, Any] = {"event_id": event_id, "type": "charge.dispute.created", "is_live": False}
    return CardEvent(**(fields | {"subject": subject, "subject_id": "du_1", "payment_intent": "pi_dep"} | changes))


def take(scene: Scene, event: CardEvent) -> Taken:
    return CardEvents(scene.database).take(event, is_live=False)


def tell(scene: Scene) -> None:
    """Do as the API does once a run was told."""
    scene.news.told(scene.news.untold(0))


def has_news(scene: Scene, refund: str) -> bool:
    return scene.row(refund).news_at is not None


def refunded(scene: Scene) -> str:
    scene.funded()
    refund = scene.refunded()
    tell(scene)
    return refund


def rows(scene: Scene) -> list[str]:
    with scene.database.read() as session:
        return list(session.scalars(select(CardEventRow.id).order_by(CardEventRow.id)))


def evidence(scene: Scene) -> list[dict[str, Any]]:
    with scene.database.read() as session:
        return [it.evidence for it in session.scalars(select(Finding).order_by(Finding.id))]


def test_an_event_of_our_refund_leaves_news_for_its_run_and_changes_nothing_else(scene: Scene) -> None:
    refund = refunded(scene)
    before = scene.views.refund(refund)

    taken = take(scene, of_refund(refund))

    assert taken == Taken(WOKE, refund, is_new=True)
    assert has_news(scene, refund)
    assert rows(scene) == ["evt_1"]
    assert scene.views.refund(refund) == before, "what the event says is not applied"
    assert scene.payout(refund).status == PayoutStatus.SUCCEEDED


def test_the_same_event_again_wakes_only_a_run_that_was_not_told(scene: Scene) -> None:
    refund = refunded(scene)
    take(scene, of_refund(refund))

    untold, _ = take(scene, of_refund(refund)), tell(scene)
    told = take(scene, of_refund(refund))

    assert untold == Taken(WOKE, refund, is_new=False), "its first caller died before it told the run"
    assert told == Taken(WOKE, None, is_new=False)
    assert not has_news(scene, refund)
    assert rows(scene) == ["evt_1"]


def test_a_dispute_after_the_loss_of_another_was_accepted_wakes_the_run(scene: Scene) -> None:
    refund = refunded(scene)
    with scene.database.write() as session:
        cases.charge_back_hold(session, scene.database, cases.get(session, refund))

    assert take(scene, of_payment(EventSubject.DISPUTE)) == Taken(WOKE, refund)


def test_an_event_before_the_answer_to_the_request_is_ours_by_its_metadata(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()
    scene.payouts.record_sending(refund, 1)
    assert scene.payout(refund).provider_ref is None

    taken = take(scene, of_refund(refund, type="refund.updated", status="pending"))

    assert taken == Taken(WOKE, refund)


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_intent": "pi_other"},
        {"payment_intent": None},
        {"workflow_id": "refund/rf_other"},
        {"workflow_id": None},
    ],
    ids=["another payment", "no payment", "another workflow", "no workflow"],
)
def test_metadata_that_were_edited_wake_nobody(scene: Scene, changes: dict[str, Any]) -> None:
    scene.funded()
    refund = scene.paying()
    scene.payouts.record_sending(refund, 1)
    tell(scene)

    taken = take(scene, of_refund(refund, **changes))

    assert taken == Taken(MISFIT, None)
    assert not has_news(scene, refund)


def test_our_metadata_on_another_refund_wake_nobody_and_show_it_as_made_outside(scene: Scene) -> None:
    refund = refunded(scene)

    taken = take(scene, of_refund(refund, subject_id="re_copied"))

    assert taken.outcome == MISFIT
    assert not has_news(scene, refund)
    assert scene.findings() == ["refunded_outside"]


def test_a_refund_whose_metadata_were_taken_away_is_still_ours_by_its_reference(scene: Scene) -> None:
    refund = refunded(scene)

    taken = take(scene, of_refund(refund, refund_id=None, attempt=None, workflow_id=None))

    assert taken == Taken(WOKE, refund)


def test_a_refund_made_outside_is_shown_once_with_what_names_it(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    tell(scene)
    shown = {"refund_id": None, "attempt": None, "workflow_id": None, "subject_id": "re_out", "amount_minor": 700}

    first = take(scene, of_refund(refund, "evt_1", type="refund.created", currency="USD", **shown))
    again = take(scene, of_refund(refund, "evt_2", type="refund.updated", currency="USD", **shown))

    assert (first.outcome, again.outcome) == (OUTSIDE, OUTSIDE)
    assert scene.findings() == ["refunded_outside"]
    (told,) = evidence(scene)
    assert (told["provider_ref"], told["payment_intent"], told["amount_minor"]) == ("re_out", "pi_dep", 700)
    assert told["deposit_id"] == "dep"
    assert not has_news(scene, refund)


@pytest.mark.parametrize("dead", ["failed", "canceled"])
def test_a_refund_made_outside_that_dies_after_it_counted_as_paid_is_told_anew(scene: Scene, dead: str) -> None:
    scene.funded()
    refund = scene.failed()
    foreign: dict[str, Any] = {"refund_id": None, "attempt": None, "workflow_id": None, "subject_id": "re_out"}
    take(scene, of_refund(refund, "evt_1", type="refund.created", **(foreign | {"status": "succeeded"})))
    state = scene.resolve(refund, ResolutionAction.PAID_OUTSIDE, evidence="re_out")
    assert state.status == RefundStatus.REFUNDED
    before = scene.views.findings(limit=10)

    for event in ("evt_2", "evt_3"):
        take(scene, of_refund(refund, event, type="refund.updated", **(foreign | {"status": dead})))

    (told,) = (it for it in scene.views.findings(limit=10) if it["id"] not in {known["id"] for known in before})
    assert (told["kind"], told["refund_id"]) == ("refunded_outside", refund)
    assert (told["evidence"]["provider_ref"], told["evidence"]["status"]) == ("re_out", dead)


def test_a_refund_made_outside_that_a_person_closed_stays_closed(scene: Scene) -> None:
    scene.funded()
    alien = {"refund_id": None, "subject_id": "re_out"}
    take(scene, of_refund("rf_none", "evt_1", **alien))
    (found,) = scene.views.findings(limit=10)
    scene.findings_desk.close(found["id"], "agreed with the customer", operator="ann")

    take(scene, of_refund("rf_none", "evt_2", **alien))

    assert scene.views.findings(limit=10, is_open=True) == []


def test_other_business_on_the_same_account_is_only_counted(scene: Scene) -> None:
    refunded(scene)

    taken = take(scene, of_refund("rf_none", payment_intent="pi_shop", subject_id="re_shop"))
    of_charge = take(scene, of_payment(EventSubject.DISPUTE, "evt_2", payment_intent="pi_shop"))
    of_nothing = take(scene, of_payment(EventSubject.DISPUTE, "evt_3", payment_intent=None))

    assert {taken.outcome, of_charge.outcome, of_nothing.outcome} == {UNKNOWN}
    assert scene.findings() == []


@pytest.mark.parametrize("subject", [EventSubject.DISPUTE, EventSubject.EARLY_FRAUD_WARNING, EventSubject.CHARGE])
def test_what_happens_to_the_payment_wakes_the_refund_that_keeps_its_deposit(
    scene: Scene, subject: EventSubject
) -> None:
    refund = refunded(scene)

    taken = take(scene, of_payment(subject))

    assert taken == Taken(WOKE, refund)


def test_a_dispute_of_a_deposit_that_nobody_refunds_is_only_counted(scene: Scene) -> None:
    scene.funded()

    assert take(scene, of_payment(EventSubject.DISPUTE)).outcome == UNHELD
    assert scene.findings() == []


@pytest.mark.parametrize(
    "changes", [{"is_live": True}, {"account": "acct_other"}], ids=["live mode", "a connected account"]
)
def test_events_of_another_account_change_nothing_and_are_told_once(scene: Scene, changes: dict[str, Any]) -> None:
    refund = refunded(scene)

    for number in range(3):
        assert take(scene, of_refund(refund, f"evt_{number}", **changes)).outcome == EventOutcome.OTHER_ACCOUNT

    assert scene.findings() == ["hook_misdirected"]
    assert rows(scene) == []
    assert not has_news(scene, refund)


def test_the_echo_of_our_own_request_costs_no_look(scene: Scene) -> None:
    refund = refunded(scene)
    created = of_refund(refund, "evt_1", type="refund.created", status="succeeded")
    charged = {"type": "charge.refunded", "refunded_minor": 2000}

    assert take(scene, created).outcome == ECHO
    assert take(scene, of_payment(EventSubject.CHARGE, "evt_2", **charged)).outcome == ECHO
    assert not has_news(scene, refund)


@pytest.mark.parametrize(
    "event",
    [
        of_refund("", type="refund.created", status="failed"),
        of_refund("", type="refund.updated", status="succeeded"),
        of_payment(EventSubject.CHARGE, type="charge.refunded", refunded_minor=1999),
        of_payment(EventSubject.CHARGE, type="charge.refunded"),
    ],
    ids=["another status", "an update, perhaps the bank's reference", "another amount", "no amount"],
)
def test_what_the_run_cannot_know_is_no_echo(scene: Scene, event: CardEvent) -> None:
    refund = refunded(scene)
    if event.subject == EventSubject.REFUND:
        event = event.model_copy(update={"refund_id": refund, "workflow_id": workflow_id(refund)})

    assert take(scene, event).outcome == WOKE


def test_an_event_about_a_request_without_an_answer_is_an_echo_only_while_its_step_must_be_at_work(
    scene: Scene,
) -> None:
    scene.funded()
    refund = scene.paying()
    scene.payouts.record_sending(refund, 1)

    soon = take(scene, of_refund(refund, "evt_1", type="refund.created", status="succeeded"))
    scene.clock.advance(UNDER_WAY)
    late = take(scene, of_refund(refund, "evt_2", type="refund.created", status="succeeded"))

    assert (soon.outcome, late.outcome) == (ECHO, WOKE)


def test_an_event_after_a_failure_that_the_processor_stored_is_no_echo(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()
    scene.payouts.record_sending(refund, 1)
    scene.payouts.record_unclear(refund, 1, "stored", is_stored=True)

    made_after_all = take(scene, of_refund(refund, type="refund.created", status="succeeded"))

    assert made_after_all.outcome == WOKE


def test_the_sweep_leaves_news_for_every_card_payout_that_may_still_land(scene: Scene) -> None:
    scene.account()
    refunds = {}
    for name in ("queued", "pending", "paid", "dead", "unsent"):
        scene.deposit(name)
        begin = scene.awaiting_approval if name == "unsent" else scene.paying
        refunds[name] = begin(name, deposit_id=name)
    scene.outcome(refunds["pending"], PayoutStatus.PENDING)
    scene.outcome(refunds["paid"], PayoutStatus.SUCCEEDED)
    scene.outcome(refunds["dead"], PayoutStatus.FAILED)
    scene.deposit("coin", rail="crypto")
    tell(scene)

    woken = CardEvents(scene.database).wake_open_payouts()

    assert {name for name, refund in refunds.items() if has_news(scene, refund)} == {"queued", "pending"}
    assert woken == 2
    assert CardEvents(scene.database).wake_open_payouts() == 0, "news that nobody told yet are news enough"


def test_a_dispute_of_a_refund_that_nobody_watches_any_more_wakes_it(scene: Scene) -> None:
    refund = refunded(scene)
    scene.payouts.end_watch(refund)
    scene.clock.advance(timedelta(days=60))

    assert take(scene, of_payment(EventSubject.DISPUTE)) == Taken(WOKE, refund)
    assert scene.row(refund).status == RefundStatus.REFUNDED


def test_rows_are_kept_longer_than_an_event_can_come_again(scene: Scene) -> None:
    refund = refunded(scene)
    take(scene, of_refund(refund))

    scene.clock.advance(KEPT)
    CardEvents(scene.database).forget()
    assert rows(scene) == ["evt_1"]
    scene.clock.advance(timedelta(seconds=1))
    CardEvents(scene.database).forget()

    assert rows(scene) == []
