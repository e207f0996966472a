from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.services.server import Account, find_binary, serving


@contextlib.contextmanager
def pgbouncer(settings: dict[str, Any]) -> Iterator[int]:
    """The port of a pooler in transaction mode, before the database that Django's settings name."""
    binary = find_binary("pgbouncer", package="pgbouncer")
    account = Account("postgres")
    with account.folder() as folder:
        config, users = folder / "pgbouncer.ini", folder / "users.txt"

        def command(port: int) -> list[str]:
            lines = [
                "[databases]",
                f"* = host={settings['HOST']} port={settings['PORT']}",
                "[pgbouncer]",
                *("listen_addr = 127.0.0.1", f"listen_port = {port}", "unix_socket_dir ="),
                *("auth_type = scram-sha-256", f"auth_file = {users}"),
                *("pool_mode = transaction", "default_pool_size = 2"),
                "ignore_startup_parameters = options,extra_float_digits",
            ]
            account.write(users, f'"{settings["USER"]}" "{settings["PASSWORD"]}"\n')
            account.write(config, "\n".join(lines) + "\n")
            return [binary, str(config)]

        def connect(port: int) -> None:
            import psycopg

            with psycopg.connect(
                host="127.0.0.1",
                port=port,
                user=settings["USER"],
                password=settings["PASSWORD"],
                dbname=settings["NAME"],
                connect_timeout=5,
            ):
                pass

        with serving(account, folder, command, connect) as server:
            yield server.port
