"""The replica: each process remembers the live revocations and follows the log.

Within ``max_staleness`` of the start of its last read a check costs no I/O. Past it one thread
reads the log and the others wait for that one read. With ``max_staleness`` 0 every check waits for
a read that began after it did: strict, one round trip, shared by those who wait at once.

What takes longer than a request may wait (to connect, to load, to take in a bulk revocation) is
done by a thread in the background; until it is done the database backend answers. So a process
that has just started, or that fell behind, is never an outage.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from weakref import WeakSet

from django.contrib.auth.models import AbstractBaseUser
from django.core.checks import CheckMessage
from django.db import Error

from ... import metrics
from ...claims import Claims
from ...clock import clock
from ...conf import conf
from ...exceptions import Unavailable
from ...models import write_alias
from ...numbering import number
from ...subjects import subject_of_user
from ..base import BaseBackend
from ..database import DatabaseBackend
from .background import Background
from .database_log import Behind, DatabaseLog, LogLost
from .listener import Listener, notify
from .options import Options
from .publishing import StreamPublisher
from .redis_log import RedisLog, RedisNeeded
from .reporting import Reporter, figures
from .state import NEVER, ReplicaState
from .stream import Stream, StreamAway

logger: Final = logging.getLogger("jwt_revoke")

_UNATTENDED: Final = 0.5
"""Seconds after which whoever committed an entry is taken for dead, and it is published by us."""


class ReplicaBackend(BaseBackend):
    """Follows the log of the database, or Redis's stream of it (``OPTIONS``: ``options.py``)."""

    needs_sequence = True
    option_names = Options.names()

    _log: DatabaseLog

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.options = Options.of(options)
        self.max_staleness = self.options.max_staleness
        self._by_key = conf.SUBJECT == "pk"
        self._database = DatabaseBackend({})
        self._begin()
        _instances.add(self)

    def check(self, claims: Claims, max_staleness: float | None = None) -> AbstractBaseUser | None:
        # What a check within bounds does not do: lock, allocate, log, ask anybody.
        required = clock() - (self.max_staleness if max_staleness is None else max_staleness)
        # Its own age goes with the copy: it may be replaced by an empty one at any moment.
        state = self._state
        fresh = state if self._heard <= state.synced >= required else self._sync(required)
        if fresh is not None:
            user = claims.sub if self._by_key else subject_of_user(claims)
            if user is None:
                # Renewed since, or a key from before: the rows know which.
                return self._database.check(claims)
            fresh.judge(claims, user)
            return None
        # Still loading, far behind, or the log's connection is lost: no outage.
        self.fallbacks += 1
        metrics.fallbacks.inc()
        return self._database.check(claims)

    async def acheck(
        self, claims: Claims, max_staleness: float | None = None
    ) -> AbstractBaseUser | None:
        required = clock() - (self.max_staleness if max_staleness is None else max_staleness)
        state = self._state
        if self._by_key and self._heard <= state.synced >= required:
            state.judge(claims, claims.sub)
            return None
        return await super().acheck(claims, max_staleness)

    def publish(self, using: str) -> None:
        published = self._publisher is None
        try:
            number(using)
            published = self._publisher is None or self._publisher.publish(using)
            if self.options.listen:
                notify(using)
        except (Error, Unavailable) as error:
            logger.warning("Published later: %s", type(error).__name__)
        if not published:
            # Every reader compares with the database this often. Once it has passed, the
            # revocation is effective although Redis has not heard of it.
            time.sleep(self.options.reconcile_interval)

    def system_checks(self) -> Sequence[CheckMessage]:
        return self.options.system_checks()

    def figures(self, using: str) -> Mapping[str, Any]:
        return figures(self.options, using)

    def close(self) -> None:
        self._background.closed = True
        with self._reading:
            self._state.synced = NEVER
            self._log.close()
        if self._publisher is not None:
            self._publisher.close()
        if self._listener is not None:
            self._listener.close()
        if self._reporter is not None:
            self._reporter.close()

    @property
    def ready(self) -> bool:
        """Whether the log has been loaded and is being followed."""
        return self._ready

    def status(self) -> dict[str, Any]:
        """Figures of this process, for an operator. ``age``: seconds since the last read began."""
        cursor, synced = self._log.cursor, self._state.synced
        return {
            "log": self.options.log,
            "ready": self._ready,
            "max_staleness": self.max_staleness,
            "age": None if synced == NEVER else clock() - synced,
            "sequence": cursor.sequence if cursor else None,
            "entries": len(self._state),
            "fallbacks": self.fallbacks,
            "reads": self.reads,
        }

    def wake(self) -> None:
        """Something was revoked just now: no check that starts later accepts without a read."""
        self._heard = clock()

    def begin_in_child(self) -> None:
        """After a fork: new locks, no connections, an empty copy."""
        _inherited.append((self._log, self._publisher, self._listener))
        self._begin()

    def _begin(self) -> None:
        """Everything that belongs to one process: locks, connections, the copy itself."""
        options, using = self.options, write_alias()
        self._using = using
        self._ready = False
        self._heard = NEVER
        self._state = ReplicaState()
        self._reading: threading.Lock = threading.Lock()
        self._background = Background()
        self._listener: Listener | None = None
        self._reporter: Reporter | None = None
        self._publisher: StreamPublisher | None = None
        self.fallbacks = self.reads = 0
        if options.log == "redis":
            self._log = RedisLog(
                *(using, options.timeout, options.reconcile_interval),
                needed=options.fallback is None,
            )
            self._publisher = StreamPublisher(options.alias, options.stream, options.timeout)
        else:
            self._log = DatabaseLog(using, options.timeout)

    def _sync(self, required: float) -> ReplicaState | None:
        """The copy, read unless somebody did since ``required``, and since something was revoked
        here. None = it can't be had now."""
        required = max(required, self._heard)
        if not self._reading.acquire(timeout=self.options.timeout):
            return None
        try:
            state = self._state
            if state.synced >= required:
                return state  # the one we waited for began after we did
            if not self._ready:
                self._background.start(self._recover)
                return None
            started = clock()
            try:
                self._log.read(state)
            except LogLost as lost:
                logger.warning("The log is loaded anew: %s", lost)
                self._log.forget()
            except Behind:
                pass
            except RedisNeeded:
                self._background.start(self._reconnect)
                raise
            except Unavailable as error:
                logger.warning("The log cannot be read: %s", error.detail)
            else:
                state.synced = started
                self.reads += 1
                metrics.log_read_seconds.observe(clock() - started)
                self._attend(started)
                return state
            self._ready, state.synced = False, NEVER
            self._background.start(self._recover)
            return None
        finally:
            self._reading.release()

    def _attend(self, now: float) -> None:
        """See to what no request should wait for."""
        if not self._log.connected:
            self._background.start(self._reconnect)
        since = self._log.unpublished_since
        if since is not None and now - since > _UNATTENDED:
            self._background.start(self._publish_for_others)

    def _recover(self) -> None:
        """Connect, load or catch up; then requests read by themselves again."""
        log = self._log
        if not log.connected:
            try:
                log.take_stream(self._new_stream())
            except StreamAway as away:
                logger.warning("Redis's stream is away (%s)", away.detail)
        number(self._using)
        if log.cursor is None:
            self._state = ReplicaState()  # the old one is let go before the new one grows
        started = clock()
        try:
            log.catch_up(self._state)
        except LogLost:
            log.forget()
            raise
        with self._reading:
            if self._hung_up():
                return
            self._state.synced = started
            if self._reporter is None:
                self._reporter = Reporter(self._using, self.status)
            if self.options.listen and self._listener is None:
                self._listener = Listener(self._using, self.wake)
            self._ready = True

    def _reconnect(self) -> None:
        stream = self._new_stream()
        with self._reading:
            self._log.take_stream(stream)
            self._hung_up()

    def _hung_up(self) -> bool:
        """Whether the backend was closed meanwhile; then so is what was just opened."""
        if self._background.closed:
            self._log.close()
        return self._background.closed

    def _new_stream(self) -> Stream:
        options = self.options
        return Stream(options.alias, options.stream, options.timeout)

    def _publish_for_others(self) -> None:
        number(self._using)
        if self._publisher is not None and not self._publisher.publish(self._using):
            raise StreamAway("not published")


_instances: Final[WeakSet[ReplicaBackend]] = WeakSet()
_inherited: Final[list[Any]] = []
"""Connections of the parent process, kept for ever: to close one here, or to let it be collected,
would tell the server to end the parent's session."""


def _after_fork() -> None:
    for backend in list(_instances):
        backend.begin_in_child()


# Where there is no fork there is no need of it.
getattr(os, "register_at_fork", dict)(after_in_child=_after_fork)
