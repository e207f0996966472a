"""The log by Redis's stream, with the database behind it.

Redis makes the steady state cheap: one round trip says "nothing new". It is never the truth. When
the stream is not exactly what was read before, when the connection is new, and every
``reconcile_interval`` in any case, the database's log is read; that is also what answers while
Redis is away. So whatever Redis loses, a revocation is seen within that interval.
"""

from __future__ import annotations

import logging
from typing import Final

from ...clock import clock
from ...exceptions import Unavailable
from .database_log import Behind, DatabaseLog
from .state import ReplicaState
from .stream import Stream, StreamAway, StreamLost

logger: Final = logging.getLogger("jwt_revoke")


class RedisNeeded(Unavailable):
    """Redis is away, and the site wants no fallback."""


class RedisLog(DatabaseLog):
    """``DatabaseLog``, asking a stream first. Not thread-safe: callers take turns."""

    def __init__(self, using: str, timeout: float, interval: float, *, needed: bool) -> None:
        super().__init__(using, timeout)
        self.interval = interval
        self.needed = needed
        self._stream_behind_since: float | None = None
        self._top = 0
        self._stream: Stream | None = None
        self._incarnation: str | None = None
        self._reconciled = float("-inf")

    @property
    def connected(self) -> bool:
        """Whether there is a connection to Redis."""
        return self._stream is not None

    @property
    def unpublished_since(self) -> float | None:
        return self._stream_behind_since or self.outbox_since

    def take_stream(self, stream: Stream) -> None:
        """Go on with a new connection: the first read by it compares with the database."""
        self._drop_stream()
        self._stream = stream

    def read(self, state: ReplicaState) -> None:
        started = clock()
        due = started - self._reconciled >= self.interval
        if self._stream and self._incarnation and self.cursor and not due:
            try:
                entries = self._stream.after(self.cursor, self._incarnation)
            except StreamLost as lost:
                logger.info("Redis's stream: %s; reading the database", lost.detail)
                self._incarnation = None
            except StreamAway as away:
                self._lose_stream(away)
            else:
                if any(entry.batch for entry in entries):
                    raise Behind("a batch, whose members are in the database")
                self._take_in(state, entries)
                return
        self._reconcile(state, started)

    def catch_up(self, state: ReplicaState) -> None:
        started = clock()
        incarnation = self._newest_incarnation()
        super().catch_up(state)
        self._settle(started, incarnation)

    def forget(self) -> None:
        super().forget()
        self._incarnation = None

    def close(self) -> None:
        super().close()
        self._drop_stream()

    def _reconcile(self, state: ReplicaState, started: float) -> None:
        """Read the database's log, and note where the stream stands.

        The stream is asked *first*: an entry acknowledged before that is committed, so the database
        has it; one that comes after it stands after our cursor in the same incarnation. The other
        way round, a stream begun anew in between could have swallowed one.
        """
        incarnation = self._newest_incarnation()
        if self._stream is None and self.needed:
            raise RedisNeeded("Redis is away, and there is no fallback")
        super().read(state)
        self._settle(started, incarnation)

    def _newest_incarnation(self) -> str | None:
        self._top = 0
        if self._stream is None:
            return None
        try:
            newest = self._stream.newest()
        except StreamLost:
            return None
        except StreamAway as away:
            self._lose_stream(away)
            return None
        if newest is None:
            return None
        self._top = newest[0].sequence
        return newest[1]

    def _settle(self, started: float, incarnation: str | None) -> None:
        self._reconciled = started
        self._incarnation = incarnation
        newest = self.cursor.sequence if self.cursor else 0
        behind = self.connected and newest > 0 and self._top != newest
        self._stream_behind_since = (self._stream_behind_since or clock()) if behind else None

    def _lose_stream(self, away: StreamAway) -> None:
        logger.warning("Redis's stream is away (%s); the database answers", away.detail)
        self._drop_stream()

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        self._incarnation = None
        if stream is not None:
            stream.close()
