"""What a site of a given size needs, worked out of a run: python -m benchmarks.scale FILE

Sums on paper: nothing here was measured at these sizes. The formulas are those of docs/scale.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.figures import number, table

SIZES: Final = (10_000, 1_000_000, 10_000_000, 100_000_000)
"""Users."""
ONLINE: Final = 0.05
"""Of them, with one session each, at the busiest moment."""
EACH_S: Final = 10.0
"""Seconds between two requests of one of them."""
REVOKED_DAYS: Final = 7.0
"""Days between two revocations of a user: a log-out, a new password, another role."""
PEAK: Final = 5.0
"""How much more than on average is revoked at the busiest moment."""
LIFETIME_S: Final = 300.0
SKEW_S: Final = 600.0
"""For how long after a token's end a process remembers what it was revoked by."""
STALENESS_S: Final = 0.25
RETENTION_DAYS: Final = 365.0
ENTRY_BYTES: Final = 300.0
"""Of the log, as a process is sent one."""


@dataclass(frozen=True)
class Constants:
    """Of the machine that the run was made on. Seconds, bytes."""

    request: float
    """Of one core, for a request that reads nothing of the user, by the replica."""
    database: float
    """What the database backend's check takes more than the replica's."""
    read_log: float
    read_redis: float
    refresh: float
    load_entry: float
    memory_entry: float
    session_row: float
    log_row: float

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> Constants:
        """From the JSON of a run with ``check``, ``http``, ``writes``, ``growth``, ``memory``."""
        times = run["check"]["results"]["times_us"]
        quarter: float = median(times["replica, database log, 250 ms: seen"]["p50"])

        def beyond(name: str) -> float:
            found: float = median(times[f"{name}: seen"]["p50"])
            return (found - quarter) / 1e6

        served = run["http"]["results"]
        ping = served["gunicorn sync, 1 worker: replica, database log, 250 ms"]["ping"]
        loads = run["memory"]["results"]["load"]["replica, database log, 0 ms: 1,000,000"]
        filled = run["growth"]["results"]["stages"]["database"]["1,000,000 sessions"]["tables"]
        refreshes = run["writes"]["results"]["times_ms"]["database"]["refresh"]
        return cls(
            request=median(ping["worked"]) / 1000,
            database=beyond("database"),
            read_log=beyond("replica, database log, 0 ms"),
            read_redis=beyond("replica, Redis, 0 ms"),
            refresh=median(refreshes) / 1000,
            load_entry=median(loads["seconds"]) / 1_000_000,
            memory_entry=median(loads["each"]) * 2**20 / 100_000,
            session_row=_row(filled["jwt_revoke_device_session"]),
            log_row=run["memory"]["results"]["log_row_bytes"],
        )


def _row(sizes: Mapping[str, float]) -> float:
    return sizes["bytes"] / sizes["rows"]


def sums(users: int, known: Constants) -> dict[str, float]:
    """What that many users come to, per second at the busiest moment, and in all."""
    online = users * ONLINE
    requests = online / EACH_S
    revocations = users / (REVOKED_DAYS * 86_400) * PEAK
    live = revocations * (LIFETIME_S + SKEW_S)
    workers = max(2.0, requests * known.request / 0.6)
    reads = min(requests, workers / STALENESS_S)
    refreshes = online / LIFETIME_S
    return {
        "requests/s": requests,
        "workers": workers,
        "revocations/s": revocations,
        "refreshes/s": refreshes,
        "live revocations": live,
        "MiB in each worker": live * known.memory_entry / 2**20,
        "s to load them": live * known.load_entry,
        "database: its checks, cores": requests * known.database,
        "replica, 250 ms: reads/s": reads,
        "… cores of the database": reads * known.read_log,
        "… entries sent, MB/s": revocations * workers * ENTRY_BYTES / 1e6,
        "Redis, strict: reads/s": requests,
        "refreshes, cores of the database": refreshes * known.refresh,
        "rows of sessions, GiB": users * known.session_row / 2**30,
        "a year of the log, GiB": users * RETENTION_DAYS / REVOKED_DAYS * known.log_row / 2**30,
    }


def main() -> None:
    """The table, and what it is worked out of."""
    known = Constants.of(json.loads(Path(sys.argv[1]).read_text()))
    found = {users: sums(users, known) for users in SIZES}
    names = list(found[SIZES[0]])
    rows = [[name, *(_shown(found[users][name]) for users in SIZES)] for name in names]
    print(table("at the busiest moment", ["users", *(f"{users:,}" for users in SIZES)], rows))
    for name, value in vars(known).items():
        shown = f"{value * 1e6:.3g} µs" if value < 0.1 else f"{value:.0f} bytes"
        print(f"  {name}: {shown}")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else number(value)


if __name__ == "__main__":
    main()
