"""Where the bars of a chart stand: numbers in, rectangles out, in units that CSS stretches.

Texts are no part of it: they are HTML beside the drawing, of the page's own size and direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

STEP: Final = 10.0
"""The width of a column, of which the bar leaves a quarter free."""
HEIGHT: Final = 100.0
_BAR: Final = 7.5
_GAP: Final = 0.6
"""Between the parts of a bar: neighbours are told apart by more than their colours."""
_SEEN: Final = 2.0
"""The height of the least that is drawn: one reuse among a thousand log-outs must not vanish."""
_STEPS: Final = 4


@dataclass(frozen=True, slots=True)
class Part:
    """One rectangle; ``series`` is the place of its number in the column."""

    series: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """``bars``: for each column its parts, the lowest first. ``ticks``: from 0 up, evenly."""

    bars: Sequence[Sequence[Part]]
    ticks: Sequence[int]
    width: float
    height: float = HEIGHT
    step: float = STEP

    @property
    def lines(self) -> list[float]:
        """How far down the line of each tick is."""
        return [HEIGHT - HEIGHT * tick / self.ticks[-1] for tick in self.ticks]

    @property
    def columns(self) -> list[float]:
        """Where each column begins."""
        return [STEP * place for place in range(len(self.bars))]


def stacked(columns: Sequence[Sequence[int]]) -> Chart:
    """One column for each sequence of numbers, which stand upon one another."""
    ticks = round_ticks(max((sum(column) for column in columns), default=0))
    bars = [_bar(place, column, ticks[-1]) for place, column in enumerate(columns)]
    return Chart(bars, ticks, STEP * len(columns))


def round_ticks(highest: int) -> list[int]:
    """From 0 to ``highest`` or above, in at most four steps of 1, 2 or 5, or ten times that."""
    size = 1
    while size * 10 * _STEPS < highest:
        size *= 10
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor * _STEPS >= highest)
    return [step * number for number in range(max(1, -(-highest // step)) + 1)]


def _bar(place: int, column: Sequence[int], top: int) -> list[Part]:
    parts: list[Part] = []
    y = HEIGHT
    for series, number in enumerate(column):
        if number:
            height = max(HEIGHT * number / top, _SEEN)
            y -= height
            x, gap = STEP * place + (STEP - _BAR) / 2, _GAP if parts else 0
            parts.append(Part(series, x, round(y, 2), _BAR, round(height - gap, 2)))
    return parts
