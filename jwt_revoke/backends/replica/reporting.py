"""What a process that follows the log tells its operators: a thread that reports every 5 seconds.

It writes where ``manage.py jwt_revoke status`` and the admin look, in whatever process they run,
and sets the gauges of ``metrics.py``. A thread of its own, since no request writes (invariant 7)
and none is to wait for it. What goes wrong is said and let be: nothing is decided by a report.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakMethod

from django.db import Error, connections
from django.utils import timezone
from django.utils.translation import gettext as _

from ... import metrics
from ...clock import clock
from ...database import describe
from ...exceptions import JWTRevokeError
from ...numbering import log_figures
from ...processes import FORGOTTEN_AFTER, REPORT_INTERVAL, forget, is_idle, report, this_process
from .options import Options
from .stream import Stream

logger: Final = logging.getLogger("jwt_revoke")

_FIRST: Final = 0.5
"""Seconds from the start to the first report: whoever is waiting for the start comes first. On
SQLite a transaction that has read and now writes fails at once beside another writer."""
_CLOSED_WITHIN: Final = 5.0


class Reporter:
    """A thread that writes ``status()`` down until it is closed, or its owner is gone.

    It holds no connection between two reports: a database that is to be dropped has no guest.
    """

    def __init__(self, using: str, status: Callable[[], dict[str, Any]]) -> None:
        self._using = using
        self._status = WeakMethod(status)
        self._started_at = timezone.now()
        self._forget_at = clock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jwt_revoke reporter", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread can be had, at the interpreter's end for one
            self._closed.set()

    def close(self) -> None:
        """End the thread, and wait until it has let go of the database."""
        if not self._closed.is_set():
            self._closed.set()
            self._thread.join(_CLOSED_WITHIN)

    def _run(self) -> None:
        pause = _FIRST
        while not self._closed.wait(pause) and self._report():
            pause = REPORT_INTERVAL

    def _report(self) -> bool:
        """Whether there is anybody left to report of."""
        status = self._status()
        if status is None:
            return False
        try:
            _show(status())  # even if the database is away: then above all
            if not _in_memory(connections[self._using]):
                self._write(status)
        except Error as error:
            logger.info("Not reported: %s", describe(error))
        except Exception as error:  # noqa: BLE001  (a router's or a driver's own; never the site's)
            logger.info("Not reported: %s", type(error).__name__)
        finally:
            connections.close_all()  # this thread's own
        return True

    def _write(self, status: Callable[[], dict[str, Any]]) -> None:
        # The log first: what is read of it now is compared with a copy that is later. So a copy
        # that keeps up is never shown behind by what came in between.
        log = log_figures(self._using)
        metrics.log_sequence.set(log.newest)
        metrics.log_unnumbered.set(log.unnumbered)
        own = status()
        sequence = own["sequence"]
        own["behind"] = None if sequence is None else max(0, log.newest - sequence)
        del own["ready"]
        report(self._using, this_process.id, self._started_at, own)
        if clock() >= self._forget_at:
            self._forget_at = clock() + FORGOTTEN_AFTER.total_seconds()
            forget(self._using)


def _in_memory(connection: Any) -> bool:
    """SQLite in memory: one process's own, and what a second connection writes locks its tables."""
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())


def _show(own: dict[str, Any]) -> None:
    age = own["age"]
    # A copy that nobody asks grows old, and is read anew before it answers: no cause for alarm.
    idle = is_idle(age, own["max_staleness"])
    metrics.replica_age_seconds.set(math.inf if age is None else 0 if idle else age)
    metrics.replica_entries.set(own["entries"])


def figures(options: Options, using: str) -> dict[str, Any]:
    """What ``manage.py jwt_revoke status`` says of the log that is followed."""
    shown: dict[str, Any] = {
        _("Log followed"): options.log,
        _("May be behind"): _("%(seconds)g s") % {"seconds": options.max_staleness},
    }
    if options.log == "redis":
        shown[_("Redis’s stream")] = _of_stream(options, log_figures(using).newest)
    return shown


def _of_stream(options: Options, newest: int) -> str:
    try:
        stream = Stream(options.alias, options.stream, options.timeout)
        try:
            length, top = stream.length(), stream.newest()
        finally:
            stream.close()
    except JWTRevokeError as error:
        return _("cannot be read: %(why)s") % {"why": error.detail}
    if top is None:
        return _("there is none")
    sequence = top[0].sequence
    text = _("%(length)d entries, the newest number %(sequence)d; the log’s is %(newest)d")
    return text % {"length": length, "sequence": sequence, "newest": newest}
