"""Numbering the log: a gap-free ``sequence`` in the order in which entries became visible.

Auto-increment ids become visible out of order, so a reader with a cursor on them loses entries; a
counter taken inside the site's transactions would make them wait for each other. So entries are
committed without a number (the outbox), and whoever comes first after the commit numbers what is
there, in a tiny transaction of its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Max, Min, QuerySet
from django.utils import timezone

from .database import DatabaseNow, atomically, insert_missing, lock_rows, persistently
from .log import BATCH_MEMBER
from .models import ONLY_ROW, LogCounter, Revocation

_PAGE: Final = 500
_OUT_OF_FORCE: Final = timedelta(days=1)
"""Longer than any clock here is wrong: what expired before needs no number."""
_COUNTED: Final = 10_000


class LogFigures(NamedTuple):
    """How far the numbering is. ``unnumbered`` counts no further than 10,000."""

    newest: int
    unnumbered: int


def log_figures(using: str) -> LogFigures:
    """The last number given, and how many entries wait for one: two statements, by an index."""
    counter = LogCounter.objects.using(using).filter(pk=ONLY_ROW).values_list("value", flat=True)
    return LogFigures(counter.first() or 0, _outbox(using).count())


def oldest_wait(using: str) -> timedelta | None:
    """For how long the oldest entry without a number has waited; ``None`` = there is none."""
    rows = _outbox(using).annotate(jwt_revoke_now=DatabaseNow())
    found = rows.aggregate(created=Min("created_at"), now=Max("jwt_revoke_now"))
    return found["now"] - found["created"] if found["now"] else None


def _outbox(using: str) -> QuerySet[Any]:
    # Ordered by what is NULL in each: so no planner takes the primary key and looks through all.
    return _pending(using).order_by("sequence")[:_COUNTED]


def number(using: str) -> int:
    """Number every committed entry that has none; how many there were. Harmless when repeated."""
    if not _pending(using).exists():
        return 0
    total = count = persistently(using, _number_page, using)
    if count == _PAGE:
        # A site that had no need of numbers until now. Its audit log is nobody's feed.
        _set_expired_aside(using)
    while count == _PAGE:
        count = persistently(using, _number_page, using)
        total += count
    return total


def _number_page(using: str) -> int:
    with atomically(using):
        value = _locked_counter(using)
        # The ids are read without locks and then named: on MariaDB an UPDATE over "sequence IS
        # NULL" would wait for the uncommitted entries of everybody's transactions.
        rows = list(_pending(using).only("pk")[:_PAGE])
        for position, row in enumerate(rows, start=1):
            row.sequence = value + position
        if rows:
            Revocation.objects.using(using).bulk_update(rows, ["sequence"])
            counters = LogCounter.objects.using(using).filter(pk=ONLY_ROW)
            counters.update(value=value + len(rows))
    return len(rows)


def _pending(using: str) -> QuerySet[Any]:
    return Revocation.objects.using(using).filter(sequence__isnull=True).order_by("pk")


def _locked_counter(using: str) -> int:
    """The last number given, its row locked: the next numbering sees what this one committed."""
    rows = lock_rows(LogCounter.objects.using(using)).filter(pk=ONLY_ROW)
    counter = rows.first()
    if counter is None:
        insert_missing(using, LogCounter(pk=ONLY_ROW))
        counter = rows.get()
    value: int = counter.value
    return value


def _set_expired_aside(using: str) -> None:
    while persistently(using, _set_page_aside, using):
        pass


def _set_page_aside(using: str) -> int:
    with atomically(using):
        # As if numbering: an entry that somebody numbers meanwhile must not lose its number again.
        _locked_counter(using)
        expired = _pending(using).filter(expires_at__lt=timezone.now() - _OUT_OF_FORCE)
        keys = list(expired.values_list("pk", flat=True)[: _PAGE * 20])
        Revocation.objects.using(using).filter(pk__in=keys).update(sequence=BATCH_MEMBER)
    return len(keys)
