"""Redis loses, stalls or lies; the replica that follows its stream stays strict.

While Redis answers nobody, nothing is acknowledged and every request is answered by the database.
"""

from __future__ import annotations

import itertools
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.faults.crew import Run, crew
from tests.faults.site import LOST_WRITE, STREAM, Site, on_cluster, on_redis, on_sentinel, replica
from tests.services.postgresql import PostgreSQL
from tests.services.redis import Redis


@pytest.fixture
def site(database: PostgreSQL, redis: Redis) -> Site:
    return Site(database.url, replica("redis"), on_redis(redis.url))


def test_killed_and_started_empty(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariant 3."""
    with crew(tmp_path, site) as run:
        for kill, restart in [(3, 6), (9, 9.2), (12, 14)]:
            run.until(kill)
            redis.kill()
            run.until(restart)
            redis.restart()
    run.assert_sound(healed=16)


def test_started_empty_again_and_again(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariant 3."""
    with crew(tmp_path, site) as run:
        run.until(2)
        for _ in run.every(0.7, until=16):
            redis.restart()
    run.assert_sound(healed=18)


def test_started_from_an_older_dump(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariant 3. The stream is there, gap-free, and lacks its newest entries."""
    with crew(tmp_path, site) as run:
        for save, restart in [(2, 5), (7, 7.1), (10, 14)]:
            run.until(save)
            redis.save()
            run.until(restart)
            redis.restart(empty=False)
    run.assert_sound(healed=16)


def test_frozen(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariant 4. For longer than any time-out, and for less than one."""
    with crew(tmp_path, site) as run:
        run.until(2)
        redis.stop()
        run.until(9)
        redis.cont()
        run.until(11)
        for number, _ in enumerate(run.every(0.4, until=16)):
            redis.stop()
            time.sleep([0.1, 0.25, 0.32, 0.5][number % 4])
            redis.cont()
    run.assert_sound(healed=18)


def test_flushed_again_and_again(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariant 3. ``cache.clear()`` does this too."""
    with crew(tmp_path, site) as run:
        run.until(2)
        with redis.client() as client:
            for _ in run.every(0.25, until=17):
                client.flushall()
    run.assert_sound(healed=18)


def test_evicting_under_memory_pressure(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariant 3. A cache that is allowed to forget forgets the stream as well."""
    missing = 0
    with crew(tmp_path, site) as run:
        run.until(2)
        with redis.client() as client:
            # With few samples the stream is not spared for being in use.
            redis.configure(
                maxmemory=client.info("memory")["used_memory"] + 2_000_000,
                maxmemory_policy="allkeys-lru",
                maxmemory_samples=1,
            )
            numbers = itertools.count()
            for _ in run.every(0.02, until=17):
                with client.pipeline(transaction=False) as pipeline:
                    for _ in range(100):
                        pipeline.set(f"flood:{next(numbers)}", "x" * 2000)
                    pipeline.execute(raise_on_error=False)
                missing += not client.exists(STREAM)
            evicted = client.info("stats")["evicted_keys"]
    print(f"{evicted} keys evicted; the stream was found missing {missing} times")
    assert evicted > 1000
    run.assert_sound(healed=19)


def test_stream_trimmed(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariant 3. To its newest entry, and to nothing."""
    with crew(tmp_path, site) as run:
        run.until(2)
        with redis.client() as client:
            for length, _ in zip(itertools.cycle([1, 1, 0]), run.every(0.2, until=17)):
                client.xtrim(STREAM, maxlen=length, approximate=False)
    run.assert_sound(healed=18)


def test_stream_made_anew_by_a_stalled_process(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariant 3. Who wanted to begin it anew, slept, and does so with what was true long ago."""
    with crew(tmp_path, site) as run:
        made = put_back(run, redis, lambda fields: fields | {"incarnation": secrets.token_hex(8)})
    assert made > 8 or "FAULTS_BACKEND" in os.environ
    run.assert_sound(healed=18)


def test_stream_restored_under_open_connections(site: Site, redis: Redis, tmp_path: Path) -> None:
    """Invariant 1: within the interval. To who had not read yet, what was acknowledged since looks
    as if it had never been: the same incarnation, and nothing after the entry read last."""
    with crew(tmp_path, site) as run:
        made = put_back(run, redis, lambda fields: fields)
    assert made > 8 or "FAULTS_BACKEND" in os.environ
    run.assert_sound(bound=LOST_WRITE, healed=18)


def put_back(run: Run, redis: Redis, how: Callable[[dict[str, str]], dict[str, str]]) -> int:
    """Let the stream be one of its older entries and nothing else, again and again; how often."""
    made = 0
    run.until(1)
    with redis.client() as client:
        known: list[tuple[str, dict[str, str]]] = []
        for number, _ in enumerate(run.every(0.6, until=17)):
            if known:
                name, fields = known[-1 - number % min(3, len(known))]
                with client.pipeline(transaction=bool(number % 2)) as pipeline:
                    pipeline.delete(STREAM)
                    pipeline.xadd(STREAM, how(fields), id=name)
                    pipeline.execute(raise_on_error=False)
                made += 1
                run.until(time.monotonic() - run.began + 0.3)
            known = client.xrevrange(STREAM, count=20)[::-1] or known
    return made


def test_cut_off_from_one_side(
    database: PostgreSQL, redis: Redis, start: Any, tmp_path: Path
) -> None:
    """Invariants 1 and 4. Those who revoke cannot reach it, then the others can't."""
    theirs, ours = start(services.proxy(redis.port)), start(services.proxy(redis.port))
    backend = replica("redis")
    writers = Site(database.url, backend, on_redis(redis.url_at(theirs.port)))
    readers = Site(database.url, backend, on_redis(redis.url_at(ours.port)))
    with crew(tmp_path, writers, readers) as run:
        steps: list[tuple[float, Callable[[], None], Callable[[], None]]] = [
            (2, theirs.cut, theirs.heal),
            (5, ours.cut, ours.heal),
            (8, theirs.hang, theirs.heal),
            (11, ours.hang, ours.heal),
            (14, lambda: [theirs.hang(), ours.cut()], lambda: [theirs.heal(), ours.heal()]),
        ]
        for at, harm, heal in steps:
            run.until(at)
            harm()
            run.until(at + 2)
            heal()
    run.assert_sound(healed=18)


def test_sentinel_fails_over(database: PostgreSQL, start: Any, tmp_path: Path) -> None:
    """Invariant 1: within the interval, since a replica may lack what its master acknowledged."""
    servers = start(services.sentinel())
    site = Site(database.url, replica("redis"), on_sentinel(servers))
    with crew(tmp_path, site) as run:
        run.until(2)
        servers.promote()
        servers.wait_until_replicated()
        run.until(7)
        servers.detach_replica()
        run.until(8)
        servers.attach_replica_of(servers.kill_master())
        run.until(13)
        frozen = servers.master
        frozen.stop()
        run.until(16)
        frozen.cont()
    run.assert_sound(bound=LOST_WRITE, healed=18)


def test_cluster_fails_over(database: PostgreSQL, start: Any, tmp_path: Path) -> None:
    """Invariant 1: within the interval, as with Sentinel."""
    servers = start(services.cluster())
    site = Site(database.url, replica("redis"), on_cluster(servers))
    with crew(tmp_path, site) as run:
        run.until(3)
        old = servers.kill_master_of(STREAM)
        run.until(9)
        old.restart()
        run.until(11)
        frozen = servers.master_of(STREAM)
        frozen.stop()
        run.until(15)
        frozen.cont()
    run.assert_sound(bound=LOST_WRITE, healed=18)
