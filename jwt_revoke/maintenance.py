"""What ``manage.py jwt_revoke`` does for operators: prune, reconcile, status. All repeatable.

Each works in batches of its own short transactions, so that it can be interrupted, and run beside
a busy site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from . import processes
from .backends.base import get_backend
from .conf import conf
from .database import persistently
from .log import BATCH_MEMBER, Cause
from .models import (
    EFFECT_SESSION,
    SCOPE_EVERYONE,
    DeviceSession,
    Generation,
    ReplicaProcess,
    Revocation,
    SigningKey,
    UserTokenState,
)
from .numbering import LogFigures, log_figures, oldest_wait
from .revocation import forget_user
from .settling import settle_each
from .standing import is_unsettled, live_sessions

Progress = Callable[[str, int], None]
"""Called with what was done and how many rows of it so far."""


@dataclass(frozen=True, slots=True)
class Status:
    """The figures of ``jwt_revoke status``."""

    live_sessions: int
    sessions: int
    revocations: int
    newest_revocation: datetime | None
    generation: int
    users_with_state: int
    backend: dict[str, Any]
    """What the backend says of itself: label → value."""
    log: LogFigures | None
    """How far the log is numbered; ``None`` where no backend needs its entries numbered."""
    oldest_wait: timedelta | None
    """For how long an entry has waited for its number."""
    processes: list[ReplicaProcess]
    """Those that follow the log, as they last reported themselves."""


def prune(using: str, batch_size: int, progress: Progress) -> dict[str, int]:
    """Erase and delete what the retention settings let go; how many rows of each kind.

    A session that lives is never touched, nor is a revocation that still covers a token. The
    row of a session that ended stays for ``AUDIT_RETENTION``: it is what tells a replayed token
    from an unknown one. The versions of deleted users may go with their log entries, because a
    new version is also above the clock.
    """
    now = timezone.now()
    processes.forget(using)
    # The row of a key stays: a mark must outlive every copy of it, and there are few.
    retired = SigningKey.objects.using(using).filter(verifies_until__lte=now)
    persistently(using, retired.exclude(private="").update, private="")
    device_data, audit = now - conf.DEVICE_DATA_RETENTION, now - conf.AUDIT_RETENTION
    tracked = ~Q(user_agent="") | Q(ip_address__isnull=False)
    sessions = DeviceSession.objects.using(using)
    erase = sessions.filter(tracked, _over_since(using, device_data))
    return {
        "erased": _walk(erase, batch_size, _erase, partial(progress, "erased")),
        "sessions": _walk(
            sessions.filter(_over_since(using, audit)),
            batch_size,
            _delete,
            partial(progress, "sessions"),
        ),
        "revocations": _delete_log(using, audit, now, batch_size, partial(progress, "revocations")),
    }


def reconcile(using: str, batch_size: int, progress: Progress) -> dict[str, int]:
    """Find by fingerprint what no signal saw (raw SQL, a crash between two commits); revoke it.

    How many accounts were looked at, and how many of them had changed or were gone.
    """
    seen = changed = 0
    for states in _pages(UserTokenState.objects.using(using), batch_size):
        keys = [state.pk for state in states]
        users = get_user_model()._base_manager.using(using).in_bulk(keys)
        for key in keys:
            if key not in users:
                persistently(using, forget_user, using, key, Cause("deleted"))
                changed += 1
        # Until the first sign-in there are no fingerprints, and no token to revoke.
        unsettled = [
            state.pk
            for state in states
            if state.pk in users
            and state.password_fingerprint
            and is_unsettled(users[state.pk], state)
        ]
        if unsettled:
            changed += persistently(using, settle_each, using, unsettled)
        seen += len(states)
        progress("seen", seen)
    return {"seen": seen, "changed": changed}


def status(using: str) -> Status:
    """Figures for an operator. They count rows: for a person now and then, not for a probe."""
    log = Revocation.objects.using(using)
    generation = Generation.objects.using(using).values_list("value", flat=True).first()
    backend = get_backend()
    numbered = backend.needs_sequence
    return Status(
        live_sessions=live_sessions(using).count(),
        sessions=DeviceSession.objects.using(using).count(),
        revocations=log.count(),
        newest_revocation=log.order_by("-id").values_list("created_at", flat=True).first(),
        generation=generation or 0,
        users_with_state=UserTokenState.objects.using(using).count(),
        backend=dict(backend.figures(using)),
        log=log_figures(using) if numbered else None,
        oldest_wait=oldest_wait(using) if numbered else None,
        processes=processes.live(using),
    )


def _over_since(using: str, moment: datetime) -> Q:
    """Sessions that were over by then, by whichever of their ends came first.

    What revoked a user ended the rows as well; what revoked everyone did not touch them.
    """
    revocations = Revocation.objects.using(using).filter(
        scope=SCOPE_EVERYONE, effect=EFFECT_SESSION, created_at__lt=moment
    )
    floor = revocations.aggregate(floor=Max("version"))["floor"] or 0
    return (
        Q(ended_at__lt=moment)
        | Q(expires_at__lt=moment)
        | Q(idle_expires_at__lt=moment)
        | Q(opened_generation__lt=floor)
    )


def _walk(
    rows: QuerySet[Any],
    size: int,
    act: Callable[[QuerySet[Any]], int],
    progress: Callable[[int], None],
) -> int:
    """Act on ``rows``, passing once through the whole table by primary key, ``size`` at a time.

    "The next thousand that match" would look through the same live rows again in each batch, and
    in its last one through all of them within a single statement.
    """
    done = 0
    table = rows.model._base_manager.using(rows.db)
    for keys in _pages(table.values_list("pk", flat=True), size):
        found = list(rows.filter(pk__gte=keys[0], pk__lte=keys[-1]).values_list("pk", flat=True))
        if found:
            done += persistently(rows.db, act, table.filter(pk__in=found))
        progress(done)
    return done


def _delete_log(
    using: str, before: datetime, now: datetime, size: int, progress: Callable[[int], None]
) -> int:
    """Delete log entries, the oldest first: their index on the time leads straight to them.

    Never the last that was numbered: a reader tells by it that the log is still the same.
    """
    log = Revocation.objects.using(using)
    old = log.filter(created_at__lt=before, expires_at__lt=now).order_by("created_at")
    newest = (
        log.filter(sequence__gt=BATCH_MEMBER).order_by("-sequence").values_list("pk", flat=True)
    )
    old = old.exclude(pk=newest.first() or 0)
    done = 0
    while entries := list(old.values_list("pk", "created_at")[:size]):
        done += persistently(using, _delete, log.filter(pk__in=[pk for pk, _created in entries]))
        # Past what was deleted: a database need not have swept it up yet.
        old = old.filter(created_at__gte=entries[-1][1])
        progress(done)
    return done


def _erase(sessions: QuerySet[Any]) -> int:
    return sessions.update(user_agent="", ip_address=None)


def _delete(rows: QuerySet[Any]) -> int:
    return rows.delete()[0]


def _pages(rows: QuerySet[Any], size: int) -> Iterator[list[Any]]:
    """All rows by primary key, a page at a time: no cursor is kept open across transactions."""
    rows = rows.order_by("pk")
    page = list(rows[:size])
    while page:
        yield page
        last = getattr(page[-1], "pk", page[-1])
        page = list(rows.filter(pk__gt=last)[:size])
