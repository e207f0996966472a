"""The processes of the site: this one's random id, and what those that follow the log report.

The reports are for operators. No check reads them, and no request writes them (invariant 7).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.db.models import QuerySet

from .database import DatabaseNow, insert_missing
from .models import ReplicaProcess

REPORT_INTERVAL: Final = 5.0
"""Seconds between two reports of a process."""
SEEN_WITHIN: Final = timedelta(seconds=3 * REPORT_INTERVAL)
"""A process not heard of for longer is taken for gone."""
FORGOTTEN_AFTER: Final = timedelta(hours=1)
_AT_ONCE: Final = 500


class _ThisProcess:
    """Not host and number: whoever is told this learns nothing of the machines."""

    def __init__(self) -> None:
        self.id = uuid4()

    def renew(self) -> None:
        """After a fork: another process."""
        self.id = uuid4()


this_process: Final = _ThisProcess()
# Where there is no fork there is no need of it.
getattr(os, "register_at_fork", dict)(after_in_child=this_process.renew)


def report(using: str, key: UUID, started_at: datetime, figures: Mapping[str, Any]) -> None:
    """Put down what a process says of itself: its one row.

    By the database's clock, so that hosts that disagree on the time are seen alike. Without the
    signals of ``save()``: a site that audits every model would write each time.
    """
    seen = {"seen_at": DatabaseNow(), **figures}
    if not _all(using).filter(pk=key).update(**seen):
        who = {"host": socket.gethostname()[:255], "pid": os.getpid()}
        insert_missing(using, ReplicaProcess(pk=key, started_at=started_at, **who, **seen))


def live(using: str) -> list[ReplicaProcess]:
    """The processes seen of late, by host and number."""
    rows = _with_now(using).order_by("host", "pid")
    return [row for row in rows if is_live(row)]


def is_live(row: Any) -> bool:
    """Whether the process was seen of late. ``row``: annotated with ``jwt_revoke_now``."""
    return bool(row.jwt_revoke_now - row.seen_at <= SEEN_WITHIN)


def is_idle(age: float | None, max_staleness: float) -> bool:
    """Whether a copy of that age was not asked of late.

    A check that finds its copy older than allowed reads the log or falls back. So a copy that is
    older yet is one that no check has needed.
    """
    return age is not None and age > max_staleness + REPORT_INTERVAL


def forget(using: str) -> int:
    """Delete the rows of processes long gone; how many they were."""
    # Named by their keys: on MariaDB a DELETE over an unindexed time would lock every row, and
    # each process's next report would wait for it.
    rows = _with_now(using).only("pk", "seen_at")
    gone = [row.pk for row in rows if row.jwt_revoke_now - row.seen_at > FORGOTTEN_AFTER]
    return sum(
        _all(using).filter(pk__in=gone[first : first + _AT_ONCE]).delete()[0]
        for first in range(0, len(gone), _AT_ONCE)
    )


def _with_now(using: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = _all(using).annotate(jwt_revoke_now=DatabaseNow())
    return rows


def _all(using: str) -> QuerySet[Any]:
    return ReplicaProcess._base_manager.using(using)
