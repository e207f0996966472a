"""What ``authenticate()`` costs: one thread, one check after the other, in a process of its own."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from benchmarks.checking import CASES, SEEN, Checks
from benchmarks.contenders import CHECK, CONTENDERS, Contender
from benchmarks.content import signed_in
from benchmarks.figures import spread, table
from benchmarks.floors import FLOORS, Floor
from benchmarks.plan import Disturbed, Plan
from benchmarks.processes import SERVER_CORE, companion
from benchmarks.targets import BASE
from benchmarks.timing import timed_beside

"""What the others are compared to: a signature and nothing else, as most sites have it."""

_SETTLING: Final = 50
_COUNTING_SECONDS: Final = 0.1
_HEAD: Final = ("", "p50 µs", "ratio", "p99 µs", "mean µs", "statements", "Redis round trips")

Figures = dict[str, list[float]]


def run(plan: Plan) -> tuple[str, Any]:
    """The table, and all numbers."""
    times: dict[str, Figures] = defaultdict(lambda: defaultdict(list))
    counts = {
        label: numbers
        for contender in plan.listed(CHECK)
        for label, numbers in _ask(contender, plan, count=True).items()
    }
    rounds = plan.rounds or plan.check_rounds
    for _ in range(rounds):
        turns = [
            *(partial(_ask, contender, plan) for contender in plan.listed(CHECK)),
            *(partial(_measure_floor, floor, plan) for floor in FLOORS),
        ]
        plan.random.shuffle(turns)
        for turn in turns:
            for label, found in plan.quiet.alone(turn).items():
                for name, value in found.items():
                    times[label][name].append(value)
    _compare(times)
    labels = [_label(one, case) for case in CASES for one in plan.listed(CHECK)]
    rows = [_row(label, times[label], counts[label]) for label in labels if label in counts]
    rows += [_row(f"floor: {floor.name}", times[floor.name], None) for floor in FLOORS]
    text = table(
        f"in a process, µs: median of {rounds} rounds (lowest–highest)",
        _HEAD,
        rows,
        "Back to back in one thread of a process that is the contender's alone; a new request for",
        f"each check, made before it. ratio: to the p50 of {BASE}: {SEEN}, in the same round,",
        "each divided by what PyJWT's decode took in its process, in turns of 20 ms: these",
        "processors may be half as quick a second later.",
        "With 250 ms a check reads when the last read is older: at r requests a second in a",
        "process min(1, 4/r) of them do what with 0 ms each one does.",
        "Statements and round trips are of the request's own thread, in a pass of their own.",
    )
    measured = {label: dict(figures) for label, figures in times.items() if figures["p50"]}
    return text, {"times_us": measured, "counts_per_check": counts}


def _label(contender: Contender, case: str) -> str:
    return f"{contender.name}: {case}"


def _ask(contender: Contender, plan: Plan, *, count: bool = False) -> dict[str, dict[str, float]]:
    checks = Checks(
        credentials=[asdict(credential) for credential in signed_in(contender)],
        cases=list(CASES) if count else plan.random.sample(CASES, len(CASES)),
        seconds=_COUNTING_SECONDS if count else plan.check_seconds,
        first_sights=plan.first_sights,
        count=count,
    )
    with companion("checking", contender.environment, core=SERVER_CORE) as process:
        process.tell(asdict(checks))
        answer = process.hear()
    if "disturbed" in answer:
        raise Disturbed(answer["disturbed"])
    return {_label(contender, case): found for case, found in answer["found"].items()}


def _measure_floor(floor: Floor, plan: Plan) -> dict[str, dict[str, float]]:
    with floor.made() as call:
        for _ in range(_SETTLING):
            call()
        found = timed_beside(lambda _: call(), itertools.repeat(None), plan.check_seconds)
    return {floor.name: found}


def _compare(times: dict[str, Figures]) -> None:
    base = times.get(_label(CONTENDERS[BASE], SEEN), {}).get("decodes", [])
    for figures in times.values():
        figures["ratio"] = [mine / its for mine, its in zip(figures["decodes"], base, strict=False)]


def _row(label: str, times: Figures, counts: dict[str, float] | None) -> list[str]:
    figures = [
        spread(times[name]) if times[name] else "" for name in ("p50", "ratio", "p99", "mean")
    ]
    if counts is None:
        return [label, *figures, "", ""]
    return [label, *figures, *(f"{counts[name]:.4g}" for name in ("statements", "round_trips"))]
