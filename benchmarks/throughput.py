"""Requests a second, what the server works for one, and how long the slowest take.

Each server is asked in turns of a tenth of a second with one of the base's, on the same core: these
processors may be half as quick a second later, or stand still.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from benchmarks.contenders import CONTENDERS, HTTP, WORKERS, Contender
from benchmarks.content import make_ready, signed_in
from benchmarks.figures import percentile, spread, table
from benchmarks.load import Load
from benchmarks.plan import Disturbed, Plan
from benchmarks.processes import (
    CLIENT_CORE,
    GTHREAD,
    PINNED,
    POOLED,
    SYNC,
    UVICORN,
    Companion,
    Kind,
    SiteServer,
    companion,
    serving,
)
from benchmarks.targets import BASE

PATHS: Final = {"/api/ping/": "ping", "/api/me/": "me"}
_PING: Final = "/api/ping/"
_BURST: Final = 0.1
"""Seconds."""
_NAMES: Final = {
    "rate": "requests/s",
    "ratio": "ratio",
    "worked": "worked ms",
    "work": "by work",
    "p99": "p99 ms",
}
_FIGURES: Final = [(path, name) for path in PATHS.values() for name in _NAMES]
_HEAD: Final = ("", *(f"{path}: {_NAMES[name]}" for path, name in _FIGURES))

Ask = Callable[[], Mapping[str, Any]]
"""A burst of requests to a server, and what came of it."""


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
        with contextlib.ExitStack() as stack:
            bases = {
                setting.name: stack.enter_context(_base(setting, plan)) for setting in SETTINGS
            }
            for setting, contender in turns:
                found, seconds = _measure(setting, contender, bases[setting.name], plan)
                starting.append(seconds)
                for path, numbers in found.items():
                    figures = results[_label(setting, contender.name)][path]
                    for name, value in numbers.items():
                        figures[name].append(value)
    text = table(
        f"the same two views for everybody, median of {rounds} rounds (lowest–highest)",
        _HEAD,
        list(_rows(results, plan)),
        f"{plan.http_connections} clients; gthread has 4 threads in each worker.",
        "ping reads nothing of the user, me reads the user's row. worked: processor time of the",
        "server's processes for each request; pauses that the machine takes are none of it.",
        f"ratio: as many times the requests/s as {BASE} has for ping; by work: as many requests",
        f"in the time that it works for one. Asked in turns of {_BURST:g} s.",
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


def _rows(results: Results, plan: Plan) -> Iterator[list[str]]:
    for setting in SETTINGS:
        for contender in plan.listed(setting.part):
            found = results[_label(setting, contender.name)]
            numbers = [found.get(path, {}).get(name) for path, name in _FIGURES]
            figures = [spread(values) if values else "" for values in numbers]
            yield [_label(setting, contender.name), *figures]


@contextlib.contextmanager
def _base(setting: Setting, plan: Plan) -> Iterator[Ask]:
    """Asked for its ``ping``: it has no row to read."""
    contender = CONTENDERS[BASE]
    with _served(setting, contender) as server, _asked(server, setting, _PING, plan) as ask:
        yield ask


def _measure(
    setting: Setting, contender: Contender, base: Ask, plan: Plan
) -> tuple[dict[str, Any], float]:
    headers = _headers(contender)
    if contender.here:
        with contender.installed():
            make_ready(contender, headers[0][1])
    paths = [path for path in PATHS if contender.has_row or PATHS[path] != "me"]
    began = time.monotonic()
    with _served(setting, contender) as server:
        starting = time.monotonic() - began
        found = {
            PATHS[path]: plan.quiet.alone(partial(_compared, server, setting, path, base, plan))
            for path in plan.random.sample(paths, len(paths))
        }
    return found, starting


@contextlib.contextmanager
def _served(setting: Setting, contender: Contender) -> Iterator[SiteServer]:
    header = _headers(contender)[0][1]
    with serving(setting.kind, contender, header, setting.workers) as server:
        server.make_ready()
        yield server


def _compared(
    server: SiteServer, setting: Setting, path: str, base: Ask, plan: Plan
) -> dict[str, float]:
    with _asked(server, setting, path, plan) as ask:
        ask()
        base()
        pairs = [(ask(), base()) for _ in range(plan.http_bursts)]
    bursts = [mine for mine, _its in pairs]
    times = [one for burst in bursts for one in burst["times"]]
    return {
        "rate": len(times) / sum(burst["seconds"] for burst in bursts),
        "ratio": statistics.median(mine["rate"] / its["rate"] for mine, its in pairs),
        "worked": statistics.median(burst["worked"] for burst in bursts) * 1000,
        "work": statistics.median(its["worked"] / mine["worked"] for mine, its in pairs),
        "p50": percentile(times, 0.5) * 1000,
        "p99": percentile(times, 0.99) * 1000,
    }


@contextlib.contextmanager
def _asked(server: SiteServer, setting: Setting, path: str, plan: Plan) -> Iterator[Ask]:
    load = Load(
        port=server.port,
        path=path,
        headers=_headers(server.contender),
        connections=plan.http_connections,
        workers=setting.workers,
        keep_alive=setting.kind.keep_alive,
    )
    before = server.states()
    with companion("load", core=CLIENT_CORE if setting.workers == 1 else None) as client:
        client.tell(asdict(load))
        yield partial(_burst, client, server)
    server.require_undisturbed(before)


def _headers(contender: Contender) -> list[tuple[str, str]]:
    return [("live", one.header) for one in signed_in(contender)]


def _burst(client: Companion, server: SiteServer) -> Mapping[str, Any]:
    before = server.processor_seconds
    client.tell(_BURST)
    found: dict[str, Any] = client.hear()
    if any(status != "200" for _label, status, _count in found["answers"]):
        raise Disturbed(f"{server.contender.name} answered {found['answers']}")
    requests = len(found["times"])
    found["rate"] = requests / found["seconds"]
    found["worked"] = (server.processor_seconds - before) / requests
    return found
