"""Requests a second, what the server works for one, and how long the slowest take."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from benchmarks.contenders import HTTP, WORKERS, Contender
from benchmarks.content import make_ready, signed_in
from benchmarks.figures import percentile, spread, table, times_as_many
from benchmarks.load import Load
from benchmarks.plan import Disturbed, Plan
from benchmarks.processes import (
    CLIENT_CORE,
    GTHREAD,
    PINNED,
    POOLED,
    SERVER_CORE,
    SYNC,
    UVICORN,
    Companion,
    Kind,
    SiteServer,
    companion,
    on_core,
    serving,
)
from benchmarks.timing import decoding

BASES: Final = {"ping": "simplejwt stateless", "me": "simplejwt default"}
"""What the others are compared to, by what is asked for; the stateless one has no row to read."""
PATHS: Final = {"/api/ping/": "ping", "/api/me/": "me"}
_BURST: Final = 0.1
"""Seconds. Between two of them it is measured how quick the server's core is."""
_BESIDE: Final = 0.01
_NAMES: Final = {"rate": "requests/s", "worked": "worked ms", "ratio": "ratio", "p99": "p99 ms"}
_FIGURES: Final = [(path, name) for path in PATHS.values() for name in _NAMES]
_HEAD: Final = ("", *(f"{path}: {_NAMES[name]}" for path, name in _FIGURES))


@dataclass(frozen=True)
class Setting:
    """A server and its workers, and the part in which contenders take part in it."""

    kind: Kind
    workers: int
    part: str

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"{self.kind.name}, {self.workers} worker{'s' * (self.workers > 1)}"


SETTINGS: Final = (
    Setting(SYNC, 1, HTTP),
    Setting(UVICORN, 1, HTTP),
    Setting(GTHREAD, 2, WORKERS),
    Setting(UVICORN, 2, WORKERS),
)

Results = dict[str, dict[str, dict[str, list[float]]]]


def run(plan: Plan) -> tuple[str, Any]:
    """The table, and all numbers."""
    results: Results = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    starting: list[float] = []
    rounds = plan.rounds or plan.http_rounds
    for _ in range(rounds):
        turns = [(setting, one) for setting in SETTINGS for one in plan.of(setting.part)]
        plan.random.shuffle(turns)
        for setting, contender in turns:
            found, seconds = _measure(setting, contender, plan)
            starting.append(seconds)
            for path, numbers in found.items():
                figures = results[_label(setting, contender.name)][path]
                for name, value in numbers.items():
                    figures[name].append(value)
    _compare(results)
    text = table(
        f"the same two views for everybody, median of {rounds} rounds (lowest–highest)",
        _HEAD,
        list(_rows(results, plan)),
        f"{plan.http_connections} clients; gthread has 4 threads in each worker.",
        "ping reads nothing of the user, me reads the user's row. worked: processor time of the",
        "server's processes for each request; pauses that the machine takes are none of it. ratio:",
        f"requests in the time that {BASES['ping']} (ping) or {BASES['me']} (me) works for one,",
        "by the same server in the same round, each by what PyJWT's decode took on the server's",
        f"core before and after each {_BURST:g} s of requests.",
        "One worker has a core, and the clients another; PostgreSQL and Redis use what is left."
        if PINNED
        else "The server and its clients share all cores: nothing can be pinned here.",
        "With two workers, all share all cores: the ratios count.",
        "Database connections persist in each thread; under uvicorn they "
        + ("are pooled." if POOLED else "DO NOT: psycopg_pool is not installed."),
        f"A server took {statistics.median(starting):.1f} s to start, which is not measured.",
    )
    return text, {
        label: {path: dict(figures) for path, figures in found.items()}
        for label, found in results.items()
    }


def _label(setting: Setting, name: str) -> str:
    return f"{setting.name}: {name}"


def _compare(results: Results) -> None:
    for setting in SETTINGS:
        for path, base in BASES.items():
            its = results.get(_label(setting, base), {}).get(path, {})
            for label, found in results.items():
                if label.startswith(f"{setting.name}: ") and path in found:
                    found[path]["ratio"] = times_as_many(found[path], its)


def _rows(results: Results, plan: Plan) -> Iterator[list[str]]:
    for setting in SETTINGS:
        for contender in plan.listed(setting.part):
            found = results[_label(setting, contender.name)]
            numbers = [found.get(path, {}).get(name) for path, name in _FIGURES]
            figures = [spread(values) if values else "" for values in numbers]
            yield [_label(setting, contender.name), *figures]


def _measure(setting: Setting, contender: Contender, plan: Plan) -> tuple[dict[str, Any], float]:
    credentials = signed_in(contender)
    headers = [("live", one.header) for one in credentials]
    if contender.here:
        with contender.installed():
            make_ready(contender, headers[0][1])
    paths = [path for path in PATHS if contender.has_row or PATHS[path] != "me"]
    began = time.monotonic()
    with serving(setting.kind, contender, headers[0][1], setting.workers) as server:
        server.make_ready()
        starting = time.monotonic() - began
        found = {
            PATHS[path]: plan.quiet.alone(partial(_loaded, server, setting, path, headers, plan))
            for path in plan.random.sample(paths, len(paths))
        }
    return found, starting


def _loaded(
    server: SiteServer, setting: Setting, path: str, headers: list[tuple[str, str]], plan: Plan
) -> dict[str, float]:
    load = Load(
        port=server.port,
        path=path,
        headers=headers,
        connections=plan.http_connections,
        workers=setting.workers,
        keep_alive=setting.kind.keep_alive,
    )
    before = server.states()
    bursts = []
    with companion("load", core=CLIENT_CORE if setting.workers == 1 else None) as client:
        client.tell(asdict(load))
        _burst(client, server)
        quick = _how_quick(setting)
        for _ in range(plan.http_bursts):
            burst, before_it = _burst(client, server), quick
            quick = _how_quick(setting)
            burst["decodes"] = burst["worked"] * 1e6 / statistics.fmean((before_it, quick))
            bursts.append(burst)
    server.require_undisturbed(before)
    answers = [answer for burst in bursts for answer in burst["answers"]]
    if any(answer[1] != "200" for answer in answers):
        raise Disturbed(f"{path} was answered {answers}")
    times = [one for burst in bursts for one in burst["times"]]
    return {
        "rate": len(times) / sum(burst["seconds"] for burst in bursts),
        "worked": statistics.median(burst["worked"] for burst in bursts) * 1000,
        "decodes": statistics.median(burst["decodes"] for burst in bursts),
        "p50": percentile(times, 0.5) * 1000,
        "p99": percentile(times, 0.99) * 1000,
    }


def _burst(client: Companion, server: SiteServer) -> dict[str, Any]:
    before = server.processor_seconds
    client.tell(_BURST)
    found: dict[str, Any] = client.hear()
    found["worked"] = (server.processor_seconds - before) / len(found["times"])
    return found


def _how_quick(setting: Setting) -> float:
    with on_core(SERVER_CORE if setting.workers == 1 else None):
        return decoding(_BESIDE)
