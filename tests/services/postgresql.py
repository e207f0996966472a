from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.services.server import Account, Private, find_binary, serving


class PostgreSQL(Private):
    """A private server with an empty database ``site``; the user may create others."""

    @property
    def url(self) -> str:
        return self.url_of("site")

    def url_of(self, database: str, *, port: int | None = None) -> str:
        """The address of a database, as seen through ``port``: a proxy's, say."""
        return f"postgres://site:{self.password}@127.0.0.1:{port or self.port}/{database}"

    def kill(self) -> None:
        """The "immediate" shutdown: no check-point, connections cut, a recovery at the start."""
        self.server.kill(signal.SIGQUIT)

    def restart(self) -> None:
        """Again, on the same data and port."""
        self.server.restart()


@contextlib.contextmanager
def postgresql(
    *, durable: bool = False, keep: Path | None = None, like: Path | None = None
) -> Iterator[PostgreSQL]:
    """``durable``: what was committed is there again after ``kill()`` and ``restart()``.

    ``keep``: a folder for what the server held when it stopped; another begins with that by
    ``like``, sooner than by ``initdb`` and migrations.
    """
    postgres = find_binary("postgres", "/usr/lib/postgresql/*/bin/postgres", package="postgresql")
    initdb = Path(postgres).with_name("initdb")
    account = Account("postgres")
    # The port is open to every user of the machine, and a superuser of
    # PostgreSQL can run programs: no trust authentication.
    with account.folder() as folder:
        password_file, data = folder / "password", folder / "data"
        if like is None:
            account.write(password_file, secrets.token_hex(16))
            account.run(
                [
                    str(initdb),
                    f"--pgdata={data}",
                    "--username=site",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--no-locale",
                    "--no-sync",
                ],
                folder,
            )
        else:
            _copy(like, folder)
        password = password_file.read_text()

        def command(port: int) -> list[str]:
            # No power is ever cut here, so nothing needs to reach the disk. A commit that is to
            # survive the process must have reached the kernel, though.
            settings = {
                "listen_addresses": "127.0.0.1",
                "port": str(port),
                "unix_socket_directories": "",
                "fsync": "off",
                "synchronous_commit": "on" if durable else "off",
                "full_page_writes": "off",
                "max_connections": "200",
            }
            options = [part for item in settings.items() for part in ("-c", "=".join(item))]
            return [postgres, "-D", str(data), *options]

        def connect(port: int) -> None:
            execute(port, "SELECT 1")

        def execute(port: int, sql: str) -> None:
            import psycopg

            url = f"postgres://site:{password}@127.0.0.1:{port}/postgres"
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                connection.execute(sql)

        # SIGINT is the "fast" shutdown: SIGTERM would wait for the last client.
        with serving(account, folder, command, connect, end=signal.SIGINT) as server:
            if like is None:
                execute(server.port, "CREATE DATABASE site")
            yield PostgreSQL(server, password)
        if keep is not None:
            _copy(folder, keep)


def _copy(one: Path, other: Path) -> None:
    """With their owner, who is not we."""
    files = [str(one / name) for name in ("data", "password")]
    subprocess.run(["cp", "-a", *files, str(other)], check=True)
