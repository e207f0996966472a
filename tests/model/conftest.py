"""The surroundings of every world."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from jwt_revoke.backends.replica import reporting
from tests.backends.replica.in_redis import cache_in_redis, redis, redis_of_the_package
from tests.model.world import World

__all__ = ["cache_in_redis", "redis", "redis_of_the_package"]


@pytest.fixture(autouse=True)
def surroundings(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One clock for all; no writes but those of the machine; and no waiting for a disk."""
    # A report from another thread would have SQLite refuse one of ours at random.
    monkeypatch.setattr(reporting, "_FIRST", 3600.0)
    connection_created.connect(_hurried)
    connection.close()
    with World.clock.ticking_for_all():
        yield
    connection_created.disconnect(_hurried)
    connection.close()


def _hurried(connection: Any, **_: Any) -> None:
    """What is committed here need not survive a power failure."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute("PRAGMA journal_mode = MEMORY")
