"""Which deposits an order is paid from: the oldest first, and never again another."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Source(BaseModel):
    """One deposit as a source of money for orders: what is still free on it."""

    model_config = ConfigDict(frozen=True)

    deposit_id: str
    paid_at: datetime
    free_minor: int
    is_held: bool = False


class Allocation(BaseModel):
    """A part of an order, paid from one deposit."""

    model_config = ConfigDict(frozen=True)

    deposit_id: str
    amount_minor: int


def allocate(
    amount_minor: int, sources: Iterable[Source], *, may_take_held: bool = False
) -> tuple[list[Allocation], int]:
    """Split an order over deposits of its currency; return the parts and what no deposit covers.

    The oldest deposit pays first (`paid_at`, then id). Held money is taken only when `may_take_held`,
    and only after all other money: goods that are delivered already must be booked somewhere.
    """
    parts, missing = [], amount_minor
    usable = [source for source in sources if may_take_held or not source.is_held]
    for source in sorted(usable, key=lambda source: (source.is_held, source.paid_at, source.deposit_id)):
        taken = min(missing, source.free_minor)
        if taken > 0:
            parts.append(Allocation(deposit_id=source.deposit_id, amount_minor=taken))
            missing -= taken
    return parts, missing
