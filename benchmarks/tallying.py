"""What a write leaves behind it: its statements, told apart, and rows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection, connections

from benchmarks.counting import counted

_CONTROL: Final = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b", re.IGNORECASE)
_NUMBERING: Final = re.compile(
    r"jwt_revoke_log_counter"
    r'|"jwt_revoke_revocation".*"sequence" (IS NULL|=|>)'
    r'|"sequence" IN|ORDER BY "jwt_revoke_revocation"."sequence"'
)
"""Ours that number what was committed and pass it on, and do not revoke."""
_SHOWN: Final = 160


@dataclass
class Tally:
    """``log``: statements that number and pass on; ``sql``: the beginnings of all, in turn."""

    statements: int = 0
    log: int = 0
    round_trips: int = 0
    sql: list[str] = field(default_factory=list)

    def add(self, sql: str) -> None:
        """One statement."""
        if _CONTROL.match(sql):
            return
        if _NUMBERING.search(sql):
            self.log += 1
        else:
            self.statements += 1
        if len(self.sql) < 20:
            self.sql.append(sql[:_SHOWN])


@contextlib.contextmanager
def tallied() -> Iterator[Tally]:
    """Of this thread: on all connections of the site, and to Redis."""
    tally = Tally()

    def wrap(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        tally.add(sql)
        return execute(sql, params, many, context)

    with contextlib.ExitStack() as stack:
        for each in connections.all():
            stack.enter_context(each.execute_wrapper(wrap))
        counts = stack.enter_context(counted())
        yield tally
    tally.round_trips = counts.round_trips


def rows_in(tables: Sequence[str]) -> dict[str, int]:
    """How many each has now."""
    found = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")
            found[table] = cursor.fetchone()[0]
    return found
