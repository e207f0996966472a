"""One Redis for a whole folder of tests, empty for each that asks; a conftest.py imports these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import services
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
