"""What is there before anybody asks: the time to import, and the memory of a process."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from benchmarks.contenders import HTTP, Contender
from benchmarks.content import signed_in
from benchmarks.figures import spread, table
from benchmarks.plan import Plan
from benchmarks.processes import companion

SITES: Final = {"a site": False, "a site with the admin": True}
"""Name → whether it has the admin."""
PACKAGES: Final = {"": "jwt_revoke", ", with simplejwt": "rest_framework_simplejwt"}
"""What is said of a site → the package that it has."""
_MEMORY_ROUNDS: Final = 3

Figures = dict[str, dict[str, list[float]]]


def run(plan: Plan) -> tuple[str, Any]:
    """Both tables, and all numbers."""
    imports: Figures = defaultdict(lambda: defaultdict(list))
    memory: Figures = defaultdict(lambda: defaultdict(list))
    rounds = plan.rounds or plan.footprint_rounds
    for admin in SITES.values():  # whoever is first compiles
        for package in PACKAGES.values():
            _imported(package, admin)
    for _ in range(rounds):
        turns = [(name, package) for name in SITES for package in ("", *PACKAGES.values())]
        plan.random.shuffle(turns)
        found = {
            turn: plan.quiet.alone(partial(_imported, turn[1], SITES[turn[0]])) for turn in turns
        }
        for name in SITES:
            for said, package in PACKAGES.items():
                for figure, value in found[name, package].items():
                    imports[name + said][figure].append(value - found[name, ""][figure])
    memory_rounds = min(rounds, _MEMORY_ROUNDS)
    for _ in range(memory_rounds):
        for contender in plan.of(HTTP):
            for figure, value in _resident(contender, plan).items():
                memory[contender.name][figure].append(value)
    texts = [_imports(imports, rounds), _memory(memory, plan, memory_rounds)]
    return "\n\n".join(texts), {"import_ms": imports, "memory_mib": memory}


def _imported(package: str, admin: bool) -> dict[str, float]:
    with companion("importing") as process:
        process.tell([package, admin])
        found: dict[str, float] = process.hear()
        return found


def _resident(contender: Contender, plan: Plan) -> dict[str, float]:
    credentials = [asdict(credential) for credential in signed_in(contender)]
    with companion("resident", contender.environment) as process:
        process.tell([credentials, plan.footprint_requests])
        found: dict[str, float] = process.hear()
        return found


def _imports(imports: Figures, rounds: int) -> str:
    rows = [
        [
            name,
            *(spread(found[figure]) for figure in ("all", "setup", "urls", "cpu")),
            *(f"{statistics.median(found[figure]):.0f}" for figure in ("own", "modules")),
        ]
        for name, found in imports.items()
    ]
    return table(
        f"what a package adds to a start, ms: median of {rounds} rounds (lowest–highest)",
        ("", "all", "django.setup()", "authentication, urls", "CPU", "its modules", "all modules"),
        rows,
        "Beyond Django, REST framework, PyJWT, and prometheus_client where it is installed, which",
        "are imported before. CPU: of all, what the processor worked for it.",
    )


def _memory(memory: Figures, plan: Plan, rounds: int) -> str:
    rows = [
        [contender.name, *(spread(memory[contender.name][each]) for each in ("before", "after"))]
        for contender in plan.listed(HTTP)
    ]
    return table(
        f"resident memory of a process, MiB: median of {rounds} (lowest–highest)",
        ("", "after one request", f"after {plan.footprint_requests:,} more"),
        rows,
        "Each by another token where a sign-in has more than one; by Django's test client.",
    )
