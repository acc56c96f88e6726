"""A matter is found once, closed by a person when it is settled, and found again when it comes back."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from domain.decisions import ResolutionAction
from domain.errors import Conflict, NotAllowed, NotFound
from domain.findings import FindingKind, remedies
from domain.payouts import PayoutStatus
from domain.refunds import Rail, RefundStatus, StatusReason
from ledger.findings import open_finding
from ledger.tables import AuditEntry
from tests.ledger.scene import CHAIN_ID, PAID_CHAIN, WALLET, Scene, wallet_view


def find(scene: Scene, key: str = "order_shortfall/o/1", **changes: Any) -> int:
    fields = {"kind": FindingKind.ORDER_SHORTFALL, "evidence": {"order_id": "o"}} | changes
    with scene.database.write() as session:
        open_finding(session, scene.database, key=key, **fields)
    return int(scene.views.open_findings()[-1]["id"])


def close(scene: Scene, finding: int, operator: str = "ann") -> None:
    scene.findings_desk.close(finding, "settled with the customer", operator=operator)


def the_only(scene: Scene, kind: FindingKind) -> int:
    (finding,) = scene.views.findings(kind=kind)
    return int(finding["id"])


def trail(scene: Scene) -> list[tuple[str, str]]:
    with scene.database.read() as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.event.like("finding.%")).order_by(AuditEntry.seq))
        return [(row.event, row.actor) for row in rows]


def test_closed_finding_leaves_the_list_and_says_who_and_why(scene: Scene) -> None:
    finding = find(scene)

    close(scene, finding)
    close(scene, finding, "bob")

    assert scene.views.open_findings() == []
    (closed,) = scene.views.findings(is_open=False)
    assert (closed["closed_by"], closed["closed_reason"]) == ("ann", "settled with the customer")
    assert trail(scene) == [("finding.opened", "service"), ("finding.closed", "ann")]
    assert scene.audit_break() is None


def test_same_matter_is_found_once_and_again_after_it_was_closed(scene: Scene) -> None:
    finding = find(scene)
    assert find(scene) == finding
    close(scene, finding)
    scene.clock.advance(timedelta(hours=1))

    assert find(scene, evidence={"order_id": "o", "missing_minor": 5}) == finding

    (again,) = scene.views.open_findings()
    assert (again["openings"], again["opened_at"], again["closed_by"]) == (2, scene.clock(), None)
    assert again["evidence"]["missing_minor"] == 5
    assert [event for event, _ in trail(scene)] == ["finding.opened", "finding.closed", "finding.reopened"]


@pytest.mark.parametrize("person", ["vera", "desk", "nobody"])
def test_only_who_may_decide_closes(scene: Scene, person: str) -> None:
    finding = find(scene)

    with pytest.raises(NotAllowed):
        close(scene, finding, person)


def test_deactivated_approver_closes_nothing(scene: Scene) -> None:
    finding = find(scene)
    scene.dismiss("ann")

    with pytest.raises(NotAllowed):
        close(scene, finding)


def test_what_was_never_found_cannot_be_closed(scene: Scene) -> None:
    with pytest.raises(NotFound):
        close(scene, 4711)


def refuses(scene: Scene, finding: int) -> bool:
    try:
        close(scene, finding)
    except Conflict as refusal:
        return refusal.rule == "matter_settled"
    return False


def test_refund_that_needs_attention_keeps_its_finding_until_it_moved_on(scene: Scene) -> None:
    scene.funded()
    refund = scene.failed()
    finding = the_only(scene, FindingKind.PAYOUT_FAILED)
    assert refuses(scene, finding)

    assert scene.resolve(refund, ResolutionAction.GIVE_UP).status == RefundStatus.REJECTED

    close(scene, finding)


def test_looking_again_in_vain_opens_no_second_finding(scene: Scene) -> None:
    scene.funded()
    refund = scene.failed()
    for _ in range(2):
        assert scene.resolve(refund, ResolutionAction.LOOK_AGAIN).status == RefundStatus.CONFIRMING
        assert scene.outcome(refund, PayoutStatus.FAILED).reason == StatusReason.PAYOUT_FAILED

    assert scene.findings() == [StatusReason.PAYOUT_FAILED]


def test_refund_that_comes_back_before_an_operator_opens_its_closed_finding_again(scene: Scene) -> None:
    scene.funded()
    refund = scene.failed()
    finding = the_only(scene, FindingKind.PAYOUT_FAILED)
    scene.resolve(refund, ResolutionAction.LOOK_AGAIN)
    close(scene, finding)

    scene.outcome(refund, PayoutStatus.FAILED)

    (again,) = scene.views.open_findings()
    assert (again["id"], again["openings"]) == (finding, 2)


def test_refund_held_back_keeps_its_finding_until_its_rail_pays(scene: Scene) -> None:
    scene.funded()
    scene.rails.stop(Rail.CARD, "odd payouts", operator="vera")
    refund = scene.awaiting_approval()
    scene.decide(refund)
    scene.begin(refund)
    finding = the_only(scene, FindingKind.RAIL_STOPPED)
    assert refuses(scene, finding)
    for person in ("ann", "bob"):
        scene.rails.start(Rail.CARD, "mended", operator=person)

    assert scene.begin(refund).status == RefundStatus.PAYING

    close(scene, finding)


def test_overdue_refund_keeps_its_finding_until_somebody_acted(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.checking.remind(refund, "reminder")
    finding = the_only(scene, FindingKind.OVERDUE_REMINDER)
    assert refuses(scene, finding)
    scene.decide(refund)

    assert scene.begin(refund).status == RefundStatus.PAYING

    close(scene, finding)


def test_paused_wallet_keeps_its_finding(scene: Scene) -> None:
    scene.funded(rail="crypto")
    first = scene.paying("1", PAID_CHAIN, rail="crypto")
    scene.sign(first)
    scene.deposit("dep_2", rail="crypto")
    scene.paying("2", PAID_CHAIN, rail="crypto", deposit_id="dep_2")
    (queued,) = scene.outbox.queued(CHAIN_ID, WALLET)
    scene.sign_one(queued, wallet_view(nonce=9, nonce_finalized=9))

    assert refuses(scene, the_only(scene, FindingKind.WALLET_PAUSED))


def test_delayed_payout_keeps_its_finding_until_it_left(scene: Scene) -> None:
    scene.funded(rail="crypto")
    refund = scene.paying("1", PAID_CHAIN, rail="crypto")
    (queued,) = scene.outbox.queued(CHAIN_ID, WALLET)
    scene.clock.advance(timedelta(hours=1))
    scene.outbox.delay(queued, "the node is away")
    finding = the_only(scene, FindingKind.PAYOUT_DELAYED)
    assert refuses(scene, finding)

    scene.sign(refund)

    close(scene, finding)


def test_what_the_ledger_cannot_know_is_a_person_s_to_close(scene: Scene) -> None:
    scene.funded()
    refund = scene.failed()
    scene.outcome(refund, PayoutStatus.SUCCEEDED)

    close(scene, the_only(scene, FindingKind.DEAD_PAYOUT_MOVED))


def test_filters_and_pages_lose_nothing(scene: Scene) -> None:
    scene.funded()
    refund = scene.failed()
    numbers = [find(scene, f"order_shortfall/{number}") for number in range(5)]
    close(scene, numbers[0])

    assert [it["id"] for it in scene.views.findings(kind=FindingKind.ORDER_SHORTFALL)] == numbers[1:]
    assert [it["kind"] for it in scene.views.findings(refund_id=refund)] == [StatusReason.PAYOUT_FAILED]
    assert [it["id"] for it in scene.views.findings(is_open=False)] == numbers[:1]
    page = scene.views.findings(kind=FindingKind.ORDER_SHORTFALL, limit=2)
    rest = scene.views.findings(kind=FindingKind.ORDER_SHORTFALL, after=page[-1]["id"])
    assert [it["id"] for it in page + rest] == numbers[1:]


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_can_be_remedied_and_closed(kind: FindingKind) -> None:
    offered = remedies(kind)

    assert len(offered) >= 2
    assert len(set(offered)) == len(offered)
