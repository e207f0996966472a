from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from tests.services.server import Account, find_binary, serving


@contextlib.contextmanager
def mariadb() -> Iterator[str]:
    """Yields mysql://… of an empty database; the user may create others."""
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
        # In a file, as an argument would show the password to every user of the machine.
        init = folder / "init.sql"
        init.write_text(
            "CREATE DATABASE site;\n"
            f"CREATE USER site@'127.0.0.1' IDENTIFIED BY '{password}';\n"
            "GRANT ALL ON *.* TO site@'127.0.0.1';\n"
        )

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
                # Durability is of no use to a database that is thrown away.
                "--innodb-flush-method=nosync",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-doublewrite=0",
                "--innodb-buffer-pool-size=128M",
            ]

        def connect(port: int) -> None:
            import pymysql

            pymysql.connect(
                host="127.0.0.1", port=port, user="site", password=password, database="site"
            ).close()

        with serving(account, folder, command, connect) as server:
            yield f"mysql://site:{password}@127.0.0.1:{server.port}/site"
