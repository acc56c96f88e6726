"""What happens once a day is scheduled although Temporal does not take schedules at first."""

from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.schedules import CARD_SWEEP, RECONCILIATION, keep_daily_card_sweep, keep_daily_reconciliation


class ReluctantTemporal:
    """Takes a schedule only at the third try."""

    def __init__(self) -> None:
        self.tries: list[str] = []

    async def create_schedule(self, identifier: str, _: Any) -> None:
        self.tries.append(identifier)
        if len(self.tries) < 3:
            raise RPCError("not yet", RPCStatusCode.UNAVAILABLE, b"")


@pytest.mark.parametrize(
    ("keep", "schedule"),
    [(keep_daily_reconciliation, RECONCILIATION), (keep_daily_card_sweep, CARD_SWEEP)],
    ids=["reconciliation", "card sweep"],
)
async def test_a_temporal_that_takes_no_schedules_yet_is_asked_again(keep: Any, schedule: Any) -> None:
    temporal: Any = ReluctantTemporal()
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    await keep(temporal, pause)

    assert temporal.tries == [schedule.schedule_id] * 3
    assert len(pauses) == 2
