"""How a process sees the site: which database, which cache, which backend under test."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.services.cluster import Cluster
from tests.services.sentinel import Sentinel

RECONCILE_INTERVAL: Final = 1.0
LOST_WRITE: Final = RECONCILE_INTERVAL + 0.25
"""The bound where Redis may lose what it acknowledged, and what measuring it adds."""
GRACE: Final = 3.0
"""Seconds of ``REFRESH_GRACE``: so short that a run has replays after it too."""
STREAM: Final = "{jwt_revoke}:log"


@dataclass(frozen=True)
class Site:
    """What a process is told in its environment."""

    database: str
    backend: Mapping[str, Any]
    cache: Mapping[str, Any] | None = None
    planted: str = ""
    """A defect of ``tests.faults.planted``."""

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "DATABASE_URL": self.database,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "FAULTS_BACKEND": json.dumps(self.backend),
        }
        if self.cache is not None:
            own["FAULTS_CACHE"] = json.dumps(self.cache)
        if self.planted:
            own["FAULTS_PLANTED"] = f"tests.faults.planted.{self.planted}"
        # Coverage would halve the pace, and what is covered would depend on a fault's moment.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COVERAGE_", "COV_", "FAULTS_", "TEST_"))
        }
        return inherited | own


def replica(log: str, **options: Any) -> Mapping[str, Any]:
    """The backend under test, strict, following that log.

    FAULTS_BACKEND in the environment puts another in its place: the database's passes all of
    this, which is how the suite itself is judged.
    """
    if "FAULTS_BACKEND" in os.environ:
        other: Mapping[str, Any] = json.loads(os.environ["FAULTS_BACKEND"])
        return other
    return {
        "BACKEND": "jwt_revoke.backends.replica.ReplicaBackend",
        "OPTIONS": {
            "log": log,
            "max_staleness": 0,
            "reconcile_interval": RECONCILE_INTERVAL,
            "timeout": 0.3,
            **options,
        },
    }


def on_redis(url: str) -> Mapping[str, Any]:
    """A cache on one server."""
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}


def on_sentinel(sentinel: Sentinel) -> Mapping[str, Any]:
    """A cache on whichever server the sentinels name, as django-redis documents it."""
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"redis://{sentinel.service}/0",
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.SentinelClient",
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            "SENTINELS": sentinel.addresses,
            "SENTINEL_KWARGS": {"password": sentinel.password},
            "PASSWORD": sentinel.password,
        },
    }


def on_cluster(cluster: Cluster) -> Mapping[str, Any]:
    """A cache on a cluster, by the connection factory that comes with the replica."""
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": cluster.url,
        "OPTIONS": {
            "CONNECTION_FACTORY": "jwt_revoke.backends.replica.cluster.ClusterConnectionFactory",
        },
    }
