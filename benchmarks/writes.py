"""What a write costs: statements, milliseconds, and the rows that it leaves behind."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from functools import partial
from typing import Any, Final, NamedTuple

from benchmarks.contenders.base import WRITES
from benchmarks.databases import own_databases
from benchmarks.figures import number, percentile, spread, table
from benchmarks.plan import Plan
from benchmarks.processes import Companion, companion

_LARGE: Final = 100
"""From here it is tallied at once; what is smaller the second time, since the first fills what a
process keeps."""
_MANY_REFRESHES: Final = "many refreshes"


class Operation(NamedTuple):
    """``times`` in each round; 0 = its time is that of the tally, since it takes so long to prepare
    that once has to do."""

    name: str
    size: int
    times: int

    @property
    def label(self) -> str:
        """As it is printed."""
        short = {"log-out everywhere": "everywhere", "role change": "roles"}.get(self.name)
        return f"{short}: {self.size:,}" if short else self.name


def operations(plan: Plan) -> list[Operation]:
    """All, in the order in which they are printed."""
    few = plan.writes_times
    return [
        Operation("sign-in", 1, few),
        Operation("refresh", 1, few),
        Operation("log-out", 1, few),
        *(
            Operation("log-out everywhere", size, min(few, 100 // size))
            for size in plan.writes_sessions
        ),
        *(
            Operation("role change", size, max(1, min(few, 100 // size)))
            for size in plan.writes_users
        ),
    ]


def run(plan: Plan) -> tuple[str, Any]:
    """The tables, and all numbers."""
    listed, every = plan.listed(WRITES), operations(plan)
    tallies: dict[str, dict[str, Any]] = {}
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    rounds = plan.rounds or plan.writes_rounds
    with contextlib.ExitStack() as stack:
        processes: dict[str, Companion] = {}
        for contender in listed:
            environment = stack.enter_context(own_databases(contender))
            process = stack.enter_context(companion("writing", environment))
            process.hear()
            processes[contender.name] = process
            possible = [
                one
                for one in every
                if one.name != "log-out everywhere" or one.size <= contender.most_sessions
            ]
            tallies[contender.name] = _tallies(process, possible, plan.writes_refreshes)
            for operation in every:
                if not operation.times and operation.label in tallies[contender.name]:
                    taken = tallies[contender.name][operation.label]["ms"]
                    times[contender.name][operation.label].append(taken)
        for _ in range(rounds):
            for contender in plan.of(WRITES):
                name = contender.name
                wanted = [one for one in every if one.times and one.label in tallies[name]]
                plan.random.shuffle(wanted)
                process = processes[name]
                for label, taken in plan.quiet.alone(partial(_timed, process, wanted)).items():
                    times[name][label].append(percentile(taken, 0.5))
    texts = [_statements(tallies, every), _times(times, every, rounds), _rows(tallies, plan)]
    found = {
        "tallies": tallies,
        "times_ms": times,
        "session_rows": {name: _session_rows(one) for name, one in tallies.items()},
        "refreshes": plan.writes_refreshes,
    }
    return "\n\n".join(texts), found


def _tallies(process: Companion, every: list[Operation], refreshes: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    missing = set()
    for operation in every:
        if operation.name not in missing:
            times = 1 if operation.size >= _LARGE else 2
            process.tell(["tally", operation.name, operation.size, times])
            found[operation.label] = process.hear()
            if "unsupported" in found[operation.label]:
                missing.add(operation.name)
    process.tell(["tally", "refresh", refreshes, 1])
    found[_MANY_REFRESHES] = process.hear()
    return {label: one for label, one in found.items() if "unsupported" not in one}


def _timed(process: Companion, wanted: list[Operation]) -> dict[str, list[float]]:
    found = {}
    for operation in wanted:
        process.tell(["timed", *operation])
        found[operation.label] = process.hear()["ms"]
    return found


def _statements(tallies: dict[str, dict[str, Any]], every: list[Operation]) -> str:
    rows = [
        [name, *(_made_of(one.get(operation.label)) for operation in every)]
        for name, one in tallies.items()
    ]
    return table(
        "statements of a write, without BEGIN, COMMIT and savepoints",
        ("", *(operation.label for operation in every)),
        rows,
        "everywhere: n: a user with n sessions is logged out everywhere. roles: n: what the tokens",
        "of n users claim is taken back; the update of the roles themselves is not counted.",
        "+ n: to number the log and pass it on, after the commit; r: round trips to Redis.",
        "No password is verified, and nobody signs in for the first time. –: no such thing.",
    )


def _made_of(tally: dict[str, Any] | None) -> str:
    if tally is None:
        return "–"
    parts = [f"{tally['statements']:,}"]
    parts += [f"+ {tally['log']}"] if tally["log"] else []
    parts += [f"+ {tally['round_trips']} r"] if tally["round_trips"] else []
    return " ".join(parts)


def _times(times: dict[str, dict[str, list[float]]], every: list[Operation], rounds: int) -> str:
    rows = [
        [name, *(spread(one[op.label]) if op.label in one else "–" for op in every)]
        for name, one in times.items()
    ]
    return table(
        f"milliseconds of a write: median of {rounds} rounds' p50 (lowest–highest)",
        ("", *(operation.label for operation in every)),
        sorted(rows),
        "PostgreSQL is on the same machine and waits for no disk: what counts is the work.",
        "A log-out of more than 100 sessions is timed once, while its statements are counted.",
    )


def _rows(tallies: dict[str, dict[str, Any]], plan: Plan) -> str:
    labels = ("sign-in", "refresh", "log-out")
    rows = [
        [
            name,
            *(_left(one.get(label)) for label in labels),
            "–" if (left := _session_rows(one)) is None else f"{left:,}",
        ]
        for name, one in tallies.items()
    ]
    return table(
        "rows that each leaves behind in its tables",
        ("", *labels, f"one session, {plan.writes_refreshes:,} refreshes later"),
        rows,
        "Until something prunes them. A log-out may delete what the sign-in left.",
    )


def _left(tally: dict[str, Any] | None) -> str:
    return "–" if tally is None else number(sum(tally["rows"].values()))


def _session_rows(tallies: dict[str, Any]) -> int | None:
    """What one session that was refreshed many times has left; ``None`` = it has no refresh."""
    if _MANY_REFRESHES not in tallies:
        return None
    return sum(sum(tallies[label]["rows"].values()) for label in ("sign-in", _MANY_REFRESHES))
