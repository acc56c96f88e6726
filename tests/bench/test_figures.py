"""The arithmetic of the bench: pairs by turns, medians, and aims that can be missed."""

import pytest

from bench.figures import Figure, in_pairs, of_pairs


async def test_each_side_goes_first_as_often_as_the_other() -> None:
    order: list[str] = []

    async def ours() -> float:
        order.append("ours")
        return 3.0

    async def bare() -> float:
        order.append("bare")
        return 2.0

    pairs = await in_pairs(4, ours, bare)

    assert pairs == [(3.0, 2.0)] * 4
    assert order == ["ours", "bare", "bare", "ours", "ours", "bare", "bare", "ours"]


def test_a_comparison_is_of_medians_so_that_one_slow_moment_does_not_decide() -> None:
    figure = of_pairs("a call", [(0.2, 0.1)] * 9 + [(9.0, 0.1)], aim_max=2.5)

    assert (figure.ours, figure.bare, figure.is_met) == (200.0, 100.0, True)
    assert figure.ratio == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("ours", "aims", "is_met"),
    [
        (1.5, {"aim_max": 1.5}, True),
        (1.6, {"aim_max": 1.5}, False),
        (0.7, {"aim_min": 0.7}, True),
        (0.6, {"aim_min": 0.7}, False),
        (9.9, {}, None),
    ],
)
def test_an_aim_is_met_up_to_its_border_and_missed_behind_it(
    ours: float, aims: dict[str, float], is_met: bool | None
) -> None:
    assert Figure(name="it", unit="s", ours=ours, bare=1.0, **aims).is_met is is_met


@pytest.mark.parametrize(("ours", "is_met"), [(6.0, True), (6.1, False)])
def test_without_a_baseline_the_aim_bounds_the_figure_itself(ours: float, is_met: bool) -> None:
    assert Figure(name="calls", unit="calls", ours=ours, aim_max=6).is_met is is_met
