"""The daily reconciliation is scheduled although Temporal does not take schedules at first."""

from typing import Any

from temporalio.service import RPCError, RPCStatusCode

from activities.schedules import SCHEDULE_ID, keep_daily_reconciliation


class ReluctantTemporal:
    """Takes a schedule only at the third try."""

    def __init__(self) -> None:
        self.tries: list[str] = []

    async def create_schedule(self, identifier: str, _: Any) -> None:
        self.tries.append(identifier)
        if len(self.tries) < 3:
            raise RPCError("not yet", RPCStatusCode.UNAVAILABLE, b"")


async def test_a_temporal_that_takes_no_schedules_yet_is_asked_again_and_stops_nobody() -> None:
    temporal: Any = ReluctantTemporal()
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    await keep_daily_reconciliation(temporal, pause)

    assert temporal.tries == [SCHEDULE_ID] * 3
    assert len(pauses) == 2
