from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tests.services.server import Account, Private, find_binary, free_port, serving

if TYPE_CHECKING:
    from redis import Redis as Client


class Redis(Private):
    """A private server that keeps nothing on disk unless it is told to ``save()``."""

    @property
    def url(self) -> str:
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The address as seen through ``port``: a proxy's, say."""
        return f"redis://:{self.password}@127.0.0.1:{port}/0"

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """An operator's connection, past any proxy."""
        with connected(self.port, self.password) as client:
            yield client

    def configure(self, **values: Any) -> None:
        """``CONFIG SET``, underscores for hyphens. A restart forgets it."""
        with self.client() as client:
            for name, value in values.items():
                client.config_set(name.replace("_", "-"), value)

    def save(self) -> None:
        """A dump, from which ``restart(empty=False)`` begins."""
        with self.client() as client:
            client.save()

    def kill(self) -> None:
        """SIGKILL: what is in memory is gone."""
        self.server.kill()

    def restart(self, *, empty: bool = True) -> None:
        """Again, on the same port, with nothing or with what was last saved."""
        self.server.kill()
        if empty:
            (self.server.folder / "dump.rdb").unlink(missing_ok=True)
        self.server.restart()


@contextlib.contextmanager
def redis(
    *settings: str, password: str | None = None, choose_port: Callable[[], int] = free_port
) -> Iterator[Redis]:
    """An empty server; ``settings`` are further lines of its configuration."""
    lines = ['save ""', "appendonly no", *settings]
    with running(lines, password or secrets.token_hex(16), choose_port=choose_port) as server:
        yield server


@contextlib.contextmanager
def running(
    settings: Sequence[str],
    password: str,
    *arguments: str,
    choose_port: Callable[[], int] = free_port,
) -> Iterator[Redis]:
    """The binary with nothing but that configuration: a server, a sentinel or a cluster's node."""
    binary = find_binary("redis-server", package="redis-server")
    account = Account("redis")

    with account.folder() as folder:
        config = folder / "redis.conf"

        def command(port: int) -> list[str]:
            # In a file, as an argument would show the password to every user of the machine.
            own = [f"port {port}", "bind 127.0.0.1", f"requirepass {password}", f"dir {folder}"]
            account.write(config, "\n".join([*own, *settings]) + "\n")
            return [binary, str(config), *arguments]

        def connect(port: int) -> None:
            with connected(port, password) as client:
                client.ping()

        with serving(account, folder, command, connect, choose_port=choose_port) as server:
            yield Redis(server, password)


@contextlib.contextmanager
def connected(port: int, password: str) -> Iterator[Client]:
    """Bounded, so that a frozen server fails a test instead of hanging it."""
    import redis as library
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    with library.Redis(
        port=port,
        password=password,
        socket_timeout=5,
        socket_connect_timeout=5,
        # Its own ten retries would make every look at a dead server last seconds.
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    ) as client:
        yield client
