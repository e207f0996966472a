"""What a test may do to a server, and what the server's clients see of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis as library
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests import services
from tests.services.cluster import SLOTS, Cluster
from tests.services.postgresql import PostgreSQL
from tests.services.proxy import Proxy
from tests.services.redis import Redis
from tests.services.sentinel import Sentinel

# Once is enough: nothing here depends on the database of a stage.
pytestmark = pytest.mark.faults

KEY = "{jwt_revoke}:log"


@pytest.fixture
def postgresql(start: Any) -> PostgreSQL:
    server: PostgreSQL = start(services.postgresql(durable=True))
    return server


@pytest.fixture
def impatient(redis: Redis) -> Iterator[library.Redis]:
    """A client that waits a moment and tries nothing again."""
    with library.Redis.from_url(
        redis.url, socket_timeout=0.2, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0)
    ) as client:
        yield client


def keys_of(redis: Redis) -> int:
    with redis.client() as client:
        return int(client.dbsize())


def test_redis_killed_refuses_and_comes_back_empty(redis: Redis, impatient: Any) -> None:
    impatient.set("a", 1)
    redis.kill()
    with pytest.raises(library.ConnectionError):
        impatient.ping()
    redis.restart()
    assert impatient.ping()
    assert keys_of(redis) == 0


def test_redis_comes_back_with_what_was_saved(redis: Redis, impatient: Any) -> None:
    impatient.set("a", 1)
    redis.save()
    impatient.set("b", 1)
    redis.restart(empty=False)
    assert keys_of(redis) == 1
    redis.restart()
    assert keys_of(redis) == 0


def test_redis_frozen_answers_nobody_until_it_goes_on(redis: Redis, impatient: Any) -> None:
    impatient.set("a", 1)
    redis.stop()
    with pytest.raises(library.TimeoutError):
        impatient.ping()
    redis.cont()
    assert impatient.get("a") == b"1"


def test_redis_frozen_is_ended_all_the_same(redis: Redis) -> None:
    redis.stop()
    redis.restart()
    redis.stop()


def test_redis_is_configured_while_it_runs(redis: Redis) -> None:
    redis.configure(maxmemory="50mb", maxmemory_policy="allkeys-lru")
    with redis.client() as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}


def rows(url: str) -> Any:
    with psycopg.connect(url, connect_timeout=2) as connection:
        return connection.execute("SELECT count(*) FROM kept").fetchall()


def test_postgresql_killed_cuts_its_clients_and_keeps_what_was_committed(
    postgresql: PostgreSQL,
) -> None:
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (a integer)")
        connection.execute("INSERT INTO kept VALUES (1)")
        postgresql.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        rows(postgresql.url)
    postgresql.restart()
    assert rows(postgresql.url) == [(1,)]


def test_postgresql_frozen_answers_nobody_until_it_goes_on(postgresql: PostgreSQL) -> None:
    """Neither who comes anew nor who is connected: its processes are frozen too."""
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        answered = threading.Event()

        def ask() -> None:
            connection.execute("SELECT 1")
            answered.set()

        postgresql.stop()
        asking = threading.Thread(target=ask)
        asking.start()
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            psycopg.connect(postgresql.url, connect_timeout=2)
        assert not answered.is_set()
        postgresql.cont()
        asking.join(5)
        assert answered.is_set()


@pytest.fixture
def wire() -> Iterator[Proxy]:
    """To a server that says everything twice."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket) -> None:
            with client:
                while data := client.recv(100):
                    client.sendall(data * 2)

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=[client], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        with services.proxy(listener.getsockname()[1]) as made:
            yield made
        listener.shutdown(socket.SHUT_RDWR)


def connected(wire: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", wire.port), timeout=0.3)


def test_a_wire_carries_both_ways(wire: Proxy) -> None:
    with connected(wire) as client:
        client.sendall(b"ab")
        assert client.recv(10) == b"abab"


def test_a_wire_that_is_cut_closes_and_refuses_until_it_is_healed(wire: Proxy) -> None:
    with connected(wire) as client:
        client.sendall(b"a")
        client.recv(10)
        wire.cut()
        wire.cut()
        assert client.recv(10) == b""
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            connected(wire)
    wire.heal()
    test_a_wire_carries_both_ways(wire)


def test_a_wire_that_hangs_accepts_and_delivers_late(wire: Proxy) -> None:
    with connected(wire) as old:
        old.sendall(b"a")
        old.recv(10)
        wire.hang()
        with connected(wire) as new:
            for client in (old, new):
                client.sendall(b"b")
                with pytest.raises(TimeoutError):
                    client.recv(10)
            wire.heal()
            assert (old.recv(10), new.recv(10)) == (b"bb", b"bb")


def test_a_wire_that_hangs_can_be_cut(wire: Proxy) -> None:
    wire.hang()
    with connected(wire) as client:
        wire.cut()
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""
        with pytest.raises(ConnectionRefusedError):
            connected(wire)
    wire.heal()
    test_a_wire_carries_both_ways(wire)


@pytest.fixture
def sentinel(start: Any) -> Sentinel:
    servers: Sentinel = start(services.sentinel())
    return servers


def test_sentinels_promote_the_replica_in_order_and_again(sentinel: Sentinel) -> None:
    for _ in range(2):
        old = sentinel.master
        with old.client() as client:
            client.incr("kept")
            client.wait(1, 2000)
        sentinel.promote()
        sentinel.wait_until_replicated()
        assert sentinel.replica is old
    with sentinel.master.client() as client:
        assert client.get("kept") == "2"


def test_a_master_that_dies_takes_with_it_what_its_replica_never_heard(sentinel: Sentinel) -> None:
    with sentinel.master.client() as client:
        client.set("kept", 1)
        client.wait(1, 2000)
        sentinel.detach_replica()
        client.set("lost", 1)
    old = sentinel.kill_master()
    sentinel.attach_replica_of(old)
    sentinel.wait_until_replicated()
    with sentinel.master.client() as client:
        assert client.keys() == ["kept"]


def test_a_master_that_freezes_is_replaced_and_then_follows(sentinel: Sentinel) -> None:
    old = sentinel.master
    old.stop()
    sentinel.wait_for_other_master(old)
    old.cont()
    sentinel.wait_until_replicated()
    assert sentinel.replica is old


def test_a_cluster_serves_all_slots_also_when_a_master_dies(start: Any) -> None:
    cluster: Cluster = start(services.cluster())
    with library.RedisCluster.from_url(cluster.url, decode_responses=True) as client:
        for number in range(50):
            client.set(f"key{number}", number)
        assert client.keyslot(KEY) < SLOTS
        old = cluster.kill_master_of(KEY)
        assert cluster.master_of(KEY) is not old
        client.set(KEY, "kept")
        assert client.get(KEY) == "kept"
    old.restart()
    cluster.wait_until_covered()
