"""The clock of a world: it stands still until somebody sets it, for process and database alike.

That it stands is the hardest case: whatever is told apart by its time alone is not told apart.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from django.utils import timezone

from jwt_revoke import clock as package_clock
from jwt_revoke.database import DatabaseNow

BEGINNING = datetime(2031, 5, 6, 7, 8, 9, 250_000, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_WRONG = 30
"""Seconds by which it is set wrong at most, either way: two machines may differ by a minute."""


class Clock:
    """``passed``: what has truly passed. ``wrong``: by how much it is set wrong."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """As at the beginning of the world."""
        self.passed = self.wrong = timedelta(0)

    @property
    def now(self) -> datetime:
        """What it shows."""
        return BEGINNING + self.passed + self.wrong

    def go_on(self, seconds: float) -> None:
        self.passed += timedelta(seconds=seconds)

    def _seconds(self) -> float:
        return (self.now - EPOCH) / timedelta(seconds=1)

    def _nanoseconds(self) -> int:
        return (self.now - EPOCH) // timedelta(microseconds=1) * 1000

    @contextlib.contextmanager
    def ticking_for_all(self) -> Iterator[None]:
        """Everything that asks what time it is asks this one.

        A clock that can't be stepped (``jwt_revoke.clock``) goes on by itself as well: threads
        wait by it.
        """
        real: Callable[[], float] = package_clock.clock
        with contextlib.ExitStack() as stack:

            def replace(owner: Any, name: str, by: Any) -> None:
                stack.enter_context(mock.patch.object(owner, name, by))

            replace(time, "time", self._seconds)
            replace(time, "time_ns", self._nanoseconds)
            replace(timezone, "now", lambda: self.now)
            for name, module in list(sys.modules.items()):
                if name.startswith("jwt_revoke.") and getattr(module, "clock", None) is real:
                    replace(module, "clock", lambda: real() + self.passed.total_seconds())
            replace(DatabaseNow, "as_postgresql", _as_a_moment("TIMESTAMPTZ"))
            replace(DatabaseNow, "as_mysql", _as_a_moment("DATETIME(6)"))
            yield


def _as_a_moment(kind: str) -> Any:
    def as_sql(self: DatabaseNow, compiler: Any, connection: Any, **kw: Any) -> Any:
        sql, params = self.as_sql(compiler, connection, **kw)
        return f"CAST({sql} AS {kind})", params

    return as_sql
