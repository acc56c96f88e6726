"""A dry run says what a real request would come to, and leaves no trace."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from domain.checks import CheckOutcome, CheckQuestion
from domain.eligibility import AccountStatus
from domain.errors import InvalidRequest
from domain.payments import CardPayment
from ledger.tables import Row
from tests.ledger.scene import DISPUTED_CARD, PAID_CARD, Scene

UNSETTLED = PAID_CARD.model_copy(update={"status": "processing", "is_captured": False})
NOT_A_CARD = PAID_CARD.model_copy(update={"is_card": False})


def counts(scene: Scene) -> dict[str, int]:
    """How many rows every table holds."""
    with scene.database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Row.metadata.sorted_tables
        }


def preview(scene: Scene, facts: CardPayment = PAID_CARD, **changes: Any) -> CheckOutcome:
    body = scene.request_body(**changes).model_dump()
    check = scene.previews.prepare(CheckQuestion.model_validate(body))
    return scene.previews.judge(check, facts if scene.previews.payment(check) else None)


def second_deposit(scene: Scene) -> None:
    scene.deposit("dep_2")


def charged_order(scene: Scene) -> None:
    scene.order("o", 50)


def pending_order(scene: Scene) -> None:
    scene.order("o", 50, "pending")


def held_by_another(scene: Scene) -> None:
    scene.awaiting_approval("another")


def suspended(scene: Scene) -> None:
    scene.account(status=AccountStatus.SUSPENDED)


def closed(scene: Scene) -> None:
    scene.account(status=AccountStatus.CLOSED)


def nothing(_: Scene) -> None:
    return None


CASES: dict[str, tuple[Callable[[Scene], None], CardPayment, dict[str, Any]]] = {
    "approvable": (nothing, PAID_CARD, {}),
    "used": (charged_order, PAID_CARD, {}),
    "a pending order": (pending_order, PAID_CARD, {}),
    "payment unsettled": (nothing, UNSETTLED, {}),
    "disputed": (nothing, DISPUTED_CARD, {}),
    "no way back": (nothing, NOT_A_CARD, {}),
    "two deposits": (second_deposit, PAID_CARD, {}),
    "held by another": (held_by_another, PAID_CARD, {}),
    "account suspended": (suspended, PAID_CARD, {}),
    "account closed": (closed, PAID_CARD, {}),
    "mail without proof": (nothing, PAID_CARD, {"channel": "email"}),
    "mail with a wrong proof": (nothing, PAID_CARD, {"channel": "email", "payment_proof": "pi_other"}),
    "mail with proof": (nothing, PAID_CARD, {"channel": "email", "payment_proof": "pi_dep"}),
    "charge that proves nothing": (nothing, PAID_CARD, {"payment_proof": "ch_other"}),
}


@pytest.mark.parametrize(("prepare", "facts", "changes"), CASES.values(), ids=CASES)
def test_dry_run_says_where_the_real_request_comes_to_stand(
    scene: Scene, prepare: Callable[[Scene], None], facts: CardPayment, changes: dict[str, Any]
) -> None:
    scene.funded()
    prepare(scene)
    before = counts(scene)

    told = preview(scene, facts, **changes)

    assert counts(scene) == before
    refund = scene.request(**changes)
    real = scene.check(refund, facts)
    row = scene.row(refund)
    assert (told.status, told.status_reason, told.waiting_for) == (real.status, real.reason, real.waiting_for)
    assert (told.deposit_id, told.duplicate_of) == (real.deposit_id, row.duplicate_of)
    if row.verdict is not None:
        assert told.verdict is not None
        assert told.verdict.model_dump(mode="json") == row.verdict


def test_deposit_alone_is_enough(scene: Scene) -> None:
    scene.funded()

    check = scene.previews.prepare(CheckQuestion(deposit_id="dep"))

    assert (check.account_id, check.rail, check.requested_at) == ("acct", "card", scene.clock())
    assert scene.previews.judge(check, PAID_CARD).status == "awaiting_approval"


def test_old_request_waits_for_a_word_on_its_time_and_still_shows_the_verdict(scene: Scene) -> None:
    scene.funded(paid_at=scene.clock() - timedelta(days=3))

    told = preview(scene, requested_at=(scene.clock() - timedelta(days=2)).isoformat())

    assert (told.status, told.waiting_for) == ("awaiting_ownership", "request_time")
    assert told.verdict is not None
    assert told.verdict.outcome == "pass"


def test_ticket_s_own_hold_is_no_obstacle(scene: Scene) -> None:
    scene.funded()
    scene.awaiting_approval("1")

    assert preview(scene, ticket="1").status == "awaiting_approval"
    assert preview(scene, ticket="2").status == "duplicate"


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"deposit_id": "nowhere"}, "deposit_id"),
        ({"account": {"id": "nobody"}, "rail": "card"}, "account.id"),
        ({"account": {"id": "acct"}}, "rail"),
        ({"account": {"id": "acct"}, "rail": "crypto"}, "rail"),
        ({"deposit_id": "dep", "session_claim": "x"}, "session_claim"),
        ({"deposit_id": "dep", "requested_at": "2099-01-01T00:00:00Z"}, "requested_at"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_question_that_no_request_could_ask_names_its_field(
    scene: Scene, question: dict[str, Any], field: str
) -> None:
    scene.funded()

    with pytest.raises(InvalidRequest) as refusal:
        scene.previews.prepare(CheckQuestion.model_validate(question))

    assert refusal.value.field == field
