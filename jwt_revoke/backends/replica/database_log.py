"""The log as the database has it: read past a cursor, or from the beginning.

A cursor is the number and the ``uid`` of the last entry read. A read is *inclusive*: the first row
must be that entry and the numbers gap-free, else the log went back or was pruned past the cursor,
and the reader loads it anew. What nobody has numbered yet comes along with every read, so that it
is strict even if nobody ever numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from ...clock import clock
from ...exceptions import Unavailable
from . import queries
from .connection import LogConnection
from .entry import Cursor, Entry
from .state import ReplicaState

_PATIENCE: Final = 10.0
"""Seconds for a statement in the background, where no request waits for it."""
_REMEMBERED_BATCHES: Final = 1000


class Behind(Exception):
    """More is to be done than a request may wait for."""


class LogLost(Behind):
    """The log is not the one that was read before: load it anew."""


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
        self._queries: queries.LogQueries | None = None

    def read(self, state: ReplicaState) -> None:
        """Take in what is new, in one round trip; for the thread of a request.

        Raises ``Behind`` when ``catch_up`` is needed first, ``Unavailable``.
        """
        if self._connection is None or self.cursor is None:
            raise Behind("not loaded")
        try:
            entries, full = self._page(self._connection, queries.PAGE)
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
                entries, full = self._page(patient, queries.LOAD_PAGE)
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

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _page(self, connection: LogConnection, size: int) -> tuple[list[Entry], bool]:
        """What is new, oldest first, the unnumbered last; and whether there is more."""
        assert self.cursor is not None  # noqa: S101  (for the type checker)
        rows = self._queries_for(connection).newer(connection, self.cursor.sequence, size)
        numbered = sorted((row for row in rows if row.sequence is not None), key=_sequence)
        outbox = [row for row in rows if row.sequence is None]
        self.outbox_since = (self.outbox_since or clock()) if outbox else None
        if len(outbox) == size:
            raise Behind("a long outbox, which has to be numbered first")
        return _after(self.cursor, numbered) + outbox, len(numbered) > size

    def _take_in(self, state: ReplicaState, entries: Iterable[Entry]) -> None:
        """The numbered ones are those next after the cursor."""
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
        statements = self._queries_for(connection)
        cursor = statements.newest(connection)
        for rows in statements.in_force(connection):
            state.load(rows)
        state.tidied()
        state.raise_generation(*statements.everyone(connection))
        self.cursor = cursor

    def _queries_for(self, connection: LogConnection) -> queries.LogQueries:
        if self._queries is None:
            self._queries = queries.LogQueries(connection)
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
