"""Requests a second, and how long the slowest take, under three servers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from benchmarks.contenders import HTTP, Contender
from benchmarks.content import credentials, make_ready
from benchmarks.figures import spread, table
from benchmarks.load import Load
from benchmarks.plan import Disturbed, Plan
from benchmarks.processes import KINDS, POOLED, Kind, SiteServer, companion, serving

PATHS: Final = {"/api/ping/": "ping", "/api/me/": "me"}
_WARM: Final = 0.3
_HEAD: Final = ("", "ping: requests/s", "p99 ms", "me: requests/s", "p99 ms")
_FIGURES: Final = (("ping", "rate"), ("ping", "p99"), ("me", "rate"), ("me", "p99"))


def run(plan: Plan) -> tuple[str, Any]:
    """The table, and all numbers."""
    results: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    rounds = plan.rounds or plan.http_rounds
    for _ in range(rounds):
        turns = [(kind, contender) for kind in KINDS for contender in plan.of(HTTP)]
        plan.random.shuffle(turns)
        for kind, contender in turns:
            for path, found in _measure(kind, contender, plan).items():
                figures = results[_label(kind, contender)][path]
                figures["rate"].append(found["requests"] / found["seconds"])
                figures["p50"].append(found["p50"] * 1000)
                figures["p99"].append(found["p99"] * 1000)
    rows = []
    for kind in KINDS:
        for contender in plan.listed(HTTP):
            label = _label(kind, contender)
            figures = [spread(results[label][path][name]) for path, name in _FIGURES]
            rows.append([label, *figures])
    text = table(
        f"the example project, median of {rounds} rounds (lowest–highest)",
        _HEAD,
        rows,
        f"{plan.http_workers} workers and {plan.http_connections} clients; gthread has 4 threads in"
        " each.",
        "ping reads nothing of the user, me reads the row and the groups.",
        "The clients, PostgreSQL and Redis share the machine's cores with the server: the ratios",
        "count. Database connections persist in each thread; under uvicorn they "
        + ("are pooled." if POOLED else "DO NOT: psycopg_pool is not installed."),
    )
    return text, results


def _label(kind: Kind, contender: Contender) -> str:
    return f"{kind.name}: {contender.name}"


def _measure(kind: Kind, contender: Contender, plan: Plan) -> dict[str, Any]:
    with contender.installed():
        signed_in = credentials(contender)
        make_ready(contender)
    headers = [("live", one.header) for one in signed_in]
    with serving(kind, contender, headers[0][1], plan.http_workers) as server:
        server.make_ready()
        paths = plan.random.sample(list(PATHS), len(PATHS))
        return {
            PATHS[path]: plan.quiet.alone(partial(_loaded, server, kind, path, headers, plan))
            for path in paths
        }


def _loaded(
    server: SiteServer, kind: Kind, path: str, headers: list[tuple[str, str]], plan: Plan
) -> Any:
    load = Load(
        port=server.port,
        path=path,
        headers=headers,
        connections=plan.http_connections,
        workers=plan.http_workers,
        keep_alive=kind.keep_alive,
        warm=_WARM,
        seconds=plan.http_seconds,
    )
    before = server.states()
    with companion("load") as client:
        client.tell(asdict(load))
        found = client.hear()
    server.require_undisturbed(before)
    wrong = [answer for answer in found["answers"] if answer[1] != "200"]
    if wrong or not found["requests"]:
        raise Disturbed(f"{path} was answered {found['answers']}")
    return found
