"""The log as the database has it: read past a cursor, or from the beginning.

A cursor is the number and the ``uid`` of the last entry read. A read is *inclusive*: the first row
must be that entry and the numbers gap-free, else the log went back or was pruned past the cursor,
and the reader loads it anew. What nobody has numbered yet comes along with every read, so that it
is strict even if nobody ever numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Final, NamedTuple

from django.db import models
from django.db.models.expressions import Col
from django.utils import timezone

from ...database import Slot
from ...exceptions import Unavailable
from ...log import BATCH_MEMBER
from ...models import Revocation
from .clock import clock
from .connection import LogConnection
from .state import CLOCK_SKEW, ReplicaState

PAGE: Final = 1000
"""Entries that a request's own read takes in; more are left to a thread in the background."""
_LOAD_PAGE: Final = 20_000
_PATIENCE: Final = 10.0
"""Seconds for a statement in the background, where no request waits for it."""
_REMEMBERED_BATCHES: Final = 1000

_COLUMNS: Final = (
    *("id", "sequence", "uid", "batch", "scope", "subject", "effect", "version", "expires_at"),
)


class Behind(Exception):
    """More is to be done than a request may wait for."""


class LogLost(Behind):
    """The log is not the one that was read before: load it anew."""


class Entry(NamedTuple):
    """One entry of the log as readers see it. ``expires``: seconds since 1970."""

    sequence: int | None
    uid: str
    batch: str | None
    scope: str
    subject: str
    effect: str
    version: int | None
    expires: int


class Cursor(NamedTuple):
    """The last entry read; ``(0, "")`` while the log holds no numbered one."""

    sequence: int
    uid: str


class DatabaseLog:
    """Reads the log of one database into a ``ReplicaState``. Not thread-safe: callers take turns.

    ``outbox_since``: since when entries without a number have been seen, or ``None``.
    """

    def __init__(self, using: str, timeout: float) -> None:
        self.using = using
        self.timeout = timeout
        self.cursor: Cursor | None = None
        self.outbox_since: float | None = None
        self._connection: LogConnection | None = None
        self._batches: dict[str, None] = {}
        self._queries: _Queries | None = None

    def read(self, state: ReplicaState) -> None:
        """Take in what is new, in one round trip; for the thread of a request.

        Raises ``Behind`` when ``catch_up`` is needed first, ``Unavailable``.
        """
        if self._connection is None or self.cursor is None:
            raise Behind("not loaded")
        try:
            entries, full = self._page(self._connection, PAGE)
        except Unavailable:
            self._drop()
            raise
        if full or any(entry.batch and entry.batch not in self._batches for entry in entries):
            raise Behind("a batch, or a full page")
        self._take_in(state, entries)

    def catch_up(self, state: ReplicaState) -> None:
        """Load the log into an empty ``state``, or take in all that came after the cursor.

        For a thread in the background: it connects, and may take seconds. Raises ``LogLost``,
        ``Unavailable``.
        """
        patient = LogConnection(self.using, _PATIENCE)
        try:
            if self.cursor is None:
                self._load(patient, state)
            full = True
            while full:
                entries, full = self._page(patient, _LOAD_PAGE)
                for entry in entries:
                    if entry.batch and entry.batch not in self._batches:
                        self._take_in_batch(patient, state, entry.batch)
                self._take_in(state, entries)
        finally:
            patient.close()
        if self._connection is None:
            self._connection = LogConnection(self.using, self.timeout)

    @property
    def connected(self) -> bool:
        """Whether what is read besides the database is there."""
        return True

    @property
    def unpublished_since(self) -> float | None:
        """Since when something has waited for being numbered, or passed on."""
        return self.outbox_since

    def take_stream(self, stream: Any) -> None:
        """Go on with a new connection to what is read besides the database."""
        raise NotImplementedError

    def forget(self) -> None:
        """Begin anew at the next ``catch_up``."""
        self.cursor = None
        self._batches.clear()

    def close(self) -> None:
        self._drop()

    def advance(self, state: ReplicaState, entries: Sequence[Entry]) -> None:
        """Take in entries that came another way, numbered and next after the cursor."""
        self._take_in(state, entries)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _page(self, connection: LogConnection, size: int) -> tuple[list[Entry], bool]:
        """What is new, oldest first, the unnumbered last; and whether there is more."""
        assert self.cursor is not None  # noqa: S101  (for the type checker)
        queries = self._queries_for(connection)
        rows = queries.newer(connection, self.cursor.sequence, size)
        numbered = sorted((row for row in rows if row.sequence is not None), key=_sequence)
        outbox = [row for row in rows if row.sequence is None]
        self.outbox_since = (self.outbox_since or clock()) if outbox else None
        if len(outbox) == size:
            raise Behind("a long outbox, which has to be numbered first")
        return _after(self.cursor, numbered) + outbox, len(numbered) > size

    def _take_in(self, state: ReplicaState, entries: Iterable[Entry]) -> None:
        for entry in entries:
            state.apply(entry.scope, entry.subject, entry.effect, entry.version, entry.expires)
            if entry.sequence is not None:
                self.cursor = Cursor(entry.sequence, entry.uid)
        state.tidy()

    def _take_in_batch(self, connection: LogConnection, state: ReplicaState, batch: str) -> None:
        """The members of a batch, committed with their first and never changed since."""
        queries, last = self._queries_for(connection), 0
        while rows := queries.members(connection, batch, last):
            for row_id, entry in rows:
                state.apply(entry.scope, entry.subject, entry.effect, entry.version, entry.expires)
                last = row_id
        self._batches[batch] = None
        while len(self._batches) > _REMEMBERED_BATCHES:
            del self._batches[next(iter(self._batches))]

    def _load(self, connection: LogConnection, state: ReplicaState) -> None:
        """Everything in force. The cursor first: what comes in meanwhile is read again after it."""
        queries = self._queries_for(connection)
        cursor = queries.newest(connection)
        for entry in queries.in_force(connection):
            state.apply(entry.scope, entry.subject, entry.effect, entry.version, entry.expires)
        self.cursor = cursor

    def _queries_for(self, connection: LogConnection) -> _Queries:
        if self._queries is None:
            self._queries = _Queries(connection)
        return self._queries


def _sequence(entry: Entry) -> int:
    return entry.sequence or 0


def _after(cursor: Cursor, numbered: list[Entry]) -> list[Entry]:
    """The entries after the cursor, which must stand first; ``LogLost`` unless gap-free."""
    if cursor.sequence:
        if not numbered or (numbered[0].sequence, numbered[0].uid) != cursor:
            raise LogLost(f"entry {cursor.sequence} is not what it was")
        numbered = numbered[1:]
    for before, entry in pairwise(numbered):
        if entry.sequence != (before.sequence or 0) + 1:
            raise LogLost(f"a gap after entry {before.sequence}")
    if numbered and cursor.sequence and numbered[0].sequence != cursor.sequence + 1:
        raise LogLost(f"a gap after entry {cursor.sequence}")
    return numbered


class _Queries:
    """The statements, compiled once for the database at hand."""

    def __init__(self, connection: LogConnection) -> None:
        log = Revocation.objects.using(connection.using).order_by()
        number, batch = Slot("number", models.BigIntegerField()), Slot("batch", models.UUIDField())
        last = Slot("id", models.BigIntegerField())
        moment = Slot("moment", models.DateTimeField())
        newer = log.filter(sequence__gte=number).order_by("sequence")
        outbox = log.filter(sequence__isnull=True)
        self._newer = {
            size: _union(
                self._compile(connection, newer[: size + 1]),
                self._compile(connection, outbox[:size]),
            )
            for size in (PAGE, _LOAD_PAGE)
        }
        members = log.filter(batch=batch, pk__gt=last).order_by("pk")
        self._members = self._compile(connection, members[:_LOAD_PAGE])
        numbered = log.filter(sequence__gt=BATCH_MEMBER).order_by("-sequence")
        self._newest = self._compile(connection, numbered[:1])
        # In two steps, each a plain range of the index: those after a moment, and the rest of
        # those at it, of which a batch has as many as it has members.
        later = log.filter(expires_at__gt=moment).order_by("expires_at", "pk")
        same = log.filter(expires_at=moment, pk__gt=last).order_by("pk")
        self._later = self._compile(connection, later[:_LOAD_PAGE])
        self._same = self._compile(connection, same[:_LOAD_PAGE])
        operations, moments = connection.wrapper.ops, Revocation._meta.get_field("expires_at")
        column = Col(Revocation._meta.db_table, moments)
        self._to_moment = [
            partial(convert, expression=column, connection=connection.wrapper)
            for convert in operations.get_db_converters(column)
        ]

    def newer(self, connection: LogConnection, number: int, size: int) -> list[Entry]:
        """From that number on, and the outbox."""
        rows = self._run(connection, self._newer[size], {"number": max(number, 1)})
        return [self._entry(row) for row in rows]

    def members(self, connection: LogConnection, batch: str, last: int) -> list[tuple[int, Entry]]:
        """A page of a batch, with ids to go on from."""
        key = models.UUIDField().get_db_prep_value(batch, connection.wrapper)
        rows = self._run(connection, self._members, {"batch": key, "id": last})
        return [(row[0], self._entry(row)) for row in rows]

    def newest(self, connection: LogConnection) -> Cursor:
        """The last numbered entry."""
        entries = [self._entry(row) for row in self._run(connection, self._newest, {})]
        return Cursor(entries[0].sequence or 0, entries[0].uid) if entries else Cursor(0, "")

    def in_force(self, connection: LogConnection) -> Iterable[Entry]:
        """Every entry that may cover a living token, a page in memory at a time."""
        operations = connection.wrapper.ops
        since = timezone.now() - timedelta(seconds=CLOCK_SKEW)
        moment = operations.adapt_datetimefield_value(since)
        rows = self._run(connection, self._later, {"moment": moment})
        while rows:
            for row in rows:
                yield self._entry(row)
            values = {"moment": rows[-1][-1], "id": rows[-1][0]}
            full = len(rows) == _LOAD_PAGE
            rows = self._run(connection, self._same, values) if full else []
            if full and not rows:
                rows = self._run(connection, self._later, values)

    def _compile(self, connection: LogConnection, rows: Any) -> tuple[str, Sequence[Any]]:
        compiler = rows.values_list(*_COLUMNS).query.get_compiler(connection=connection.wrapper)
        sql, params = compiler.as_sql()
        return sql, params

    def _run(
        self, connection: LogConnection, query: tuple[str, Sequence[Any]], values: dict[str, Any]
    ) -> list[Any]:
        sql, params = query
        filled = [values[part.name] if isinstance(part, Slot) else part for part in params]
        return connection.rows(sql, filled)

    def _entry(self, row: Any) -> Entry:
        _id, sequence, uid, batch, scope, subject, effect, version, expires = row
        for convert in self._to_moment:
            expires = convert(expires)
        return Entry(
            sequence,
            _hex(uid),
            _hex(batch) if batch else None,
            scope,
            subject,
            effect,
            version,
            int(expires.timestamp()),
        )


def _union(one: tuple[str, Sequence[Any]], other: tuple[str, Sequence[Any]]) -> Any:
    # Each in a subquery of its own: SQLite knows no other way to order and limit its parts.
    sql = f"SELECT * FROM ({one[0]}) a UNION ALL SELECT * FROM ({other[0]}) b"  # noqa: S608
    return sql, [*one[1], *other[1]]


def _hex(value: Any) -> str:
    """A UUID as every driver's type comes out: 32 digits."""
    return str(value).replace("-", "")
