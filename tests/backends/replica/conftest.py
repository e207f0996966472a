"""What the tests of the replica share."""

from __future__ import annotations

from typing import Any

import pytest

from jwt_revoke.backends.replica.connection import LogConnection
from tests.backends.replica.following import PATH
from tests.backends.replica.in_redis import cache_in_redis, redis, redis_of_the_package

__all__ = ["cache_in_redis", "redis", "redis_of_the_package"]


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
