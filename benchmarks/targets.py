"""What is to be reached, and whether this run did: from its numbers alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.figures import number, table

Results = Mapping[str, Any]

BASE: Final = "simplejwt stateless"
"""What the others are compared to."""
SERVER: Final = "gunicorn sync, 1 worker"
OURS: Final = ("database", "replica, ", "stateless")
"""How the names of ours begin."""
_LOADED: Final = "replica, database log, 0 ms: 1,000,000"


@dataclass(frozen=True)
class Target:
    """``found``: the number from a run's; a part that was not run raises ``LookupError``."""

    name: str
    limit: float
    found: Callable[[Results], float]
    unit: str = ""
    at_least: bool = False

    def reached(self, value: float) -> bool:
        """Whether that number will do."""
        return value >= self.limit if self.at_least else value <= self.limit


def check_ratio(contender: str, case: str = "seen") -> Callable[[Results], float]:
    """Its p50 to that of simplejwt, which verifies a signature and nothing else, in each round."""

    def found(results: Results) -> float:
        times = results["check"]["results"]["times_us"]
        return _median(times[f"{contender}: {case}"]["ratio"])

    return found


def rate_ratio(contender: str, path: str) -> Callable[[Results], float]:
    """Its requests a second to those of simplejwt's ``ping``, asked in turns with it."""

    def found(results: Results) -> float:
        return _median(results["http"]["results"][f"{SERVER}: {contender}"][path]["ratio"])

    return found


def statements(prefix: str) -> Callable[[Results], float]:
    """The most that any backend of ours needs for operations so named; the log's are apart."""

    def found(results: Results) -> float:
        return _most(tally["statements"] for tally in _tallies(results, prefix))

    return found


def _rows(results: Results) -> float:
    rows = results["writes"]["results"]["session_rows"]
    return _most(count for name, count in rows.items() if name.startswith(OURS))


def _role_seconds(results: Results) -> float:
    times = results["writes"]["results"]["times_ms"]
    ours = [one["roles: 100,000"] for name, one in times.items() if name.startswith(OURS)]
    return _most(map(_median, ours)) / 1000


def _loaded(figure: str) -> Callable[[Results], float]:
    return lambda results: _median(results["memory"]["results"]["load"][_LOADED][figure])


def _import_ms(results: Results) -> float:
    return _median(results["footprint"]["results"]["import_ms"]["a site"]["all"])


def _tallies(results: Results, prefix: str) -> Iterator[Mapping[str, Any]]:
    for name, tallies in results["writes"]["results"]["tallies"].items():
        if name.startswith(OURS):
            yield from (one for label, one in tallies.items() if label.startswith(prefix))


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def _most(values: Iterable[float]) -> float:
    found = list(values)
    if not found:
        raise LookupError("none of ours was measured")
    return max(found)


_QUARTER: Final = "replica, database log, 250 ms"
TARGETS: Final = (
    Target(f"authenticate(), {_QUARTER}, seen: of {BASE}", 0.10, check_ratio(_QUARTER)),
    Target("… first sight", 0.95, check_ratio(_QUARTER, "first sight")),
    Target("… replica, Redis, 0 ms, seen", 1.3, check_ratio("replica, Redis, 0 ms")),
    Target("… database, seen", 5, check_ratio("database")),
    Target("… replica, RS256, 250 ms, seen", 0.10, check_ratio("replica, RS256, 250 ms")),
    Target("… replica, ES256, 250 ms, seen", 0.10, check_ratio("replica, ES256, 250 ms")),
    Target(
        f"requests/s, {SERVER}, {_QUARTER}, ping: of {BASE}, ping",
        1.25,
        rate_ratio(_QUARTER, "ping"),
        at_least=True,
    ),
    Target("… database, me", 0.66, rate_ratio("database", "me"), at_least=True),
    Target("statements: refresh", 3, statements("refresh")),
    Target("… log-out", 3, statements("log-out")),
    Target("… log-out everywhere, however many", 4, statements("everywhere: ")),
    Target("… role change, however many", 6, statements("roles: ")),
    Target("rows of one session, refreshed 1,000 times", 1, _rows),
    Target("role change of 100,000 users", 3, _role_seconds, "s"),
    Target("replica: memory per 100,000 live revocations", 25, _loaded("each"), "MiB"),
    Target("replica: load of 1,000,000", 3, _loaded("seconds"), "s"),
    Target("import beyond Django, REST framework and PyJWT", 30, _import_ms, "ms"),
)


def text(results: Results) -> str:
    """The table, without what was not measured."""
    rows = []
    for target in TARGETS:
        try:
            value = target.found(results)
        except LookupError:
            continue
        limit = f"{'≥' if target.at_least else '≤'} {target.limit:g} {target.unit}".rstrip()
        ours = f"{number(value)} {target.unit}".rstrip()
        rows.append([target.name, limit, ours, "yes" if target.reached(value) else "NO"])
    if not rows:
        return "targets: nothing that they are about was measured"
    title = "targets: medians of this run; a ratio is that of the same round"
    return table(title, ("", "target", "ours", "reached?"), rows)
