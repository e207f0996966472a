"""How many, when and why: figures for whoever looks after the site.

Fast at a million rows: bounded by time through an index, or counted in a sample. What was deleted
with its user, or by ``prune``, is counted no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Case, Count, Q, QuerySet, Value, When
from django.utils import timezone

from . import processes
from .backends.base import get_backend
from .conf import conf
from .models import DeviceSession, ReplicaProcess, Revocation
from .numbering import oldest_wait
from .standing import live_sessions

REUSED: Final = "refresh_reused"
_REASONS: Final = 5
"""Told apart, the reuse among them."""
_EACH: Final = 50_000
"""Where there are about so many sessions, or fewer, each is looked at."""
_LOOKED_AT: Final = 20_000
"""Where there are more, about so many."""
_PROBED: Final = 256
_BEFORE: Final = -1


@dataclass(frozen=True, slots=True)
class Period:
    """The last ``count`` hours or days, the one that runs included."""

    count: int
    by_hour: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """A period as it stands now. ``starts``: of each hour or day, the oldest first, as the
    viewer's clocks have them. ``before``: as long a time, just before."""

    starts: Sequence[datetime]
    before: tuple[datetime, datetime]
    by_hour: bool


@dataclass(frozen=True, slots=True)
class LiveSessions:
    """How many sessions live: exactly, or to the three digits that a sample knows."""

    count: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class SignIns:
    """How many there were from each start of the window to the next, and in all before it."""

    counts: Sequence[int]
    before: int


@dataclass(frozen=True, slots=True)
class Revocations:
    """How many there were, by reason. ``counts``: for each start of the window a number for each
    of ``reasons``, and one for all others. The first reason is the reuse of a refresh token,
    whether there was any; then the most frequent."""

    reasons: Sequence[str]
    counts: Sequence[Sequence[int]]
    before: int
    reused_before: int


@dataclass(frozen=True, slots=True)
class Health:
    """Of the backend: its dotted path, what it says of itself (label → value), and where it
    follows the log: how long an entry has waited for its number, and the processes."""

    backend: str
    strict: bool
    figures: dict[str, Any]
    follows: bool
    oldest_wait: timedelta | None
    processes: list[ReplicaProcess]


def window(period: Period) -> Window:
    """The period up to now, in the current time zone.

    A day begins at local midnight, and has 23 hours or 25 where the clocks change: what databases
    know of time zones is another matter on each, and none of it is asked.
    """
    now = timezone.now()
    now = timezone.localtime(now) if timezone.is_aware(now) else now
    begun = now.replace(minute=0, second=0, microsecond=0)
    if not period.by_hour:
        begun = datetime.combine(now.date(), time.min, now.tzinfo)
    steps = range(period.count - 1, -1, -1)
    starts = [_earlier(begun, steps_back, period) for steps_back in steps]
    before = (_earlier(starts[0], period.count, period), _earlier(now, period.count, period))
    return Window(starts, before, period.by_hour)


def _earlier(moment: datetime, count: int, period: Period) -> datetime:
    """``count`` hours earlier as they pass, or days as the calendar has them."""
    if not period.by_hour:
        return moment - timedelta(days=count)
    if timezone.is_naive(moment):
        return moment - timedelta(hours=count)
    return (moment.astimezone(UTC) - timedelta(hours=count)).astimezone(moment.tzinfo)


def live_session_count(using: str) -> LiveSessions:
    """How many sessions live, in two statements.

    Ids are random: those below a bound are a fair sample, 2 % off as a rule where one session
    in ten lives.
    """
    sessions = DeviceSession.objects.using(using)
    about = sessions.filter(pk__lt=_bound(1 / _PROBED)).count() * _PROBED
    if about <= _EACH:
        return LiveSessions(live_sessions(using).count(), is_exact=True)
    part = _LOOKED_AT / about
    found = live_sessions(using).filter(pk__lt=_bound(part)).count()
    estimate = round(found / part)
    # Three digits: the sample knows no more.
    return LiveSessions(round(estimate, 3 - len(str(estimate))), is_exact=False)


def _bound(part: float) -> UUID:
    """The id below which that part of all ids is.

    Both its ends say so: MariaDB compares the last group of a UUID first, others the first.
    """
    first, last = int(part * 2**32), int(part * 2**48)
    return UUID(int=(first << 96) | last, version=4)


def sign_ins(using: str, window: Window) -> SignIns:
    """Counted in one statement, in the index."""
    found = _counted(DeviceSession.objects.using(using), window, Value(0))
    return SignIns([found[part, 0] for part in range(len(window.starts))], found[_BEFORE, 0])


def revocations(using: str, window: Window) -> Revocations:
    """Counted in two statements: a site may give a reason of its own to each revocation."""
    log = Revocation.objects.using(using)
    since = log.filter(created_at__gte=window.starts[0]).exclude(reason=REUSED)
    by_reason = since.values("reason").annotate(count=Count("*")).order_by("-count", "reason")
    reasons = [REUSED, *by_reason.values_list("reason", flat=True)[: _REASONS - 1]]
    # By their places: a database that takes "A" for "a" need not return the same of the two.
    places = [When(reason=reason, then=place) for place, reason in enumerate(reasons)]
    found = _counted(log, window, Case(*places, default=len(reasons)))
    kinds = range(len(reasons) + 1)
    return Revocations(
        reasons,
        [[found[part, kind] for kind in kinds] for part in range(len(window.starts))],
        before=sum(found[_BEFORE, kind] for kind in kinds),
        reused_before=found[_BEFORE, 0],
    )


def _counted(rows: QuerySet[Any], window: Window, kind: Any) -> Counter[tuple[int, int]]:
    """(place of the start, kind) → how many, in one statement.

    A range of the index each. To group by a CASE of thirty branches would try half of them on
    every row.
    """
    ranges = [(_BEFORE, Q(created_at__gte=window.before[0], created_at__lt=window.before[1]))]
    for place, start in enumerate(window.starts):
        end = window.starts[place + 1 : place + 2]
        within = Q(created_at__lt=end[0]) if end else Q()  # other hosts' clocks may be ahead
        ranges.append((place, Q(created_at__gte=start) & within))
    parts = [
        rows.filter(within)
        .annotate(place=Value(place), kind=kind)
        .values("place", "kind")
        .annotate(count=Count("*"))
        .values_list("place", "kind", "count")
        for place, within in ranges
    ]
    found = parts[0].union(*parts[1:], all=True)
    return Counter({(place, kind): count for place, kind, count in found})


def health(using: str) -> Health:
    """Of the backend, within its own time-outs: what cannot be read is said in its figures."""
    backend = get_backend()
    follows = backend.needs_sequence
    return Health(
        conf.BACKEND,
        backend.strict,
        dict(backend.figures(using)),
        follows,
        oldest_wait(using) if follows else None,
        processes.live(using) if follows else [],
    )
