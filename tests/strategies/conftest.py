"""Backends to follow a strategy with, and a second process of the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jwt_revoke.backends.base import get_backend
from tests.backends.replica.following import PATH, until_ready
from tests.backends.replica.in_redis import cache_in_redis, redis, redis_of_the_package
from tests.strategies.neighbour import Neighbour

__all__ = ["cache_in_redis", "redis", "redis_of_the_package"]


@pytest.fixture
def stateless(settings: Any) -> None:
    path = "jwt_revoke.backends.stateless.StatelessBackend"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}


@pytest.fixture
def replica(transactional_db: Any, settings: Any) -> Iterator[Callable[..., Any]]:
    """``replica(**options)`` configures one and gives it, loaded.

    A test in which the database backend has answered for it fails: that is not what it shows.
    """
    followed = []

    def configure(**options: Any) -> Any:
        # Patient: a machine that is busy testing is slow.
        options = {"timeout": 5, **options}
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": PATH, "OPTIONS": options}
        backend: Any = get_backend()
        until_ready(backend)
        followed.append(backend)
        return backend

    yield configure
    assert [backend.fallbacks for backend in followed] == [0] * len(followed)


@pytest.fixture
def neighbour(transactional_db: Any, settings: Any) -> Iterator[Callable[[], Neighbour]]:
    """``neighbour()`` starts another process of the site, configured as this one is."""
    started: list[Neighbour] = []

    def start() -> Neighbour:
        started.append(Neighbour())
        started[-1].configure(settings)
        return started[-1]

    yield start
    for process in started:
        process.close()
