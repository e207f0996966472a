"""One Redis for the whole folder, empty for each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jwt_revoke.backends.replica.connection import LogConnection
from tests import services
from tests.backends.replica.following import PATH
from tests.services.starting import started


@pytest.fixture(scope="package")
def redis_of_the_package() -> Iterator[Any]:
    with started(services.redis()) as server:
        yield server


@pytest.fixture
def redis(redis_of_the_package: Any) -> Any:
    """The server, its ``client()`` an administrator's."""
    with redis_of_the_package.client() as client:
        client.flushall()
    return redis_of_the_package


@pytest.fixture
def cache_in_redis(redis: Any, settings: Any) -> Any:
    """``CACHES`` as a site has it that uses django-redis."""
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis.url}
    }
    return redis


@pytest.fixture
def replica(settings: Any) -> Any:
    """``replica(**options)`` configures one and gives it."""

    def configure(**options: Any) -> Any:
        from jwt_revoke.backends.base import get_backend

        # Patient unless the test is about that: a machine that is busy testing is slow.
        options = {"timeout": 5, **options}
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": PATH, "OPTIONS": options}
        return get_backend()

    return configure


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of the log's own connections."""
    asked: list[str] = []
    rows = LogConnection.rows

    def count(self: Any, sql: str, params: Any) -> Any:
        asked.append(sql)
        return rows(self, sql, params)

    monkeypatch.setattr(LogConnection, "rows", count)
    return asked
