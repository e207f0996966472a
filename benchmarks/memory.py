"""Many live revocations: how long a process loads them, what they weigh, and who answers meanwhile.

The last part: it leaves a log of a million behind.
"""

from __future__ import annotations

import signal
import time
from collections import Counter, defaultdict
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from benchmarks.contenders import MEMORY, RESTART, Contender
from benchmarks.content import credentials, fill_log, log_bytes, make_ready, spare_user
from benchmarks.figures import number, percentile, spread, table
from benchmarks.load import Load
from benchmarks.plan import Disturbed, Plan
from benchmarks.processes import GTHREAD, SiteServer, companion, serving

_LOADED_WITHIN: Final = 180.0
_AFTERWARDS: Final = 1.0
_REVOKED: Final = 5
_CLIENTS: Final = 8
_PAUSE: Final = 0.01


def run(plan: Plan) -> tuple[str, Any]:
    """The tables, and all numbers."""
    loads: dict[str, Any] = defaultdict(lambda: defaultdict(list))
    rounds = plan.rounds or plan.memory_rounds
    for size in plan.memory_sizes:
        fill_log(size)
        for _ in range(rounds):
            for contender in plan.of(MEMORY):
                for name, value in plan.quiet.alone(partial(_load, contender, size)).items():
                    loads[f"{contender.name}: {size:,}"][name].append(value)
    log_row = log_bytes() / plan.memory_sizes[-1]
    restarts = {contender.name: _restart(contender, plan) for contender in plan.of(RESTART)}
    size = plan.memory_sizes[-1]
    texts = [
        table(
            f"a process loads the live revocations, median of {rounds} rounds (lowest–highest)",
            ("", "seconds", "MiB", "MiB per 100,000", "peak MiB"),
            [
                [label, *(spread(found[name]) for name in ("seconds", "mib", "each", "peak_mib"))]
                for label, found in loads.items()
            ],
            "Resident, on top of the process before; half are of users, half of sessions. In the",
            f"database each takes {log_row:.0f} bytes, with its indexes.",
        ),
        table(
            f"restart: gunicorn is told to replace {plan.restart_workers} workers (HUP) at {size:,}"
            " live revocations, once",
            ("", *_SHOWN),
            [
                [name, *(found["shown"][each] for each in _SHOWN)]
                for name, found in restarts.items()
            ],
            "seconds: from the signal until every new worker answers by itself; the database's are"
            " those of starting Django.",
            "Half of the requests bring a revoked token. wrong: a live one refused, or a revoked"
            " one let in.",
            f"{_CLIENTS} clients with a new connection for each request, and a rest of"
            f" {_PAUSE * 1000:g} ms.",
        ),
    ]
    return "\n\n".join(texts), {
        "load": loads,
        "restart": restarts,
        "log_row_bytes": log_row,
    }


def _load(contender: Contender, size: int) -> dict[str, float]:
    with contender.installed():
        header = credentials(contender)[0].header
    with companion("loading", contender.environment) as process:
        process.tell(header)
        found: dict[str, float] = process.hear()
    if found["entries"] < size:
        raise Disturbed(f"{contender.name}: {found['entries']} of {size} revocations were loaded")
    found["each"] = found["mib"] / size * 100_000
    return found


_SHOWN: Final = (
    *("seconds", "200", "401", "503", "other", "wrong", "by the database"),
    *("p50 ms", "p99 ms", "max ms"),
)


def _restart(contender: Contender, plan: Plan) -> dict[str, Any]:
    with contender.installed():
        make_ready(contender)
        live = [("live", one.header) for one in credentials(contender)[:_REVOKED]]
        ended = [contender.sign_in(spare_user()) for _ in live]
        for one in ended:
            contender.end(one)
    headers = [
        pair
        for pairs in zip(live, (("revoked", one.header) for one in ended), strict=True)
        for pair in pairs
    ]
    with serving(GTHREAD, contender, live[0][1], plan.restart_workers) as server:
        server.make_ready()
        load = Load(
            port=server.port,
            path="/api/ping/",
            headers=headers,
            connections=_CLIENTS,
            workers=plan.restart_workers,
            keep_alive=False,
            pause=_PAUSE,
        )
        return plan.quiet.alone(partial(_hang_up, server, load))


def _hang_up(server: SiteServer, load: Load) -> dict[str, Any]:
    before = server.states()
    with companion("load") as client:
        client.tell(asdict(load))
        client.tell(None)
        client.hear()
        began = time.monotonic()
        server.process.send_signal(signal.SIGHUP)
        states = _replaced(server, frozenset(before))
        took = time.monotonic() - began
        time.sleep(_AFTERWARDS)
        client.tell("stop")
        found: dict[str, Any] = client.hear()
    times = found.pop("times")
    found |= {
        "restart_seconds": took,
        "fallbacks": sum(state["fallbacks"] for state in states.values()),
        "p50": percentile(times, 0.5),
        "p99": percentile(times, 0.99),
        "max": max(times),
    }
    found["shown"] = _shown(found)
    return found


def _replaced(server: SiteServer, old: frozenset[int]) -> dict[int, Any]:
    """Once other workers than those have all loaded the log: their states."""
    deadline = time.monotonic() + _LOADED_WITHIN
    while time.monotonic() < deadline:
        try:
            states = server.states(but=old)
        except OSError:
            continue
        if all(state["ready"] for state in states.values()):
            return states
        time.sleep(0.1)
    raise Disturbed("the new workers have not loaded the log")


def _shown(found: dict[str, Any]) -> dict[str, str]:
    by_status: Counter[str] = Counter()
    wrong = 0
    for label, answer, count in found["answers"]:
        by_status[answer if answer in {"200", "401", "503"} else "other"] += count
        wrong += count * ((label, answer) in {("live", "401"), ("revoked", "200")})
    return {
        "seconds": number(found["restart_seconds"]),
        **{name: str(by_status[name]) for name in ("200", "401", "503", "other")},
        "wrong": str(wrong),
        "by the database": str(found["fallbacks"]),
        **{f"{name} ms": number(found[name] * 1000) for name in ("p50", "p99", "max")},
    }
