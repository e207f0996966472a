"""A database connection of the log's own: autocommit, and with a bound to every wait.

Never the request's connection: inside a transaction that would see its own uncommitted entries,
or an old snapshot that lacks everybody else's.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Sequence
from typing import Any

from django.db import Error, OperationalError, connections

from ...database import describe
from ...exceptions import Unavailable
from ...prepared import Statement


class LogConnection:
    """The site's database by a connection that the site does not see.

    ``timeout``: seconds after which a statement is given up, and the connection with it. psycopg
    3, PyMySQL and SQLite keep to it; mysqlclient rounds it up to a second, psycopg2 knows none.
    To connect may take longer (libpq: two seconds), so nobody connects while a request waits.
    """

    def __init__(self, using: str, timeout: float) -> None:
        self.using = using
        wrapper: Any = connections[using].copy()
        self.wrapper = wrapper
        # A request's thread reads, a thread of ours reconnects; a lock of theirs keeps them apart.
        self.wrapper.inc_thread_sharing()
        settings = self.wrapper.settings_dict
        settings["AUTOCOMMIT"] = True
        options = settings["OPTIONS"]
        options.pop("pool", None)  # it would hand out the site's connections
        # PyMySQL knows parts of a second.
        exact = hasattr(self.wrapper.Database, "VERSION_STRING")
        seconds = timeout if exact else math.ceil(timeout)
        bounds: dict[str, dict[str, Any]] = {
            "sqlite": {"timeout": timeout},
            "mysql": {
                "read_timeout": seconds,
                "write_timeout": seconds,
                "connect_timeout": max(1, math.ceil(timeout)),
            },
            "postgresql": {"connect_timeout": max(2, math.ceil(timeout))},
        }
        vendor = self.wrapper.vendor
        options |= bounds.get(vendor, {})
        try:
            self.wrapper.ensure_connection()  # which translates the driver's errors
        except Error as error:
            self.close()
            raise Unavailable(f"log connection: {describe(error)}") from error
        except BaseException:
            # Connected, perhaps, and not yet set up: nobody else would close it.
            self.close()
            raise
        if vendor == "postgresql":
            _bound_waits(self.wrapper.connection, timeout)

    def rows(self, statement: Statement, params: Sequence[Any]) -> list[Any]:
        """All rows of one statement. Raises ``Unavailable``, and is then of no more use."""
        try:
            return statement.rows(self.wrapper, params)
        except Error as error:
            self.close()
            raise Unavailable(f"log connection: {describe(error)}") from error

    def close(self) -> None:
        """Close it, whatever state it is in."""
        with contextlib.suppress(Error):
            self.wrapper.close()


def _bound_waits(connection: Any, seconds: float) -> None:
    """Let psycopg 3 wait no longer than ``seconds`` for an answer.

    ``statement_timeout`` is kept by the server: one that is stopped, or out of reach, never
    raises it. And set by ``SET`` it would leak to others through a pooler.
    """
    wait = getattr(connection, "wait", None)
    if wait is None:
        return  # psycopg2

    def bounded(gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        return wait(_until(gen, time.monotonic() + seconds), *args, **kwargs)

    connection.wait = bounded


def _until(gen: Generator[Any, Any, Any], deadline: float) -> Generator[Any, Any, Any]:
    """``gen``, raising once the deadline has passed. (psycopg looks up ten times a second.)"""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                raise OperationalError("no answer in time")
            wanted = gen.send(ready)
    except StopIteration as done:
        return done.value
