"""A process dies at the worst moment, or its clock is wrong."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.crew import LIMIT, WRITERS, Process, Run, crew
from tests.faults.records import Revocation
from tests.faults.site import Site, on_redis, replica
from tests.services.postgresql import PostgreSQL
from tests.services.redis import Redis


@pytest.fixture(params=["database", "redis"])
def site(request: Any, database: PostgreSQL, redis: Redis) -> Site:
    """On either log."""
    return Site(database.url, replica(request.param), on_redis(redis.url))


def test_writers_killed_between_commit_and_publication(site: Site, tmp_path: Path) -> None:
    """Invariant 1: whoever looks next publishes it, within the interval."""
    with crew(tmp_path, site) as run:
        heirs = [run.start_writer(number % WRITERS, 1 + number // WRITERS) for number in range(6)]
        for number, heir in enumerate(heirs):
            heir.expect("up")
            run.until(4 + 2 * number)
            die_and_leave_to(heir, run, number % WRITERS, how=["exit", "kill"][number % 2])
    died = [one for one in run.records if isinstance(one, Revocation) and one.late]
    assert len(died) == len(heirs)
    run.assert_sound(healed=17)


def die_and_leave_to(heir: Process, run: Run, number: int, *, how: str) -> None:
    """A writer dies right after a commit; another goes on with its users."""
    writer = run.writers[number]
    writer.tell({"do": "die", "how": how})
    writer.expect(None)
    run.writers[number] = heir
    heir.tell({"do": "go"})


def test_frozen_wherever_they_are(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariants 1 and 3. With a lock in the database, before an XADD, about to begin the stream
    anew: what a process wakes up to finish has been true a while ago. The stream is lost again and
    again, so that there is always somebody who is about to begin it."""
    longest = 1.5
    chance = random.Random(0)
    with crew(tmp_path, site) as run, redis.client() as client:
        run.until(2)
        for _ in run.every(0.05, until=16):
            frozen = chance.sample(run.everybody, 3)
            for process in frozen:
                process.stop()
            client.flushall()
            run.until(time.monotonic() - run.began + chance.uniform(0.05, longest))
            for process in frozen:
                process.cont()
    run.assert_sound(healed=18, limit=LIMIT + 2 * longest)


def test_clocks_five_minutes_apart(site: Site, tmp_path: Path) -> None:
    """Invariant 6. Forwards in some processes, back in others, and right again."""
    with crew(tmp_path, site) as run:
        fast, slow = (run.writers[0], run.readers[0]), (run.writers[1], run.readers[1])
        for at, by in [(3, 300), (13, -300)]:
            run.until(at)
            run.tell({"do": "step the clock", "by": by}, *fast)
            run.tell({"do": "step the clock", "by": -by}, *slow)
    run.assert_sound(healed=0)
