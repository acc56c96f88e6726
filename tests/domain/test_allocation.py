"""Orders are paid by the oldest money first, to the unit."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.allocation import Allocation, Source, allocate

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def source(name: str, free: int, *, day: int = 0, is_held: bool = False) -> Source:
    return Source(deposit_id=name, paid_at=DAY + timedelta(days=day), free_minor=free, is_held=is_held)


def parts(*pairs: tuple[str, int]) -> list[Allocation]:
    return [Allocation(deposit_id=name, amount_minor=amount) for name, amount in pairs]


@pytest.mark.parametrize(
    ("amount", "sources", "may_take_held", "expected", "missing"),
    [
        pytest.param(50, [source("a", 100)], False, [("a", 50)], 0, id="a part of one"),
        pytest.param(100, [source("a", 100)], False, [("a", 100)], 0, id="the whole of one"),
        pytest.param(101, [source("a", 100)], False, [("a", 100)], 1, id="a cent more than there is"),
        pytest.param(0, [source("a", 100)], False, [], 0, id="an order that costs nothing"),
        pytest.param(10, [], False, [], 10, id="no deposit at all"),
        pytest.param(
            150,
            [source("new", 100, day=1), source("old", 100)],
            False,
            [("old", 100), ("new", 50)],
            0,
            id="the older one first",
        ),
        pytest.param(50, [source("b", 100), source("a", 100)], False, [("a", 50)], 0, id="the same second: by id"),
        pytest.param(
            10, [source("spent", 0), source("a", 10, day=1)], False, [("a", 10)], 0, id="a spent one is passed over"
        ),
        pytest.param(50, [source("held", 100, is_held=True)], False, [], 50, id="held money is not there"),
        pytest.param(50, [source("held", 100, is_held=True)], True, [("held", 50)], 0, id="delivered: the hold pays"),
        pytest.param(
            150,
            [source("held", 100, is_held=True), source("free", 100, day=9)],
            True,
            [("free", 100), ("held", 50)],
            0,
            id="delivered: all other money first, however new",
        ),
    ],
)
def test_an_order_is_split(
    amount: int,
    sources: list[Source],
    may_take_held: bool,
    expected: list[tuple[str, int]],
    missing: int,
) -> None:
    assert allocate(amount, sources, may_take_held=may_take_held) == (parts(*expected), missing)


SOURCES = st.lists(
    st.builds(
        Source,
        deposit_id=st.text("abcdef", min_size=1, max_size=3),
        paid_at=st.integers(0, 5).map(lambda day: DAY + timedelta(days=day)),
        free_minor=st.integers(0, 500),
        is_held=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda it: it.deposit_id,
)


@given(st.integers(0, 2000), SOURCES, st.booleans())
def test_nothing_is_lost_or_made_up(amount: int, sources: list[Source], may_take_held: bool) -> None:
    taken, missing = allocate(amount, sources, may_take_held=may_take_held)

    free = {it.deposit_id: it.free_minor for it in sources if may_take_held or not it.is_held}
    assert sum(part.amount_minor for part in taken) + missing == amount
    assert all(0 < part.amount_minor <= free[part.deposit_id] for part in taken)
    assert missing == max(0, amount - sum(free.values()))


@given(st.integers(1, 2000), SOURCES, st.booleans())
def test_no_deposit_pays_while_an_older_one_still_could(
    amount: int, sources: list[Source], may_take_held: bool
) -> None:
    taken = {part.deposit_id: part.amount_minor for part in allocate(amount, sources, may_take_held=may_take_held)[0]}

    usable = sorted(
        (it for it in sources if may_take_held or not it.is_held),
        key=lambda it: (it.is_held, it.paid_at, it.deposit_id),
    )
    left = [it.free_minor - taken.get(it.deposit_id, 0) for it in usable]
    paying = [position for position, it in enumerate(usable) if it.deposit_id in taken]
    assert all(left[position] == 0 for position in range(max(paying, default=0)))


@given(st.integers(0, 2000), SOURCES, st.randoms(use_true_random=False))
def test_the_order_of_the_list_decides_nothing(amount: int, sources: list[Source], shuffler: Random) -> None:
    shuffled = list(sources)
    shuffler.shuffle(shuffled)

    assert allocate(amount, shuffled) == allocate(amount, sources)
