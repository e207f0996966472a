from __future__ import annotations

import contextlib
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.services.server import Account, find_binary, serving


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Yields postgres://… of an empty database; the user may create others."""
    postgres = find_binary("postgres", "/usr/lib/postgresql/*/bin/postgres", package="postgresql")
    initdb = Path(postgres).with_name("initdb")
    account = Account("postgres")
    # The port is open to every user of the machine, and a superuser of
    # PostgreSQL can run programs: no trust authentication.
    password = secrets.token_hex(16)

    with account.folder() as folder:
        password_file = folder / "password"
        password_file.write_text(password)
        data = folder / "data"
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

        def command(port: int) -> list[str]:
            # Durability is of no use to a database that is thrown away.
            settings = {
                "listen_addresses": "127.0.0.1",
                "port": str(port),
                "unix_socket_directories": "",
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "max_connections": "200",
            }
            options = [part for item in settings.items() for part in ("-c", "=".join(item))]
            return [postgres, "-D", str(data), *options]

        def connect(port: int) -> None:
            import psycopg

            with psycopg.connect(
                _url(password, port, "postgres"), autocommit=True, connect_timeout=5
            ) as connection:
                connection.execute("CREATE DATABASE site")

        # SIGINT is the "fast" shutdown: SIGTERM would wait for the last client.
        with serving(account, folder, command, connect, stop=signal.SIGINT) as port:
            yield _url(password, port, "site")


def _url(password: str, port: int, database: str) -> str:
    return f"postgres://site:{password}@127.0.0.1:{port}/{database}"
