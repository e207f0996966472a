from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from tests.services.server import Account, Private, find_binary, serving


class MariaDB(Private):
    """A private server with an empty database ``site``; the user may create others."""

    @property
    def url(self) -> str:
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The address as seen through ``port``: a proxy's, say."""
        return f"mysql://site:{self.password}@127.0.0.1:{port}/site"

    def kill(self) -> None:
        """SIGKILL: connections are cut, and a recovery is needed at the start."""
        self.server.kill()

    def restart(self) -> None:
        """Again, on the same data and port."""
        self.server.restart()


@contextlib.contextmanager
def mariadb(*, durable: bool = False) -> Iterator[MariaDB]:
    """``durable``: what was committed is there again after ``kill()`` and ``restart()``."""
    mariadbd = find_binary("mariadbd", package="mariadb-server")
    install = find_binary("mariadb-install-db", package="mariadb-server")
    account = Account("mysql")
    password = secrets.token_hex(16)

    with account.folder() as folder:
        data = folder / "data"
        account.run(
            [
                install,
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=socket",
                "--skip-test-db",
                "--skip-name-resolve",
            ],
            folder,
        )
        # In a file, as an argument would show the password to every user of the machine. It is
        # run at each start.
        init = folder / "init.sql"
        init.write_text(
            "CREATE DATABASE IF NOT EXISTS site;\n"
            f"CREATE USER IF NOT EXISTS site@'127.0.0.1' IDENTIFIED BY '{password}';\n"
            "GRANT ALL ON *.* TO site@'127.0.0.1';\n"
        )
        # No power is ever cut here, so nothing needs to reach the disk. A commit that is to survive
        # the process must have reached the kernel, though, and no page by half.
        committed = 2 if durable else 0

        def command(port: int) -> list[str]:
            return [
                mariadbd,
                "--no-defaults",
                f"--datadir={data}",
                f"--socket={folder}/socket",
                f"--pid-file={folder}/pid",
                "--bind-address=127.0.0.1",
                f"--port={port}",
                f"--init-file={init}",
                "--skip-name-resolve",
                "--skip-log-bin",
                "--character-set-server=utf8mb4",
                "--max-connections=200",
                "--innodb-flush-method=nosync",
                f"--innodb-flush-log-at-trx-commit={committed}",
                f"--innodb-doublewrite={int(durable)}",
                "--innodb-buffer-pool-size=128M",
            ]

        def connect(port: int) -> None:
            import pymysql

            pymysql.connect(
                host="127.0.0.1", port=port, user="site", password=password, database="site"
            ).close()

        with serving(account, folder, command, connect) as server:
            yield MariaDB(server, password)
