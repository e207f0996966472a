"""How long each worker goes on letting in what was revoked, from the return of the call."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from benchmarks.contenders import REFUSAL, Contender
from benchmarks.content import credentials, make_ready, spare_user
from benchmarks.figures import number, percentile, spread, table
from benchmarks.plan import Disturbed, Plan
from benchmarks.processes import GTHREAD, Companion, companion, serving
from benchmarks.watch import PAUSE, Watch

SLACK: Final = 0.01
"""Seconds granted to the measuring itself."""
_PHASE: Final = 0.25
_PATIENCE: Final = 40.0
_HEAD: Final = (
    "",
    "refused p50 ms",
    "p99 ms",
    "max ms",
    "let in until ms",
    "too late",
    "call p50 ms",
    "call p99 ms",
)


def run(plan: Plan) -> tuple[str, Any]:
    """The table, and all numbers."""
    results: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    rounds = plan.rounds or plan.refusal_rounds
    for _ in range(rounds):
        for contender in plan.of(REFUSAL):
            for name, values in _measure(contender, plan).items():
                results[contender.name][name].append(values)
    rows = [_row(contender, results[contender.name]) for contender in plan.listed(REFUSAL)]
    count = rounds * plan.revocations
    text = table(
        f"{count} revocations, each watched in {plan.refusal_workers} gunicorn workers;"
        f" median of {rounds} rounds (lowest–highest)",
        _HEAD,
        rows,
        "refused: from the return of the call to the arrival of a worker's first 401; below 0 it"
        " came before the return.",
        "let in until: the latest start, after that return, of a request that was still let in.",
        f"too late: of {count * plan.refusal_workers}, how many were let in later than the bound.",
        f"Each worker is asked all the time, {PAUSE * 1000:g} ms after its last answer: no number"
        " is finer than that and one request.",
    )
    return text, results


def _row(contender: Contender, results: dict[str, list[list[float]]]) -> list[str]:
    refused, called = results["refused"], results["called"]
    accepted = [max(0.0, one) for values in results["accepted"] for one in values]
    bound = contender.bound or 0.0
    return [
        contender.name,
        *(spread([1000 * percentile(values, part) for values in refused]) for part in (0.5, 0.99)),
        number(1000 * max(one for values in refused for one in values)),
        number(1000 * max(accepted)),
        str(sum(one > bound + SLACK for one in accepted)),
        *(spread([1000 * percentile(values, part) for values in called]) for part in (0.5, 0.99)),
    ]


def _measure(contender: Contender, plan: Plan) -> dict[str, list[float]]:
    workers = plan.refusal_workers
    with contender.installed():
        make_ready(contender)
        header = credentials(contender)[0].header
        with (
            serving(GTHREAD, contender, header, workers) as server,
            companion("watch") as watch,
        ):
            before = server.make_ready()
            watch.tell(asdict(Watch(server.port, "/api/ping/", header, workers, _PATIENCE)))
            if watch.hear() != sorted(before):
                raise Disturbed("other workers than before")
            found = plan.quiet.alone(partial(_revoke_some, contender, watch, plan))
            server.require_undisturbed(before)
            return found


def _revoke_some(contender: Contender, watch: Companion, plan: Plan) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(plan.revocations):
        _revoke_one(contender, watch, plan, found)
    return found


def _revoke_one(
    contender: Contender, watch: Companion, plan: Plan, found: dict[str, list[float]]
) -> None:
    credential = contender.sign_in(spare_user())
    watch.tell(credential.header)
    watch.hear()  # every worker has let it in
    # At any moment of the workers' intervals: they have all just read.
    time.sleep(plan.random.uniform(0.02, _PHASE))
    began = time.monotonic()
    contender.end(credential)
    returned = time.monotonic()
    found["called"].append(returned - began)
    for worker in watch.hear():
        if worker["problem"] or worker["refused"] is None:
            raise Disturbed(worker["problem"] or f"worker {worker['pid']} never refused")
        if worker["accepted"] is None:
            raise Disturbed(f"worker {worker['pid']} never let the token in")
        found["refused"].append(worker["refused"] - returned)
        found["accepted"].append(worker["accepted"] - returned)
