"""A run's numbers as bars, drawn as SVG by plain Python; readable in light and in dark."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from benchmarks.figures import number
from benchmarks.targets import BASE, OURS, SERVER

Results = Mapping[str, Any]

_WIDTH: Final = 820
_LABELS: Final = 340
_NUMBERS: Final = 96
_ROW: Final = 24
_BAR: Final = 14
_HEAD: Final = 56

_STYLE: Final = """
  svg { color-scheme: light dark; }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .note { font-size: 12px; fill: #59636e; }
  .number { font-variant-numeric: tabular-nums; }
  .ours { fill: #0a69a8; } text.ours { font-weight: 600; fill: #1f2328; }
  .other { fill: #9aa4af; } text.other { fill: #1f2328; }
  .line { stroke: #d1d9e0; stroke-width: 1; }
  .decade { stroke-dasharray: 2 4; }
  @media (prefers-color-scheme: dark) {
    text, text.ours, text.other { fill: #e6edf3; }
    .note { fill: #9198a1; }
    rect.ours { fill: #58a6ff; }
    rect.other { fill: #6e7681; }
    .line { stroke: #3d444d; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """``shown``: the number in words, beside it. ``kind``: ours are in bold, too: a colour alone
    tells nothing to who cannot see it."""

    label: str
    value: float
    shown: str
    kind: str = "other"


@dataclass(frozen=True)
class Chart:
    """``name``: of the file. ``log``: ten times as much is as much further, for what differs so."""

    name: str
    title: str
    note: str
    bars: Sequence[Bar]
    log: bool = False


def svg(chart: Chart) -> str:
    """The picture as text; all of it, for who cannot see it, in its description."""
    height = _HEAD + _ROW * len(chart.bars) + 12
    said = "; ".join(f"{bar.label}: {bar.shown}" for bar in chart.bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"',
        f'  width="{_WIDTH}" height="{height}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(chart.title)}</title>',
        f'<desc id="desc">{escape(f"{chart.note} {said}.")}</desc>',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="8" y="20">{escape(chart.title)}</text>',
        f'<text class="note" x="8" y="40">{escape(chart.note)}</text>',
        *(_decades(chart, height) if chart.log else ()),
        *_bars(chart),
        f'<line class="line" x1="{_LABELS}" y1="{_HEAD - 4}" x2="{_LABELS}" y2="{height - 8}"/>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bars(chart: Chart) -> Iterator[str]:
    values = [bar.value for bar in chart.bars]
    for place, bar in enumerate(chart.bars):
        top = _HEAD + _ROW * place
        length = max(1.0, _room() * _part(bar.value, values, log=chart.log))
        middle = top + _BAR / 2 + 5
        yield (
            f'<text class="{bar.kind}" x="{_LABELS - 8}" y="{middle:g}" text-anchor="end">'
            f"{escape(bar.label)}</text>"
        )
        yield (
            f'<rect class="{bar.kind}" x="{_LABELS}" y="{top}" width="{length:.1f}"'
            f' height="{_BAR}" rx="2"/>'
        )
        yield (
            f'<text class="number {bar.kind}" x="{_LABELS + length + 6:.1f}" y="{middle:g}">'
            f"{escape(bar.shown)}</text>"
        )


def _decades(chart: Chart, height: int) -> Iterator[str]:
    """A line at each power of ten."""
    values = [bar.value for bar in chart.bars if bar.value > 0]
    for power in range(math.floor(math.log10(min(values))) + 1, math.ceil(math.log10(max(values)))):
        x = _LABELS + _room() * _part(10**power, values, log=True)
        yield (
            f'<line class="line decade" x1="{x:.1f}" y1="{_HEAD - 4}"'
            f' x2="{x:.1f}" y2="{height - 8}"/>'
        )


def _room() -> int:
    return _WIDTH - _LABELS - _NUMBERS


def _part(value: float, values: Sequence[float], *, log: bool) -> float:
    if value <= 0:
        return 0.0
    if not log:
        return value / max(values)
    # From a power of ten below the least, so that the least is seen as well.
    least = math.floor(math.log10(min(one for one in values if one > 0)))
    most = math.log10(max(values))
    return (math.log10(value) - least) / (most - least or 1)


def _check(results: Results) -> Chart:
    times = results["check"]["results"]["times_us"]
    ending = ": seen"
    bars = [
        _bar(label.removesuffix(ending), statistics.median(found["ratio"]))
        for label, found in times.items()
        if label.endswith(ending) and found["ratio"]
    ]
    return Chart(
        "authenticate",
        f"One authenticate(), in times of one of {BASE}",
        "A token seen before; p50. Each line is ten times the last; less is better.",
        _sorted(bars),
        log=True,
    )


def _work(results: Results) -> Chart:
    start = f"{SERVER}: "
    bars = [
        _bar(label.removeprefix(start), 1 / statistics.median(found["ping"]["work"]))
        for label, found in results["http"]["results"].items()
        if label.startswith(start)
    ]
    return Chart(
        "requests",
        f"What a server works for one request, in times of {BASE}",
        f"{SERVER}; processor time; a view that reads nothing of the user. Less is better.",
        _sorted(bars),
    )


def _refresh(results: Results) -> Chart:
    return _statements(results, "refresh", "a refresh")


def _log_out_everywhere(results: Results) -> Chart:
    return _statements(results, "everywhere: 10", "a log-out everywhere, of 10 sessions")


def _statements(results: Results, label: str, said: str) -> Chart:
    bars = [
        Bar(name, tallies[label]["statements"], f"{tallies[label]['statements']}")
        for name, tallies in results["writes"]["results"]["tallies"].items()
        if label in tallies
    ]
    return Chart(
        f"statements-{label.partition(':')[0]}",
        f"SQL statements of {said}",
        "Without BEGIN and COMMIT, and without numbering the log afterwards. Less is better.",
        _sorted(bars),
    )


def _session_rows(results: Results) -> Chart:
    found = results["writes"]["results"]
    rows = {name: count for name, count in found["session_rows"].items() if count is not None}
    return Chart(
        "rows",
        f"Rows of one session after {found['refreshes']:,} refreshes",
        "Counted, until something prunes them. 0: nothing is kept, so nothing can be ended.",
        _sorted([Bar(name, count, f"{count:,}") for name, count in rows.items()]),
    )


def _year(results: Results) -> Chart:
    years = results["growth"]["results"]["years"]
    bars = [
        Bar(f"{name}, {kind}", year[kind]["rows"], f"{year[kind]['rows'] / 1e6:,.1f} million")
        for name, year in years.items()
        for kind in ("never pruned", "pruned daily")
    ]
    refreshes = max(year["refreshes"] for year in years.values())
    return Chart(
        "year",
        f"Rows after a year of {refreshes / 1e6:,.1f} million refreshes",
        "Extrapolated: what each of the refreshes that were made added, times as many.",
        _sorted(bars, "pruned or not"),
    )


CHARTS: Final = (_check, _work, _refresh, _log_out_everywhere, _session_rows, _year)


def draw(results: Results, folder: Path) -> list[Path]:
    """Write what there are numbers for; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for make in CHARTS:
        try:
            chart = make(results)
        except LookupError:
            continue
        path = folder / f"{chart.name}.svg"
        path.write_text(svg(chart))
        paths.append(path)
    return paths


def _bar(label: str, value: float) -> Bar:
    return Bar(label, value, number(value))


def _sorted(bars: Sequence[Bar], alike: str = "any backend") -> list[Bar]:
    """The least first. Ours that do not differ are one, which is called ``alike``."""
    if not bars:
        raise LookupError("nothing to draw")
    ours = [bar for bar in bars if bar.label.startswith(OURS)]
    others = [bar for bar in bars if bar not in ours]
    if len({bar.shown for bar in ours}) == 1 < len(ours):
        ours = [replace(ours[0], label=alike)]
    named = [replace(bar, label=f"jwt_revoke: {bar.label}", kind="ours") for bar in ours]
    return sorted([*named, *others], key=lambda bar: bar.value)
