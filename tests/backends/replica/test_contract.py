"""One contract over every kind of replica, on whatever database the suite runs."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tests.backends.contract import BackendContract, OpaqueSubject
from tests.backends.replica.following import Following

# Committed for real: the log's own connection sees nothing else.
pytestmark = pytest.mark.django_db(transaction=True)


class TestFollowingTheDatabase(Following, BackendContract):
    """Strict: one round trip each, and no Redis at all."""


@pytest.mark.once
class TestFollowingTheDatabaseByAnOpaqueId(OpaqueSubject, TestFollowingTheDatabase):
    """The log names users by their keys; what a token says is looked up."""


class TestFollowingRedis(Following, BackendContract):
    """Strict, by Redis's stream."""

    options: ClassVar[dict[str, Any]] = {"log": "redis"}

    @pytest.fixture(autouse=True)
    def configured(self, settings: Any, redis: Any) -> None:
        settings.CACHES = {
            "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis.url}
        }
        path = f"{self.backend.__module__}.{self.backend.__qualname__}"
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path, "OPTIONS": self.options}


class TestFollowingRedisThatIsAway(Following, BackendContract):
    """Nobody listens there: the database's log answers, as strictly."""

    options: ClassVar[dict[str, Any]] = {"log": "redis", "reconcile_interval": 0.1}

    @pytest.fixture(autouse=True)
    def configured(self, settings: Any) -> None:
        settings.CACHES = {
            "default": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": "redis://127.0.0.1:1/0",
                "OPTIONS": {"IGNORE_EXCEPTIONS": True},
            }
        }
        path = f"{self.backend.__module__}.{self.backend.__qualname__}"
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path, "OPTIONS": self.options}
