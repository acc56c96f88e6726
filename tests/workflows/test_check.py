"""A dry run goes to the worker, which alone can read a payment, and comes back without a trace."""

import pytest
from sqlalchemy import func, select
from temporalio.testing import WorkflowEnvironment

from api import runs
from api.runs import Runs
from domain.checks import CheckQuestion, CheckRequest
from domain.errors import TryAgain
from domain.refunds import RefundStatus, StatusReason
from ledger.previews import Previews
from ledger.tables import Row
from tests.workflows.house import House


async def connected(env: WorkflowEnvironment) -> Runs:
    made = Runs({"target_host": env.client.service_client.config.target_host, "namespace": env.client.namespace})
    await made.connect()
    return made


def question(house: House, **asked: str) -> CheckRequest:
    return Previews(house.database, house.policy).prepare(CheckQuestion.model_validate(asked))


def rows(house: House) -> int:
    with house.database.read() as session:
        return sum(session.scalar(select(func.count()).select_from(it)) or 0 for it in Row.metadata.sorted_tables)


async def test_verdict_comes_from_the_worker_and_nothing_is_written(house: House) -> None:
    house.deposit()
    before = rows(house)

    outcome = await (await connected(house.temporal)).check(question(house, deposit_id="dep_1"))

    assert outcome.status == RefundStatus.AWAITING_APPROVAL
    assert outcome.verdict is not None
    assert outcome.verdict.destination == "card"
    assert rows(house) == before
    assert house.books() == {"spendable": 2000}


async def test_charge_is_resolved_by_the_processor(house: House) -> None:
    house.deposit()
    house.deposit("dep_2")

    asked = question(house, payment_proof="ch_dep_2", deposit_id="dep_2")

    assert (await (await connected(house.temporal)).check(asked)).deposit_id == "dep_2"


async def test_fault_that_only_an_operator_can_mend_is_told_as_such(house: House) -> None:
    house.deposit()
    house.card.refuses_its_key = True

    outcome = await (await connected(house.temporal)).check(question(house, deposit_id="dep_1"))

    assert (outcome.status, outcome.status_reason) == (
        RefundStatus.NEEDS_ATTENTION,
        StatusReason.FACTS_UNAVAILABLE,
    )


async def test_without_a_worker_the_caller_is_told_to_try_again(
    stage: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.deposit()
    monkeypatch.setattr(runs, "CHECK_SECONDS_MAX", 0.5)

    with pytest.raises(TryAgain):
        await (await connected(stage.temporal)).check(question(stage, deposit_id="dep_1"))
