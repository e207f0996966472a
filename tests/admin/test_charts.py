"""Where the bars stand, and which numbers stand beside them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from jwt_revoke.admin.charts import HEIGHT, STEP, round_ticks, stacked

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (5, [0, 2, 4, 6]),
        (9, [0, 5, 10]),
        (40, [0, 10, 20, 30, 40]),
        (41, [0, 20, 40, 60]),
        (1000, [0, 500, 1000]),
        (123_456, [0, 50_000, 100_000, 150_000]),
    ],
)
def test_the_scale_has_few_round_numbers(highest: int, ticks: list[int]) -> None:
    assert round_ticks(highest) == ticks


def test_the_scale_reaches_the_highest_bar_evenly() -> None:
    for highest in [*range(300), 999_999, 10**9 + 1]:
        ticks = round_ticks(highest)

        assert ticks[0] == 0
        assert ticks[-1] >= highest
        assert len({after - before for before, after in pairwise(ticks)}) == 1
        assert len(ticks) <= 5


def test_bars_stand_on_the_ground_in_their_columns() -> None:
    chart = stacked([[20], [0], [40]])

    (low,), nothing, (high,) = chart.bars
    assert nothing == []
    assert (low.y + low.height, high.y + high.height) == (HEIGHT, HEIGHT)
    assert (low.height, high.height) == (HEIGHT / 2, HEIGHT)
    assert 0 < low.x < low.x + low.width < STEP
    assert 2 * STEP < high.x < high.x + high.width < chart.width == 3 * STEP


def test_parts_stand_upon_one_another_in_their_order() -> None:
    ((first, last),) = stacked([[10, 0, 30]]).bars

    assert (first.series, last.series) == (0, 2)
    assert last.y + last.height < first.y  # a gap tells them apart
    assert last.y == 0


def test_one_among_thousands_is_still_seen() -> None:
    ((one, _many),) = stacked([[1, 100_000]]).bars

    assert one.height >= 2


def test_lines_are_where_the_scale_says() -> None:
    assert stacked([[40]]).lines == [100, 75, 50, 25, 0]


def test_nothing_at_all_is_no_error() -> None:
    assert stacked([]).bars == []
    assert stacked([[0], [0]]).bars == [[], []]
