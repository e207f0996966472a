"""A database of its own, and a number of Redis's, for a contender whose rows are counted."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import redis
from django.db import connection

from benchmarks.contenders.base import Contender

_OTHERS: Final = range(1, 64)
"""Redis's databases but the first, which is the main process's."""
_numbers: Final = itertools.count()


@contextlib.contextmanager
def own_databases(contender: Contender) -> Iterator[dict[str, str]]:
    """The environment for processes that are to be that contender there; empty, not migrated."""
    number = next(_numbers)
    name = f"bench_{number}"
    redis_url = _at(os.environ["REDIS_URL"], str(_OTHERS[number % len(_OTHERS)]))
    with contextlib.closing(redis.Redis.from_url(redis_url)) as client:
        client.flushdb()
    _execute(f"CREATE DATABASE {name}")
    try:
        yield {
            **contender.environment,
            "DATABASE_URL": _at(os.environ["DATABASE_URL"], name),
            "REDIS_URL": redis_url,
        }
    finally:
        _execute(f"DROP DATABASE {name} WITH (FORCE)")


def _at(url: str, path: str) -> str:
    return urlsplit(url)._replace(path=f"/{path}").geturl()


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
