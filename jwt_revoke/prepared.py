"""A statement that PostgreSQL plans once for a connection, and not at each request.

To plan the database backend's one SELECT takes PostgreSQL longer than to run it. Django lets
psycopg prepare nothing, since a pooler in transaction mode hands one session's transactions to
several connections of the server. So: SQL's own PREPARE and EXECUTE, by a name that is made of the
statement (whoever meets it in a connection that is not theirs runs the same, and never another's),
and only where the session is found to be the server's own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import count
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.db import Error, OperationalError

_WORTH_IT: Final = 5
"""Times that a connection runs it as it is: one that serves a request and is closed gains nothing.
(psycopg's own default.)"""
_PREPARED: Final = -1
_NEVER: Final = -2
_PLACEHOLDER: Final = re.compile("%[s%]")
_NOT_THERE: Final = {"26000", "0A000"}
"""No such statement (DISCARD ALL, or a pooler after all); a column has another type since."""

_statements: Final[WeakKeyDictionary[Any, dict[str, int]]] = WeakKeyDictionary()
"""By the driver's connection and the name: how often it was run, or what came of that."""


class Statement:
    """One compiled statement, for all connections of one database."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        numbers = count(1)
        numbered = _PLACEHOLDER.sub(
            lambda found: f"${next(numbers)}" if found[0] == "%s" else "%", sql
        )
        self._name = "jwt_revoke_" + hashlib.sha256(sql.encode()).hexdigest()[:16]
        self._prepare = f"PREPARE {self._name} AS {numbered}"
        places = ", ".join(["%s"] * (next(numbers) - 1))
        self._execute = f"EXECUTE {self._name} ({places})" if places else f"EXECUTE {self._name}"

    def rows(self, connection: Any, params: Sequence[Any]) -> list[Any]:
        """All rows of it, by a cursor of Django's. Raises as ``cursor.execute`` does."""
        with connection.cursor() as cursor:
            self._run(connection, cursor, params)
            found: list[Any] = cursor.fetchall()
            return found

    def _run(self, connection: Any, cursor: Any, params: Sequence[Any]) -> None:
        if connection.vendor != "postgresql" or not self._is_prepared(connection):
            cursor.execute(self.sql, params)
            return
        try:
            cursor.execute(self._execute, params)
        except Error as error:
            if getattr(error.__cause__, "sqlstate", None) not in _NOT_THERE:
                raise
            _statements[connection.connection][self._name] = _NEVER
            if connection.in_atomic_block:
                raise OperationalError("a prepared statement is gone") from error
            cursor.execute(self.sql, params)

    def _is_prepared(self, connection: Any) -> bool:
        """Whether it is run by name; each use is counted, and after some it is prepared."""
        statements = _statements.get(connection.connection)
        if statements is None:
            statements = _statements[connection.connection] = {}
        uses = statements.get(self._name, 0)
        if uses >= 0:
            uses = statements[self._name] = self._used(uses, connection)
        return uses == _PREPARED

    def _used(self, uses: int, connection: Any) -> int:
        """Once more, and what comes of it."""
        if uses < _WORTH_IT:
            return uses + 1
        if not _may_prepare(connection):
            return _NEVER
        raw: Any = connection.connection
        try:
            # By the driver: the site's own counts of its statements stay what they are. Within a
            # savepoint where the request has a transaction, which a refusal must not end.
            with raw.transaction():
                pid = raw.execute("SELECT pg_backend_pid()").fetchone()[0]
                if pid != raw.info.backend_pid:
                    return _NEVER  # a pooler stands between, and told us a number of its own
                raw.execute(self._prepare)
        except connection.Database.Error:
            return _NEVER
        return _PREPARED


def _may_prepare(connection: Any) -> bool:
    settings: Any = connection.settings_dict
    return (
        hasattr(connection.connection, "transaction")  # psycopg 3
        # What sites behind a pooler in transaction mode are told to set.
        and not settings["DISABLE_SERVER_SIDE_CURSORS"]
        # Values are sent apart then, which EXECUTE cannot take; and psycopg may prepare by itself.
        and not settings["OPTIONS"].get("server_side_binding")
    )
