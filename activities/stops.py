"""What a step does when the provider does not take our key: it stops the whole rail, and fails no refund."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from domain.errors import AccessRefused
from domain.rails import StopCause
from domain.refunds import Rail


class RailStops(Protocol):
    """Where the service stops a rail by itself."""

    def stop_itself(self, rail: Rail, cause: StopCause, told: str) -> None: ...


@contextmanager
def stopping(stops: RailStops, rail: Rail) -> Iterator[None]:
    """Stop the rail where its provider does not take our key, and let the error go on."""
    try:
        yield
    except AccessRefused as error:
        stops.stop_itself(rail, StopCause(error.cause), error.message)
        raise
