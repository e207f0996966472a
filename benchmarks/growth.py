"""Tables after years of use: how large, what that does to the times, and what pruning takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from benchmarks.contenders.base import GROWTH, Contender
from benchmarks.databases import own_databases
from benchmarks.figures import number, percentile, table
from benchmarks.plan import Plan
from benchmarks.processes import Companion, companion

ACTIVE: Final = 0.1
"""Of the sessions: those that are used through the whole year."""
A_DAY: Final = 5
"""Refreshes of each of them."""
KEPT_DAYS: Final = 14
"""How long a refresh token lives that is not used, where expired ones are pruned daily."""
_TIMES: Final = ("sign-in", "refresh", "check")
_GIB: Final = 2**30


def run(plan: Plan) -> tuple[str, Any]:
    """The tables, and all numbers."""
    stages: dict[str, dict[str, Any]] = defaultdict(dict)
    years: dict[str, dict[str, Any]] = {}
    prunes: dict[str, dict[str, float]] = {}
    for contender in plan.of(GROWTH):
        with own_databases(contender) as environment:
            with companion("growing", environment) as process:
                process.hear()
                stages[contender.name] = _grow(process, plan)
                _ask(process, "use up")
            with companion("growing", environment) as process:
                process.hear()
                prunes[contender.name] = _ask(process, "prune")
        years[contender.name] = _year(list(stages[contender.name].values()), plan)
    listed = plan.listed(GROWTH)
    texts = [_sizes(listed, stages, years, plan), _prunes(listed, prunes, plan)]
    return "\n\n".join(texts), {"stages": stages, "years": years, "prunes": prunes}


def year_of_refreshes(sessions: int) -> int:
    """How many a year has."""
    return round(sessions * ACTIVE) * A_DAY * 365


def _grow(process: Companion, plan: Plan) -> dict[str, Any]:
    sessions, refreshes = plan.growth_sessions, plan.growth_refreshes
    found = {"empty": _stage(process, plan)}
    _ask(process, "fill", sessions)
    found[f"{sessions:,} sessions"] = _stage(process, plan)
    _ask(process, "refresh", refreshes, round(sessions * ACTIVE))
    found[f"and {refreshes:,} refreshes"] = _stage(process, plan)
    return found


def _stage(process: Companion, plan: Plan) -> dict[str, Any]:
    times = plan.quiet.alone(partial(_ask, process, "times", plan.growth_times))
    tables = _ask(process, "sizes")
    return {
        "tables": tables,
        "rows": sum(one["rows"] for one in tables.values()),
        "bytes": sum(one["bytes"] for one in tables.values()),
        "p50_ms": {name: percentile(taken, 0.5) for name, taken in times.items()},
    }


def _year(stages: list[dict[str, Any]], plan: Plan) -> dict[str, Any]:
    """Rows and bytes by what each refresh added; of a table that did not grow, as it is."""
    _empty, filled, refreshed = stages
    # What the times were taken by is among them.
    rows = (refreshed["rows"] - filled["rows"] - plan.growth_times) / plan.growth_refreshes
    year = year_of_refreshes(plan.growth_sessions)
    size = {name: refreshed[name] for name in ("rows", "bytes")}
    found = {"refreshes": year, "rows_per_refresh": round(rows)}
    if rows < 0.5:
        return {**found, "never pruned": size, "pruned daily": size}
    each = {
        "rows": round(rows),
        "bytes": (refreshed["bytes"] - filled["bytes"]) / plan.growth_refreshes,
    }
    return {
        **found,
        "never pruned": {name: filled[name] + each[name] * year for name in size},
        "pruned daily": {name: each[name] * year / 365 * KEPT_DAYS for name in size},
    }


def _ask(process: Companion, *command: Any) -> Any:
    process.tell(command)
    return process.hear()


def _sizes(
    listed: list[Contender],
    stages: Mapping[str, Mapping[str, Any]],
    years: Mapping[str, Mapping[str, Any]],
    plan: Plan,
) -> str:
    rows = []
    for name in [contender.name for contender in listed]:
        for stage, found in stages[name].items():
            p50 = [number(found["p50_ms"][one]) for one in _TIMES]
            rows.append([f"{name}: {stage}", *_size(found), *p50])
        for kind in ("never pruned", "pruned daily"):
            year = years[name][kind]
            rows.append([f"{name}: EXTRAPOLATED, a year, {kind}", *_size(year), "", "", ""])
    sessions, year = plan.growth_sessions, year_of_refreshes(plan.growth_sessions)
    return table(
        "tables with their indexes, and p50 of what is done on them",
        ("", "rows", "GiB", *(f"{name} ms" for name in _TIMES)),
        rows,
        f"a year: {ACTIVE:.0%} of {sessions:,} sessions are refreshed {A_DAY} times on each of its"
        f" days: {year:,}.",
        f"{plan.growth_refreshes:,} of them were made: as rows, or as updates with the vacuum that"
        " PostgreSQL",
        "makes by itself. EXTRAPOLATED: what each of them added, times as many.",
        f"pruned daily: {KEPT_DAYS} days of refresh tokens are there, where they live so long: by"
        " default",
        "simplejwt's live 1 day. Ours is a row for each session either way, kept for a year.",
    )


def _size(found: Mapping[str, Any]) -> tuple[str, str]:
    return f"{found['rows']:,.0f}", f"{found['bytes'] / _GIB:,.2f}"


def _prunes(listed: list[Contender], prunes: Mapping[str, Mapping[str, float]], plan: Plan) -> str:
    rows = [
        [
            one.name,
            f"{prunes[one.name]['rows']:,}",
            *(number(prunes[one.name][each]) for each in ("seconds", "peak_mib")),
        ]
        for one in listed
    ]
    return table(
        f"pruning {plan.growth_sessions:,} sessions or refresh tokens that are over, once",
        ("", "rows", "seconds", "MiB at most"),
        rows,
        "Ours by jwt_revoke prune, in transactions of 1,000; simplejwt by flushexpiredtokens, in",
        "one transaction, after it has read all rows. MiB: on top of the process before.",
    )
