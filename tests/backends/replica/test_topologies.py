"""Redis behind Sentinel, and Redis Cluster: the same contract, on real ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from jwt_revoke import api
from jwt_revoke.backends.replica.stream import Stream, StreamAway
from jwt_revoke.exceptions import TokenRevoked
from jwt_revoke.testing import Device
from tests.backends.contract import claims_of
from tests.backends.replica.following import check_by_copy
from tests.services.cluster import cluster
from tests.services.sentinel import sentinel
from tests.services.starting import started

pytestmark = [pytest.mark.once, pytest.mark.redis, pytest.mark.django_db(transaction=True)]

CLUSTER = "jwt_revoke.backends.replica.cluster.ClusterConnectionFactory"
KEY = "{jwt_revoke}:log"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Any]:
    with started(sentinel()) as running:
        yield running


@pytest.fixture(scope="module")
def spread() -> Iterator[Any]:
    with started(cluster()) as running:
        yield running


@pytest.fixture
def by_sentinel(guarded: Any, settings: Any) -> Any:
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://{guarded.service}/0",
            "OPTIONS": {
                "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
                "SENTINELS": guarded.addresses,
                "PASSWORD": guarded.password,
                "SENTINEL_KWARGS": {"password": guarded.password},
            },
        }
    }
    return guarded


@pytest.fixture
def by_cluster(spread: Any, settings: Any) -> Any:
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": spread.url,
            "OPTIONS": {"CONNECTION_FACTORY": CLUSTER},
        }
    }
    return spread


class Contract:
    options: ClassVar[dict[str, Any]] = {"log": "redis", "reconcile_interval": 5.0}

    def test_a_revocation_is_seen_by_the_next_check(
        self, replica: Any, phone: Device, laptop: Device
    ) -> None:
        """Invariant 1."""
        backend = replica(**self.options)
        api.revoke_token(claims_of(phone, jti="makes the log begin"))
        check_by_copy(claims_of(phone))
        api.end_session(phone.session_id)
        with pytest.raises(TokenRevoked):
            check_by_copy(claims_of(phone))
        assert check_by_copy(claims_of(laptop)) is None
        assert backend._log.connected

    def test_the_stream_holds_what_was_published(self, replica: Any, phone: Device) -> None:
        replica(**self.options)
        api.end_session(phone.session_id)
        found = Stream("default", KEY, 3).newest()
        assert found is not None


@pytest.mark.usefixtures("by_sentinel")
class TestSentinel(Contract):
    pass


@pytest.mark.usefixtures("by_cluster")
class TestCluster(Contract):
    pass


def test_after_a_fail_over_the_new_master_is_followed(
    replica: Any, by_sentinel: Any, phone: Device, laptop: Device
) -> None:
    backend = replica(log="redis", reconcile_interval=0.5)
    api.end_session(laptop.session_id)
    check_by_copy(claims_of(phone))
    by_sentinel.promote()
    api.end_session(phone.session_id)
    with pytest.raises(TokenRevoked):
        check_by_copy(claims_of(phone))
    with pytest.raises(TokenRevoked):
        check_by_copy(claims_of(laptop))
    assert backend.options.log == "redis"


def test_the_node_that_lost_the_key_s_slot_is_as_good_as_away(by_cluster: Any) -> None:
    """MOVED: who serves the key now is asked of the cluster, for a new connection."""
    stream = Stream("default", KEY, 3)

    def ask_for_other_keys() -> None:
        for name in range(50):  # one of three masters holds them all by chance alone
            stream._key = f"another slot {name}"
            stream.newest()

    with pytest.raises(StreamAway):
        ask_for_other_keys()


def test_the_cache_itself_works_on_a_cluster(by_cluster: Any) -> None:
    from django.core.cache import cache

    cache.set("jwt_revoke:counted", 1, 60)
    assert cache.incr("jwt_revoke:counted") == 2
    client = cache.client.get_client()
    assert cache.client.connect() is client  # one for each process, as pools are
    cache.client.disconnect()
    assert client is not None
