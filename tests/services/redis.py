from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from tests.services.server import Account, find_binary, serving


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Yields redis://… of an empty server that keeps nothing on disk."""
    binary = find_binary("redis-server", package="redis-server")
    account = Account("redis")
    password = secrets.token_hex(16)

    with account.folder() as folder:

        def command(port: int) -> list[str]:
            # In a file, as an argument would show the password to every user of the machine.
            config = folder / "redis.conf"
            config.write_text(
                f"bind 127.0.0.1\nport {port}\nrequirepass {password}\n"
                f'dir {folder}\nsave ""\nappendonly no\n'
            )
            return [binary, str(config)]

        def connect(port: int) -> None:
            import redis as client

            with client.Redis(
                port=port, password=password, socket_timeout=5, socket_connect_timeout=5
            ) as connection:
                connection.ping()

        with serving(account, folder, command, connect) as port:
            yield f"redis://:{password}@127.0.0.1:{port}/0"
