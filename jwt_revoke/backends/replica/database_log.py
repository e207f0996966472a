"""The log as the database has it: read past a cursor, or from the beginning.

A cursor is the number and the ``uid`` of the last entry read. A read is *inclusive*: the first row
must be that entry and the numbers gap-free, else the log went back or was pruned past the cursor,
and the reader loads it anew. What nobody has numbered yet comes along with every read, so that it
is strict even if nobody ever numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from django.db import models
from django.db.models import F, Subquery, Value
from django.utils import timezone

from ...database import SecondsAfter, Slot
from ...exceptions import Unavailable
from ...log import BATCH_MEMBER
from ...models import Revocation
from .clock import clock
from .connection import LogConnection
from .state import CLOCK_SKEW, Loaded, ReplicaState

PAGE: Final = 1000
"""Entries that a request's own read takes in; more are left to a thread in the background."""
_LOAD_PAGE: Final = 5_000
_PATIENCE: Final = 10.0
"""Seconds for a statement in the background, where no request waits for it."""
_REMEMBERED_BATCHES: Final = 1000

_ENTRY: Final = ("sequence", "uid", "batch", "scope", "subject", "effect", "version", "expires")
_LOADED: Final = ("pk", "scope", "subject", "effect", "version", "expires")


class Behind(Exception):
    """More is to be done than a request may wait for."""


class LogLost(Behind):
    """The log is not the one that was read before: load it anew."""


class Entry(NamedTuple):
    """One entry of the log as readers see it. ``expires``: whole seconds since 1970."""

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
        """Go on with a new connection to what is read besides the database: here, to nothing."""

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
        for rows in self._queries_for(connection).members(connection, batch):
            state.load(rows)
        self._batches[batch] = None
        while len(self._batches) > _REMEMBERED_BATCHES:
            del self._batches[next(iter(self._batches))]

    def _load(self, connection: LogConnection, state: ReplicaState) -> None:
        """Everything in force. The cursor first: what comes in meanwhile is read again after it."""
        queries = self._queries_for(connection)
        cursor = queries.newest(connection)
        for rows in queries.in_force(connection):
            state.load(rows)
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
    """The statements, compiled once for the database at hand.

    Times come as seconds from a moment of its own choice, so that a
    million of them need not be parsed.
    """

    def __init__(self, connection: LogConnection) -> None:
        self._beginning = timezone.now().replace(microsecond=0)
        self._epoch = int(self._beginning.timestamp())
        since = Value(self._beginning, output_field=models.DateTimeField())
        log = Revocation.objects.using(connection.using).order_by()
        log = log.annotate(expires=SecondsAfter(F("expires_at"), since))
        number, last = (Slot(name, models.BigIntegerField()) for name in ("number", "id"))
        newer = log.filter(sequence__gte=number).order_by("sequence").values_list(*_ENTRY)
        # Ordered, so that a planner without statistics takes the index too.
        outbox = log.filter(sequence__isnull=True).order_by("sequence").values_list(*_ENTRY)
        self._newer = {
            size: _union(
                _compiled(connection, newer[: size + 1]), _compiled(connection, outbox[:size])
            )
            for size in (PAGE, _LOAD_PAGE)
        }
        numbered = log.filter(sequence__gt=BATCH_MEMBER).order_by("-sequence")
        self._newest = _compiled(connection, numbered.values_list(*_ENTRY)[:1])
        rows = log.values_list(*_LOADED)
        batch = Slot("batch", models.UUIDField())
        members = rows.filter(batch=batch, pk__gt=last).order_by("pk")
        self._members = _compiled(connection, members[:_LOAD_PAGE])
        # In steps that are each a plain range of the index: those after a moment, and the rest of
        # those at the same one, of which a batch has as many as it has members.
        moment = Slot("moment", models.DateTimeField())
        reached = Subquery(Revocation.objects.filter(pk=last).values("expires_at")[:1])
        self._first, self._later = (
            _compiled(
                connection,
                rows.filter(expires_at__gt=start).order_by("expires_at", "pk")[:_LOAD_PAGE],
            )
            for start in (moment, reached)
        )
        same = rows.filter(expires_at=reached, pk__gt=last).order_by("pk")
        self._same = _compiled(connection, same[:_LOAD_PAGE])

    def newer(self, connection: LogConnection, number: int, size: int) -> list[Entry]:
        """From that number on, and the outbox."""
        rows = _run(connection, self._newer[size], {"number": max(number, 1)})
        return [self._entry(row) for row in rows]

    def newest(self, connection: LogConnection) -> Cursor:
        """The last numbered entry."""
        entries = [self._entry(row) for row in _run(connection, self._newest, {})]
        return Cursor(entries[0].sequence or 0, entries[0].uid) if entries else Cursor(0, "")

    def members(self, connection: LogConnection, batch: str) -> Iterator[list[Loaded]]:
        """A batch, a page in memory at a time."""
        key = models.UUIDField().get_db_prep_value(batch, connection.wrapper)
        last = 0
        while rows := _run(connection, self._members, {"batch": key, "id": last}):
            last = rows[-1][0]
            yield self._loaded(rows)

    def in_force(self, connection: LogConnection) -> Iterator[list[Loaded]]:
        """Every entry that may cover a living token, a page in memory at a time."""
        since = timezone.now() - timedelta(seconds=CLOCK_SKEW)
        moment = connection.wrapper.ops.adapt_datetimefield_value(since)
        rows = _run(connection, self._first, {"moment": moment})
        while rows:
            yield self._loaded(rows)
            if len(rows) < _LOAD_PAGE:
                last, rows = rows[-1][0], []
            else:
                last = rows[-1][0]
                rows = _run(connection, self._same, {"id": last})
            rows = rows or _run(connection, self._later, {"id": last})

    def _entry(self, row: Any) -> Entry:
        sequence, uid, batch, scope, subject, effect, version, expires = row
        return Entry(
            sequence,
            _hex(uid),
            _hex(batch) if batch else None,
            scope,
            subject,
            effect,
            version,
            expires + self._epoch,
        )

    def _loaded(self, rows: Sequence[Any]) -> list[Loaded]:
        epoch = self._epoch
        return [
            (scope, subject, effect, version, expires + epoch)
            for _id, scope, subject, effect, version, expires in rows
        ]


def _compiled(connection: LogConnection, rows: Any) -> tuple[str, Sequence[Any]]:
    sql, params = rows.query.get_compiler(connection=connection.wrapper).as_sql()
    return sql, params


def _union(one: tuple[str, Sequence[Any]], other: tuple[str, Sequence[Any]]) -> Any:
    # Each in a subquery of its own: SQLite knows no other way to order and limit its parts.
    parts = f"SELECT * FROM ({one[0]}) a UNION ALL SELECT * FROM ({other[0]}) b"  # noqa: S608  (ours)
    return parts, [*one[1], *other[1]]


def _run(
    connection: LogConnection, query: tuple[str, Sequence[Any]], values: dict[str, Any]
) -> list[Any]:
    sql, params = query
    filled = [values[part.name] if isinstance(part, Slot) else part for part in params]
    return connection.rows(sql, filled)


def _hex(value: Any) -> str:
    """A UUID as every driver's type comes out: 32 digits."""
    return str(value).replace("-", "")
