"""The database is MariaDB, and is cut off and killed; on either log, as on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.faults.crew import crew
from tests.faults.site import Site, on_redis, replica
from tests.services.mariadb import MariaDB
from tests.services.redis import Redis

pytestmark = pytest.mark.mariadb


@pytest.fixture
def database(start: Any) -> MariaDB:
    """What was committed survives ``kill()``. Empty: each process of pytest's would have to make a
    site to copy, for one test of its own."""
    server: MariaDB = start(services.mariadb(durable=True))
    return server


def test_away_with_its_own_log(database: MariaDB, start: Any, tmp_path: Path) -> None:
    """Invariants 1, 4 and 5. Cut off, then down and up again."""
    wire = start(services.proxy(database.port))
    with crew(tmp_path, Site(database.url_at(wire.port), replica("database"))) as run:
        run.until(3)
        wire.cut()
        run.until(6)
        wire.heal()
        run.until(10)
        database.kill()
        run.until(13)
        database.restart()
    run.assert_sound(healed=17)


def test_killed_while_redis_loses_its_stream(
    database: MariaDB, redis: Redis, tmp_path: Path
) -> None:
    """Invariants 1, 3 and 5. The log comes from Redis, which loses it; then the database dies too,
    amid what it was committing."""
    with crew(tmp_path, Site(database.url, replica("redis"), on_redis(redis.url))) as run:
        run.until(2)
        with redis.client() as client:
            for _ in run.every(0.5, until=8):
                client.flushall()
        for kill, restart in [(8, 8), (12, 14)]:
            run.until(kill)
            database.kill()
            run.until(restart)
            database.restart()
    run.assert_sound(healed=17)
