"""The database is away, is set back, or is kept busy; the replica stays strict, or closed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import services
from tests.faults.crew import LIMIT, Run, crew
from tests.faults.records import Refresh, Revocation
from tests.faults.site import Site, on_redis, replica
from tests.services.postgresql import PostgreSQL
from tests.services.redis import Redis

LOGS = pytest.mark.parametrize("log", ["database", "redis"])


@pytest.fixture
def database(start: Any, made: Path) -> PostgreSQL:
    """What was committed survives ``kill()``: here the log may not lose what it acknowledged."""
    server: PostgreSQL = start(services.postgresql(durable=True, like=made))
    return server


def on(url: str, log: str, redis: Redis) -> Site:
    return Site(url, replica(log), on_redis(redis.url))


@LOGS
def test_away(log: str, database: PostgreSQL, redis: Redis, start: Any, tmp_path: Path) -> None:
    """Invariant 4. Cut off, then down and up again."""
    wire = start(services.proxy(database.port))
    with crew(tmp_path, on(database.url_of("site", port=wire.port), log, redis)) as run:
        run.until(3)
        wire.cut()
        run.until(7)
        wire.heal()
        run.until(11)
        database.kill()
        run.until(14)
        database.restart()
    run.assert_sound(healed=17)


def test_frozen(database: PostgreSQL, redis: Redis, tmp_path: Path) -> None:
    """Invariant 4, as far as it goes: nothing bounds a wait for a server that is connected and
    mute (the kernel acknowledges for it), so that a site's requests last as long as the freeze."""
    frozen = 3.0
    with crew(tmp_path, on(database.url, "database", redis)) as run:
        run.until(4)
        database.stop()
        run.until(4 + frozen)
        database.cont()
    run.assert_sound(healed=4 + frozen + 3, limit=frozen + LIMIT)


def test_both_away(database: PostgreSQL, redis: Redis, start: Any, tmp_path: Path) -> None:
    """Invariant 4: who can't know answers 503."""
    wire = start(services.proxy(database.port))
    with crew(tmp_path, on(database.url_of("site", port=wire.port), "redis", redis)) as run:
        run.until(3)
        redis.kill()
        wire.cut()
        run.until(6)
        wire.heal()
        run.until(7)
        redis.restart()
        run.until(10)
        redis.stop()
        database.kill()
        run.until(13)
        redis.cont()
        run.until(14)
        database.restart()
    assert_closed(run, 3.6, 6)
    assert_closed(run, 10.6, 13)
    run.assert_sound(healed=17)


def assert_closed(run: Run, first: float, last: float) -> None:
    """Nobody was let in between those moments, in seconds after the start."""
    meanwhile = [
        one for one in run.records if run.began + first < one.start and one.end < run.began + last
    ]
    assert meanwhile
    assert [one for one in meanwhile if one.status != 503] == []


@LOGS
def test_set_back_to_an_earlier_dump(
    log: str, database: PostgreSQL, redis: Redis, tmp_path: Path
) -> None:
    """Invariant 6. What was revoked since the dump is forgotten, until everyone is revoked."""
    with crew(tmp_path, on(database.url, log, redis)) as run:
        address = database.url_of("postgres")
        with psycopg.connect(address, autocommit=True) as operator:
            run.until(4)
            dumped = copy(operator, "site", "earlier")
            run.until(9)
            restored = copy(operator, "earlier", "site")
        run.until(11)
        # As the operator is told to, by the docs and by the alarm in the log.
        run.tell({"do": "revoke everyone"}, run.writers[0])
    (everyone,) = [one for one in run.records if is_for_everyone(one)]
    assert everyone.acknowledged
    lost = {one for one in run.records if is_lost(one, dumped, everyone)}
    run.records = [replace(one, until=restored) if one in lost else one for one in run.records]
    assert len(lost) > 20
    run.assert_sound(healed=13, may_refuse=True)


def copy(operator: psycopg.Connection[Any], source: str, target: str) -> float:
    """The moment before which ``target`` was not yet what ``source`` is."""
    moment = time.monotonic()
    for database in ("site", source):
        operator.execute(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS false")
        operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database]
        )
    operator.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
    operator.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
    operator.execute("ALTER DATABASE site WITH ALLOW_CONNECTIONS true")
    return moment


def is_for_everyone(one: Any) -> bool:
    return isinstance(one, Revocation) and one.scope == "everyone"


def is_lost(one: Any, dumped: float, everyone: Revocation) -> bool:
    """Whether the dump may not hold it, or it was begun before the operator had mended that."""
    return (
        isinstance(one, Revocation | Refresh)
        and one is not everyone
        and one.end >= dumped
        and one.start <= everyone.end
    )


@LOGS
def test_long_transactions_beside(
    log: str, database: PostgreSQL, redis: Redis, tmp_path: Path
) -> None:
    """Invariant 1. One that began before all, and revocations that are committed late."""
    with crew(tmp_path, on(database.url, log, redis)) as run, psycopg.connect(database.url) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("SELECT count(*) FROM jwt_revoke_revocation")
        old.execute("SELECT pg_current_xact_id()")
        run.tell({"do": "linger", "seconds": 1.5}, *run.writers[:2])
        run.until(19)
    run.assert_sound(healed=0)
