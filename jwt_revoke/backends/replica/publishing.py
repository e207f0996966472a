"""Passing committed entries on: numbered, in order, by whoever comes first after the commit."""

from __future__ import annotations

import logging
import threading
from typing import Final

from ...clock import clock
from ...models import Revocation
from .entry import Entry
from .stream import Stream, StreamAway, StreamLost

logger: Final = logging.getLogger("jwt_revoke")

_AT_ONCE: Final = 1000
"""Entries behind which the stream is begun anew: each reader then catches up by itself."""
_PAUSE: Final = 1.0
"""Seconds for which a Redis that did not answer is left alone."""


class StreamPublisher:
    """Appends to the stream what the log has and the stream lacks. Thread-safe."""

    def __init__(self, alias: str, key: str, timeout: float) -> None:
        self._alias, self._key, self._timeout = alias, key, timeout
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._away_until = float("-inf")

    def publish(self, using: str) -> bool:
        """Bring the stream up to the newest numbered entry. False = Redis did not answer."""
        if not self._lock.acquire(timeout=self._timeout):
            return False
        try:
            if clock() < self._away_until:
                return False
            if self._stream is None:
                self._stream = Stream(self._alias, self._key, self._timeout)
            self._bring_up(self._stream, using)
        except StreamAway as away:
            # Said once: for a while nobody asks again.
            logger.warning("Redis's stream is away (%s): published later", away.detail)
            self._away_until = clock() + _PAUSE
            self._drop()
            return False
        finally:
            self._lock.release()
        return True

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _bring_up(self, stream: Stream, using: str) -> None:
        try:
            newest = stream.newest()
            if newest is not None:
                top, incarnation = newest
                entries = _entries_from(using, top.sequence)
                # The top must be the log's: else the database went back in time, or is another.
                known = bool(entries) and entries[0].uid == top.uid
                if known and len(entries) <= _AT_ONCE:
                    if entries[1:]:
                        stream.add(entries[1:], incarnation)
                    return
        except StreamLost as lost:
            logger.warning("Redis's stream is begun anew: %s", lost.detail)
        last = _newest_entry(using)
        if last is not None:
            stream.begin(last)


def _entries_from(using: str, sequence: int) -> list[Entry]:
    rows = Revocation.objects.using(using).filter(sequence__gte=max(sequence, 1))
    return [_entry(row) for row in rows.order_by("sequence")[: _AT_ONCE + 1]]


def _newest_entry(using: str) -> Entry | None:
    rows = Revocation.objects.using(using).filter(sequence__gt=0).order_by("-sequence")
    return next(map(_entry, rows[:1]), None)


def _entry(row: Revocation) -> Entry:
    return Entry(
        sequence=row.sequence,
        uid=row.uid.hex,
        batch=row.batch.hex if row.batch else None,
        scope=row.scope,
        subject=row.subject,
        effect=row.effect,
        version=row.version,
        expires=int(row.expires_at.timestamp()),
    )
