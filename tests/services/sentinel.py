from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.services.redis import Redis, redis, running
from tests.services.server import wait_until

SERVICE: Final = "site"
QUORUM: Final = 2


@dataclass(frozen=True)
class Sentinel:
    """A master, a replica, and three sentinels that agree on who is which.

    ``first`` and ``second`` are the two servers: the master at the start, and its replica.
    """

    first: Redis
    second: Redis
    sentinels: tuple[Redis, ...]
    service: str = SERVICE

    @property
    def password(self) -> str:
        """Of the servers and of the sentinels."""
        return self.first.password

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", sentinel.port) for sentinel in self.sentinels]

    @property
    def master(self) -> Redis:
        """Whom most of the sentinels take for it."""
        ports = [_state(sentinel)["port"] for sentinel in self.sentinels]
        port = int(max(ports, key=ports.count))
        return self.first if self.first.port == port else self.second

    @property
    def replica(self) -> Redis:
        return self.second if self.master is self.first else self.first

    def promote(self) -> None:
        """``SENTINEL FAILOVER``: the orderly one. Returns when all know the new master."""
        old = self.master

        def asked() -> bool:
            # An error while the replica is one that has only just come back.
            with self.sentinels[0].client() as client:
                client.execute_command("SENTINEL FAILOVER", SERVICE)
            return True

        wait_until(asked, "a replica fit to be promoted")
        self.wait_for_other_master(old)

    def kill_master(self) -> Redis:
        """The disorderly one. Returns the dead server when all know the new master."""
        old = self.master
        old.kill()
        self.wait_for_other_master(old)
        return old

    def wait_for_other_master(self, old: Redis) -> None:
        def elected() -> bool:
            states = [_state(sentinel) for sentinel in self.sentinels]
            if any(int(state["port"]) == old.port for state in states):
                return False
            with self.master.client() as client:
                return client.info("replication")["role"] == "master"

        wait_until(elected, "a new master")

    def wait_until_replicated(self) -> None:
        """Whatever happened: one master, one replica in step with it."""

        def whole() -> bool:
            with self.replica.client() as client:
                found = client.info("replication")
            return (
                found["role"] == "slave"
                and found["master_port"] == self.master.port
                and found["master_link_status"] == "up"
            )

        wait_until(whole, "a replica in step")

    def detach_replica(self) -> None:
        """The master goes on acknowledging what its replica never hears of.

        Without this, a master that is killed has mostly sent all that it acknowledged, and a
        fail-over would lose nothing.
        """
        replica = self.replica
        replica.configure(masterauth="wrong")
        with self.master.client() as client:
            client.execute_command("CLIENT KILL TYPE replica")
        wait_until(lambda: _link(replica) == "down", "a replica that lost its master")

    def attach_replica_of(self, old: Redis) -> None:
        """``old``: the master that was. It comes back, empty, and follows the new one."""
        self.master.configure(masterauth=self.password)
        old.restart()


@contextlib.contextmanager
def sentinel() -> Iterator[Sentinel]:
    password = secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        authenticated = f"masterauth {password}"
        # No wait for more replicas before the one there is gets its copy.
        first = stack.enter_context(
            redis(authenticated, "repl-diskless-sync-delay 0", password=password)
        )
        second = stack.enter_context(
            redis(
                authenticated,
                "repl-diskless-sync-delay 0",
                f"replicaof 127.0.0.1 {first.port}",
                password=password,
            )
        )
        # A sentinel that finds none would ask the master again only later.
        wait_until(lambda: _link(second) == "up", "a replica in step")
        settings = [
            f"sentinel monitor {SERVICE} 127.0.0.1 {first.port} {QUORUM}",
            f"sentinel auth-pass {SERVICE} {password}",
            f"sentinel down-after-milliseconds {SERVICE} 500",
            f"sentinel failover-timeout {SERVICE} 3000",
            f"sentinel parallel-syncs {SERVICE} 1",
        ]
        watchers = [
            stack.enter_context(running(settings, password, "--sentinel")) for _ in range(3)
        ]
        for watcher in watchers:
            _hurry(watcher)
        made = Sentinel(first, second, tuple(watchers))
        wait_until(lambda: all(map(_is_complete, watchers)), "sentinels that know each other")
        yield made


def _hurry(sentinel: Redis) -> None:
    """By default it asks the servers every 10 s who they are, which is how long a master that
    came back goes on believing that it is one. Redis before 7 has no such command."""
    import redis as library

    with contextlib.suppress(library.ResponseError), sentinel.client() as client:
        client.execute_command("SENTINEL DEBUG", "info-period", 500, "publish-period", 300)


def _state(sentinel: Redis) -> dict[str, Any]:
    with sentinel.client() as client:
        found = client.execute_command("SENTINEL MASTER", SERVICE)
    # By RESP2 a flat list, which redis-py leaves as it is or not, by release.
    return found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))


def _is_complete(sentinel: Redis) -> bool:
    state = _state(sentinel)
    return (int(state["num-slaves"]), int(state["num-other-sentinels"])) == (1, 2)


def _link(replica: Redis) -> Any:
    with replica.client() as client:
        return client.info("replication")["master_link_status"]
