"""The run of a reconciliation, beside refunds that are under way."""

from typing import Any

from sqlalchemy import text

from domain.book_runs import BooksOutcome, ReconcileRequest, reconcile_workflow_id
from domain.differences import ProviderRefund
from domain.refunds import TASK_QUEUE, RefundStatus
from ledger.reconciliations import Reconciliations
from tests.workflows.house import House

AWAITING_APPROVAL, REFUNDED = RefundStatus.AWAITING_APPROVAL, RefundStatus.REFUNDED


async def reconcile(house: House, name: str, **changes: Any) -> BooksOutcome:
    outcome: BooksOutcome = await house.temporal.client.execute_workflow(
        "ReconcileWorkflow",
        ReconcileRequest(days=3, **changes),
        id=reconcile_workflow_id(name),
        task_queue=TASK_QUEUE,
        result_type=BooksOutcome,
    )
    return outcome


async def test_refunds_on_both_rails_reconcile_clean_and_one_made_outside_is_found(house: House) -> None:
    for ticket, rail in (("1", "card"), ("2", "crypto")):
        house.deposit(rail, rail=rail)
        refund = await house.request(ticket, rail=rail, deposit_id=rail)
        await house.until(refund, AWAITING_APPROVAL)
        house.approve(refund)
        await house.bring(refund, REFUNDED)

    clean = await reconcile(house, "daily-1")
    house.deposit("unasked")
    made: dict[str, Any] = {"ref": "re_x", "payment_intent": "pi_unasked", "amount_minor": 2000, "currency": "USD"}
    house.card.foreign.append(ProviderRefund(**made, is_live=True, is_done=True, created_at=house.now))
    differing = await reconcile(house, "daily-2", grace_seconds=0)

    assert (clean.reconciliation_id, clean.outcome) == ("daily-1", "clean")
    assert (differing.outcome, differing.differences) == ("differences", 1)
    assert house.findings() == ["unowned_payment"]
    assert house.trail_is_whole()


async def test_a_processor_that_stays_away_leaves_the_rest_compared(house: House) -> None:
    house.deposit()
    house.card.is_away = True

    outcome = await reconcile(house, "daily-1")

    report = Reconciliations(house.database).get("daily-1")["report"]
    assert outcome.outcome == "incomplete"
    assert {it["scope"]: it["is_read"] for it in report["scopes"]} == {
        "card": False,
        "chain/31337": True,
        "ledger": True,
    }


async def test_a_chain_that_left_the_settings_makes_a_reconciliation_incomplete(house: House) -> None:
    house.deposit("coins", rail="crypto")
    refund = await house.request("1", rail="crypto", deposit_id="coins")
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, REFUNDED)
    with house.database.write() as session:
        session.execute(text("UPDATE payouts SET chain_id = 8453"))

    outcome = await reconcile(house, "daily-1")

    report = Reconciliations(house.database).get("daily-1")["report"]
    assert outcome.outcome == "incomplete"
    assert [it["scope"] for it in report["scopes"] if not it["is_read"]] == ["chain/8453"]
