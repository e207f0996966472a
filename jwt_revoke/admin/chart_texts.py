"""What a chart says beside its bars: axes, legend, the table of its numbers, and a description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ..insights import Revocations, SignIns, Window
from ..reasons import reason_text
from .charts import Chart, Part, stacked
from .numbers import grouped

_LABELLED: Final = 7
"""Columns that all have a label below; of more, every sixth has."""
_OTHERS: Final = "others"


@dataclass(frozen=True, slots=True)
class Series:
    """``look`` is a class of the style sheet's; the reuse of a token always has the same."""

    look: str
    name: str
    total: str


@dataclass(frozen=True, slots=True)
class Column:
    """One hour or day. ``label``: below the bar, where there is room for it."""

    label: str
    when: str
    numbers: Sequence[str]
    total: str
    tip: str
    x: float
    parts: Sequence[tuple[str, Part]]


@dataclass(frozen=True, slots=True)
class ChartView:
    """A chart for its template. ``is_empty``: there is nothing to draw."""

    key: str
    title: str
    description: str
    nothing: str
    series: Sequence[Series]
    columns: Sequence[Column]
    ticks: Sequence[str]
    chart: Chart
    is_empty: bool


def of_sign_ins(found: SignIns, window: Window) -> ChartView:
    """Of one series."""
    counts = [[count] for count in found.counts]
    nothing = _("Nobody signed in during this time.")
    return _view("sign-ins", _("Sign-ins"), nothing, {"sign-ins": _("Sign-ins")}, counts, window)


def of_revocations(found: Revocations, window: Window) -> ChartView:
    """Stacked by reason, the reuse of a token at the bottom, whether there is any."""
    names = {str(place): reason_text(reason) for place, reason in enumerate(found.reasons)}
    names[_OTHERS] = _("Other reasons")
    counts = found.counts
    if not any(column[-1] for column in counts):
        del names[_OTHERS]
        counts = [column[:-1] for column in counts]
    nothing = _("Nothing was revoked during this time.")
    return _view("revocations", _("Revocations by reason"), nothing, names, counts, window)


def _view(
    key: str,
    title: str,
    nothing: str,
    names: dict[str, str],
    counts: Sequence[Sequence[int]],
    window: Window,
) -> ChartView:
    chart = stacked(counts)
    totals = [sum(column) for column in counts]
    highest = max(range(len(totals)), key=totals.__getitem__)
    return ChartView(
        key,
        title,
        _("%(total)s in all; the most, %(highest)s: %(when)s.")
        % {
            "total": grouped(sum(totals)),
            "highest": grouped(totals[highest]),
            "when": _when(window.starts[highest], window),
        },
        nothing,
        [
            Series(look, name, grouped(sum(column[place] for column in counts)))
            for place, (look, name) in enumerate(names.items())
        ],
        [_column(place, names, counts[place], chart, window) for place in range(len(counts))],
        [grouped(tick) for tick in chart.ticks],
        chart,
        is_empty=not any(totals),
    )


def _column(
    place: int, names: dict[str, str], counts: Sequence[int], chart: Chart, window: Window
) -> Column:
    looks, start = list(names), window.starts[place]
    when, total = _when(start, window), grouped(sum(counts))
    lines = [(name, count) for name, count in zip(names.values(), counts, strict=True) if count]
    said = [_("%(name)s: %(count)s") % {"name": name, "count": grouped(n)} for name, n in lines]
    return Column(
        label=_label(start, place, window),
        when=when,
        numbers=[grouped(count) for count in counts],
        total=total,
        tip="\n".join([when, *(said or [total])]),
        x=chart.columns[place],
        parts=[(looks[part.series], part) for part in chart.bars[place]],
    )


def _label(start: datetime, place: int, window: Window) -> str:
    if window.by_hour:
        form = "TIME_FORMAT"
    elif len(window.starts) <= _LABELLED:
        # Translators: a day below a chart, as Django's "date" filter writes it: Mon 28
        form = _("D j")
    else:
        # Translators: a day below a chart, as Django's "date" filter writes it: 28 Sep
        form = _("j M")
    is_labelled = len(window.starts) <= _LABELLED or place % 6 == 0
    return date_format(start, form) if is_labelled else ""


def _when(start: datetime, window: Window) -> str:
    return date_format(start, "DATETIME_FORMAT" if window.by_hour else "DATE_FORMAT")
