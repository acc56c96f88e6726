"""Which tests walk which arrows of the diagram, so that none can be forgotten."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from domain.refunds import RefundStatus
from tests.workflows.house import House

Arrow = tuple[RefundStatus, RefundStatus]
Test = Callable[..., Awaitable[None]]

WALKED: dict[Arrow, list[str]] = {}


def walks(*arrows: Arrow) -> Callable[[Test], Test]:
    """Promise that a test walks these arrows; the audit trail must show them when it is done."""

    def promise(test: Test) -> Test:
        for arrow in arrows:
            WALKED.setdefault(arrow, []).append(test.__name__)

        @wraps(test)
        async def walk(*, house: House, **others: Any) -> None:
            await test(house=house, **others)

            assert {(source.value, target.value) for source, target in arrows} <= house.arrows()
            assert house.trail_is_whole()

        return walk

    return promise
