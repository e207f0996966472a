from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.services.redis import Redis, redis
from tests.services.server import free_port, wait_until

SLOTS: Final = 16_384
MASTERS: Final = 3
_BUS: Final = 10_000
"""A node talks to the others on its port + 10,000, unless Redis is 7 or newer and told another."""


@dataclass(frozen=True)
class Cluster:
    """Three masters that cover all slots, and a replica of each."""

    nodes: tuple[Redis, ...]

    @property
    def url(self) -> str:
        """One address to begin with; a client is told the others."""
        return self.nodes[0].url

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    @property
    def password(self) -> str:
        return self.nodes[0].password

    def master_of(self, key: str) -> Redis:
        """The server that has the slot of ``key`` now, as a live node tells it."""
        for node in self.nodes:
            with contextlib.suppress(Exception), node.client() as client:
                slot = int(_ask(client, "CLUSTER", "KEYSLOT", key))
                for first, last, master, *_ in _ask(client, "CLUSTER", "SLOTS"):
                    if int(first) <= slot <= int(last):
                        return self._node(int(master[1]))
        raise LookupError(f"nobody has the slot of {key}")

    def kill_master_of(self, key: str) -> Redis:
        """Returns the dead server when its replica has the slot, and all slots are served."""
        old = self.master_of(key)
        old.kill()
        wait_until(lambda: self.master_of(key) is not old, f"a new master for {key}")
        self.wait_until_covered()
        return old

    def wait_until_covered(self) -> None:
        """Until every live node says that all slots are served."""

        def covered() -> bool:
            states = []
            for node in self.nodes:
                if node.server.process.poll() is None:
                    with node.client() as client:
                        states.append("cluster_state:ok" in str(_ask(client, "CLUSTER", "INFO")))
            return bool(states) and all(states)

        wait_until(covered, "a cluster that serves all slots")

    def _node(self, port: int) -> Redis:
        return next(node for node in self.nodes if node.port == port)


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    password = secrets.token_hex(16)
    settings = [
        f"masterauth {password}",
        "cluster-enabled yes",
        "cluster-config-file nodes.conf",
        "cluster-node-timeout 1000",
        # The first election need not wait for a replica to have been connected for long.
        "cluster-replica-validity-factor 0",
        "repl-diskless-sync-delay 0",
    ]
    with contextlib.ExitStack() as stack:
        nodes = tuple(
            stack.enter_context(
                redis(*settings, password=password, choose_port=_port_with_another_for_the_bus)
            )
            for _ in range(2 * MASTERS)
        )
        made = Cluster(nodes)
        _assemble(made)
        yield made


def _assemble(made: Cluster) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(node.client()) for node in made.nodes]
        ids = [str(_ask(client, "CLUSTER", "MYID")) for client in clients]
        for epoch, client in enumerate(clients, start=1):
            # Each its own from the start: nodes that share one settle it by gossip, which takes
            # seconds.
            _ask(client, "CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for node in made.nodes[1:]:
            _ask(clients[0], "CLUSTER", "MEET", "127.0.0.1", node.port)
        for index, client in enumerate(clients[:MASTERS]):
            slots = range(index * SLOTS // MASTERS, (index + 1) * SLOTS // MASTERS)
            _ask(client, "CLUSTER", "ADDSLOTS", *slots)
        wait_until(
            lambda: all(_knows(client, len(made.nodes)) for client in clients),
            "nodes that know each other",
        )
        for index, client in enumerate(clients[MASTERS:]):
            _ask(client, "CLUSTER", "REPLICATE", ids[index])
        made.wait_until_covered()
        wait_until(
            lambda: all(
                client.info("replication")["master_link_status"] == "up"
                for client in clients[MASTERS:]
            ),
            "replicas in step",
        )


def _knows(client: Any, count: int) -> bool:
    return f"cluster_known_nodes:{count}" in str(_ask(client, "CLUSTER", "INFO"))


def _ask(client: Any, *command: Any) -> Any:
    """As Redis answers it: redis-py would parse some of these, and differently by release."""
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command(*command)
        return connection.read_response()
    finally:
        client.connection_pool.release(connection)


def _port_with_another_for_the_bus() -> int:
    while True:
        port = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
            probe.bind(("127.0.0.1", port + _BUS))
            return port
