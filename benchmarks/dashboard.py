"""The dashboard of the admin at a million sessions, on each database: how long its page takes."""

from __future__ import annotations

import contextlib
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from benchmarks.figures import spread, table
from benchmarks.plan import Plan
from benchmarks.processes import Companion, companion
from tests import services

PERIODS: Final = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}


def run(plan: Plan) -> tuple[str, Any]:
    """The table, and all numbers."""
    rounds = plan.rounds or plan.dashboard_rounds
    size = [plan.dashboard_sessions, plan.dashboard_log]
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, made in DATABASES.items():
        with made() as url, companion("looking", {"DATABASE_URL": url}) as process:
            _ask(process, size)  # fills, and reads what is read but once
            for _ in range(rounds):
                for period, took in plan.quiet.alone(partial(_ask, process, size)).items():
                    found[name][period].append(took)
    text = table(
        f"the dashboard at {size[0]:,} sessions and {size[1]:,} revocations of 60 days:"
        f" ms a page, median of {rounds} (lowest–highest)",
        ("", *PERIODS.values()),
        [[name, *(spread(found[name][period]) for period in PERIODS)] for name in DATABASES],
        "From request to rendered page in one process, with what Django's admin itself needs.",
    )
    return text, found


def _ask(process: Companion, size: list[int]) -> dict[str, float]:
    process.tell(size)
    found: dict[str, float] = process.hear()
    return found


@contextlib.contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/site.sqlite3"


@contextlib.contextmanager
def _postgresql() -> Iterator[str]:
    with services.postgresql() as server:
        yield str(server)


@contextlib.contextmanager
def _mariadb() -> Iterator[str]:
    with services.mariadb() as server:
        yield str(server)


DATABASES: Final = {"SQLite": _sqlite, "PostgreSQL": _postgresql, "MariaDB": _mariadb}
