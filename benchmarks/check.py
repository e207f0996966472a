"""What ``authenticate()`` costs in a process: one thread, one check after the other."""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from benchmarks.contenders import CHECK, Contender
from benchmarks.content import credentials, make_ready, request_with
from benchmarks.counting import counted
from benchmarks.figures import percentile, spread, table
from benchmarks.floors import FLOORS, Floor
from benchmarks.plan import Disturbed, Plan

Call = Callable[[Any], object]
Case = Callable[[Contender, Plan], tuple[Call, Iterable[Any]]]

_SETTLING: Final = 50
_HEAD: Final = ("", "p50 µs", "p99 µs", "mean µs", "statements", "Redis round trips")


def seen(contender: Contender, _plan: Plan) -> tuple[Call, Iterable[Any]]:
    """Tokens that this process has seen before."""
    requests = [request_with(credential.header) for credential in credentials(contender)]
    authenticate = contender.authentication().authenticate
    for request in requests:
        authenticate(request)
    return authenticate, itertools.cycle(requests)


def seen_and_user(contender: Contender, plan: Plan) -> tuple[Call, Iterable[Any]]:
    """The same, and the view reads the user's name."""
    authenticate, requests = seen(contender, plan)
    # What attribute access costs is far below what reading the row does.
    return lambda request: authenticate(request)[0].username, requests  # type: ignore[index]


def first_sight(contender: Contender, plan: Plan) -> tuple[Call, Iterable[Any]]:
    """Each token for the first time: its signature is verified."""
    authenticate, _requests = seen(contender, plan)
    signed_in = credentials(contender)
    each = -(-plan.first_sights // len(signed_in))
    headers = [header for one in signed_in for header in contender.again(one, each)]
    return authenticate, [request_with(header) for header in headers]


CASES: Final[dict[str, Case]] = {
    "seen": seen,
    "seen + username": seen_and_user,
    "first sight": first_sight,
}

Figures = dict[str, list[float]]


def run(plan: Plan) -> tuple[str, Any]:
    """The table, and all numbers."""
    times: dict[str, Figures] = defaultdict(lambda: defaultdict(list))
    counts = {
        label: numbers
        for contender in plan.listed(CHECK)
        for label, numbers in _count(contender, plan).items()
    }
    rounds = plan.rounds or plan.check_rounds
    for _ in range(rounds):
        turns = [
            *(partial(_measure, contender, plan) for contender in plan.listed(CHECK)),
            *(partial(_measure_floor, floor, plan) for floor in FLOORS),
        ]
        plan.random.shuffle(turns)
        for turn in turns:
            for label, taken in plan.quiet.alone(turn).items():
                _summarise(taken, times[label])
    labels = [_label(one, case) for case in CASES for one in plan.listed(CHECK)]
    rows = [_row(label, times[label], counts[label]) for label in labels]
    rows += [_row(floor.name, times[floor.name], None) for floor in FLOORS]
    text = table(
        f"in a process, µs: median of {rounds} rounds (lowest–highest)",
        _HEAD,
        rows,
        "Back to back in one thread. With 250 ms a check reads when the last read is older: at r",
        "requests a second in a process min(1, 4/r) of them do what with 0 ms each one does.",
        "Statements and round trips are of the request's own thread, in a pass of their own.",
    )
    return text, {"times_us": times, "counts_per_check": counts}


def _label(contender: Contender, case: str) -> str:
    return f"{contender.name}: {case}"


def _measure(contender: Contender, plan: Plan) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {}
    with contender.installed():
        _settle(contender)
        before = contender.state()
        for case, make in plan.random.sample(list(CASES.items()), len(CASES)):
            taken[_label(contender, case)] = timed(*make(contender, plan), plan.check_seconds)
        _require_undisturbed(contender, before.fallbacks)
    return taken


def _count(contender: Contender, plan: Plan) -> dict[str, dict[str, float]]:
    found = {}
    with contender.installed():
        _settle(contender)
        before = contender.state()
        for case, make in CASES.items():
            call, arguments = make(contender, plan)
            with counted() as counts:
                checks = len(timed(call, arguments, plan.check_seconds))
            found[_label(contender, case)] = {
                "statements": counts.statements / checks,
                "round_trips": counts.round_trips / checks,
            }
        _require_undisturbed(contender, before.fallbacks)
    return found


def _measure_floor(floor: Floor, plan: Plan) -> dict[str, list[float]]:
    with floor.made() as call:
        for _ in range(_SETTLING):
            call()
        return {floor.name: timed(lambda _: call(), itertools.repeat(None), plan.check_seconds)}


def _settle(contender: Contender) -> None:
    make_ready(contender)
    call, requests = contender.authentication().authenticate, credentials(contender)
    request = request_with(requests[0].header)
    for _ in range(_SETTLING):
        call(request)
        time.sleep(0.005)


def _require_undisturbed(contender: Contender, fallbacks: int) -> None:
    state = contender.state()
    if not state.ready or state.fallbacks != fallbacks:
        fell = state.fallbacks - fallbacks
        raise Disturbed(f"{contender.name}: ready={state.ready}, {fell} fallbacks while measured")


def timed(call: Call, arguments: Iterable[Any], seconds: float) -> list[float]:
    """Nanoseconds of each call, until the time is up or the arguments are."""
    gc.collect()
    clock = time.perf_counter_ns
    taken: list[float] = []
    end = clock() + int(seconds * 1e9)
    for argument in arguments:
        began = clock()
        call(argument)
        ended = clock()
        taken.append(ended - began)
        if ended > end:
            break
    return taken


def _summarise(taken: list[float], into: Figures) -> None:
    into["p50"].append(percentile(taken, 0.5) / 1000)
    into["p99"].append(percentile(taken, 0.99) / 1000)
    into["mean"].append(statistics.fmean(taken) / 1000)
    into["checks"].append(len(taken))


def _row(label: str, times: Figures, counts: dict[str, float] | None) -> list[str]:
    figures = [spread(times[name]) for name in ("p50", "p99", "mean")]
    if counts is None:
        return [f"floor: {label}", *figures, "", ""]
    return [label, *figures, *(f"{counts[name]:.4g}" for name in ("statements", "round_trips"))]
