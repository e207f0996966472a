"""Redis Cluster, which django-redis has no connection factory for.

CACHES["jwt_revoke"] = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": "redis://node-1:6379/0",
    "OPTIONS": {
        "CONNECTION_FACTORY": "jwt_revoke.backends.replica.cluster.ClusterConnectionFactory",
    },
}
"""

from __future__ import annotations

from typing import Any

from django_redis.pool import ConnectionFactory  # type: ignore[import-untyped]  # has no types
from redis.cluster import RedisCluster


class ClusterConnectionFactory(ConnectionFactory):  # type: ignore[misc]  # nor has this
    """Clients of a cluster, found from any of its nodes."""

    def connect(self, url: str) -> Any:
        """A client for the cache itself; one for each URL and process, as the pools are."""
        client: Any = self._pools.get(url)
        if client is None:
            client = self._pools[url] = self._client(url)
        return client

    def disconnect(self, connection: Any) -> None:
        """Close the connections to every node."""
        connection.close()

    def connection_for(self, location: str, key: str) -> Any:
        """A connection of one's own to the master that holds ``key`` at this moment."""
        cluster = self._client(location)
        try:
            node = cluster.get_node_from_key(key)
            pool = node.redis_connection.connection_pool
            connection = pool.connection_class(**pool.connection_kwargs)
        finally:
            cluster.close()
        return connection

    def _client(self, url: str) -> Any:
        parameters = self.make_connection_params(url)
        parameters.pop("parser_class")  # the cluster's own knows MOVED
        return RedisCluster.from_url(**{**parameters, **self.pool_cls_kwargs})
