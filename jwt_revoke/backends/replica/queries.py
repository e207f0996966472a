"""What the database is asked of the log, compiled once and sent by cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import models
from django.db.models import F, Subquery, Value
from django.utils import timezone

from ...database import SecondsAfter, Slot
from ...log import BATCH_MEMBER
from ...models import ONLY_ROW, Generation, Revocation
from ...prepared import Statement
from .connection import LogConnection
from .entry import Cursor, Entry
from .state import CLOCK_SKEW, Loaded

PAGE: Final = 1000
"""Entries that a request's own read takes in; more are left to a thread in the background."""
LOAD_PAGE: Final = 5_000
"""Entries in memory at once while it is loaded."""

_ENTRY: Final = ("sequence", "uid", "batch", "scope", "subject", "effect", "version", "expires")
_LOADED: Final = ("scope", "subject", "effect", "version", "expires", "pk")


class LogQueries:
    """The statements, compiled once. Times come as seconds since 1970, so that a million of them
    need not be parsed."""

    def __init__(self, connection: LogConnection) -> None:
        # Counted from now: where times are stored as local ones, 1970 had another summer.
        beginning = timezone.now().replace(microsecond=0)
        since = Value(beginning, output_field=models.DateTimeField())
        seconds = SecondsAfter(F("expires_at"), since) + int(beginning.timestamp())
        log = Revocation.objects.using(connection.using).order_by().annotate(expires=seconds)
        number, last = (Slot(name, models.BigIntegerField()) for name in ("number", "id"))
        newer = log.filter(sequence__gte=number).order_by("sequence").values_list(*_ENTRY)
        # Ordered, so that a planner without statistics takes the index too.
        outbox = log.filter(sequence__isnull=True).order_by("sequence").values_list(*_ENTRY)
        self._newer = {
            size: _union(
                _compiled(connection, newer[: size + 1]), _compiled(connection, outbox[:size])
            )
            for size in (PAGE, LOAD_PAGE)
        }
        numbered = log.filter(sequence__gt=BATCH_MEMBER).order_by("-sequence")
        self._newest = _compiled(connection, numbered.values_list(*_ENTRY)[:1])
        rows = log.values_list(*_LOADED)
        batch = Slot("batch", models.UUIDField())
        members = rows.filter(batch=batch, pk__gt=last).order_by("pk")
        self._members = _compiled(connection, members[:LOAD_PAGE])
        # In steps that are each a plain range of the index: those after a moment, and the rest of
        # those at the same one, of which a batch has as many as it has members.
        moment = Slot("moment", models.DateTimeField())
        reached = Subquery(Revocation.objects.filter(pk=last).values("expires_at")[:1])
        self._first, self._later = (
            _compiled(
                connection,
                rows.filter(expires_at__gt=start).order_by("expires_at", "pk")[:LOAD_PAGE],
            )
            for start in (moment, reached)
        )
        everyone = Generation.objects.using(connection.using).filter(pk=ONLY_ROW)
        self._everyone = _compiled(connection, everyone.values_list("value", "session_floor"))
        same = rows.filter(expires_at=reached, pk__gt=last).order_by("pk")
        self._same = _compiled(connection, same[:LOAD_PAGE])

    def newer(self, connection: LogConnection, number: int, size: int) -> list[Entry]:
        """From that number on, and the outbox."""
        rows = _run(connection, self._newer[size], {"number": max(number, 1)})
        return [_entry(row) for row in rows]

    def newest(self, connection: LogConnection) -> Cursor:
        """The last numbered entry."""
        entries = [_entry(row) for row in _run(connection, self._newest, {})]
        return Cursor(entries[0].sequence or 0, entries[0].uid) if entries else Cursor(0, "")

    def everyone(self, connection: LogConnection) -> tuple[int, int]:
        """The generation and its floor. Their entry leaves the log with the last honest token that
        it covers, and whoever has a key that leaked can write an older generation for ever."""
        rows = _run(connection, self._everyone, {})
        return (rows[0][0], rows[0][1]) if rows else (0, 0)

    def members(self, connection: LogConnection, batch: str) -> Iterator[list[Loaded]]:
        """A batch, a page in memory at a time."""
        key = models.UUIDField().get_db_prep_value(batch, connection.wrapper)
        last = 0
        while rows := _run(connection, self._members, {"batch": key, "id": last}):
            last = rows[-1][-1]
            yield rows

    def in_force(self, connection: LogConnection) -> Iterator[list[Loaded]]:
        """Every entry that may cover a living token, a page in memory at a time."""
        since = timezone.now() - timedelta(seconds=CLOCK_SKEW)
        moment = connection.wrapper.ops.adapt_datetimefield_value(since)
        rows = _run(connection, self._first, {"moment": moment})
        while rows:
            yield rows
            reached = {"id": rows[-1][-1]}
            same = _run(connection, self._same, reached) if len(rows) == LOAD_PAGE else []
            rows = same or _run(connection, self._later, reached)


_Query = tuple[Statement, Sequence[Any]]


def _compiled(connection: LogConnection, rows: Any) -> _Query:
    sql, params = rows.query.get_compiler(connection=connection.wrapper).as_sql()
    return Statement(sql), params


def _union(one: _Query, other: _Query) -> _Query:
    # Each in a subquery of its own: SQLite knows no other way to order and limit its parts.
    parts = f"SELECT * FROM ({one[0].sql}) a UNION ALL SELECT * FROM ({other[0].sql}) b"  # noqa: S608  (ours)
    return Statement(parts), [*one[1], *other[1]]


def _run(connection: LogConnection, query: _Query, values: dict[str, Any]) -> list[Any]:
    statement, params = query
    filled = [values[part.name] if isinstance(part, Slot) else part for part in params]
    return connection.rows(statement, filled)


def _entry(row: Any) -> Entry:
    sequence, uid, batch, *rest = row
    return Entry(sequence, _hex(uid), _hex(batch) if batch else None, *rest)


def _hex(value: Any) -> str:
    """A UUID as every driver's type comes out: 32 digits."""
    return str(value).replace("-", "")
