"""One long history, by hand: python -m tests.faults [--database …] [--log …] [--minutes N] [--calm]

Unless it is calm, the servers are hurt all the time, by turns: the database is cut off, killed and
frozen, Redis flushed, killed and frozen. Ends with what was done and found; 1 if anything was.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import services
from tests.faults import totals
from tests.faults.crew import LIMIT, Run, crew
from tests.faults.site import Site, on_redis, replica

LASTS = 2.0
REST = 4.0
LAST_QUIET = 8.0
"""Seconds of a fault, between two, and after the last."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--database", choices=["postgresql", "mariadb"], default="postgresql")
    parser.add_argument("--log", choices=["database", "redis"], default="redis")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--calm", action="store_true", help="nothing fails")
    options = parser.parse_args()
    seconds = 60 * options.minutes
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jwt-revoke-run-")))
        start = {"postgresql": services.postgresql, "mariadb": services.mariadb}[options.database]
        database: Any = stack.enter_context(start(durable=True))
        redis = stack.enter_context(services.redis())
        wire = stack.enter_context(services.proxy(database.port))
        url = database.url.replace(f":{database.port}/", f":{wire.port}/")
        site = Site(url, replica(options.log), on_redis(redis.url))
        with crew(folder, site, seconds=seconds) as run:
            if not options.calm:
                hurt(run, database, redis, wire, until=seconds - LAST_QUIET)
    healed = 0.0 if options.calm else seconds - LAST_QUIET + LASTS + 2
    # A wait for a frozen server ends when it goes on.
    findings = run.findings(healed=healed, limit=LIMIT + LASTS)
    print(findings)
    run.count(findings)
    print("\n".join(totals.table(totals.judged)))
    problems = findings.problems()
    print("\n".join(problems))
    return 1 if problems else 0


def hurt(run: Run, database: Any, redis: Any, wire: Any, *, until: float) -> None:
    """Each fault in turn, again and again."""

    def flush() -> None:
        with redis.client() as client:
            client.flushall()

    faults: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (wire.cut, wire.heal),
        (flush, flush),
        (database.kill, database.restart),
        (redis.kill, redis.restart),
        (database.stop, database.cont),
        (redis.stop, redis.cont),
    ]
    for harm, heal in itertools.cycle(faults):
        if time.monotonic() + REST > run.began + until:
            return
        run.until(time.monotonic() - run.began + REST)
        harm()
        run.until(time.monotonic() - run.began + LASTS)
        heal()


if __name__ == "__main__":
    sys.exit(main())
