"""What ``manage.py jwt_revoke`` does for operators: prune, reconcile, status. All repeatable.

Each works in batches of its own short transactions, so that it can be interrupted, and run beside
a busy site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from .conf import conf
from .database import persistently
from .log import Cause
from .models import DeviceSession, Generation, Revocation, UserTokenState
from .revocation import forget_user
from .settling import settle
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


def prune(using: str, batch_size: int, progress: Progress) -> dict[str, int]:
    """Erase and delete what the retention settings let go; how many rows of each kind.

    A session that lives is never touched, nor is a revocation that still covers a token. The
    row of a session that ended stays for ``AUDIT_RETENTION``: it is what tells a replayed token
    from an unknown one. The versions of deleted users may go with their log entries, because a
    new version is also above the clock.
    """
    now = timezone.now()
    device_data, audit = now - conf.DEVICE_DATA_RETENTION, now - conf.AUDIT_RETENTION
    sessions = DeviceSession.objects.using(using)
    tracked = ~Q(user_agent="") | Q(ip_address__isnull=False)
    erase = {"user_agent": "", "ip_address": None}
    log = Revocation.objects.using(using).filter(created_at__lt=audit, expires_at__lt=now)
    return {
        "erased": _each_batch(
            sessions.filter(_over_since(device_data)).filter(tracked),
            batch_size,
            lambda rows: rows.update(**erase),
            lambda done: progress("erased", done),
        ),
        "sessions": _each_batch(
            sessions.filter(_over_since(audit)),
            batch_size,
            _delete,
            lambda done: progress("sessions", done),
        ),
        "revocations": _each_batch(
            log, batch_size, _delete, lambda done: progress("revocations", done)
        ),
    }


def reconcile(using: str, batch_size: int, progress: Progress) -> dict[str, int]:
    """Find by fingerprint what no signal saw (raw SQL, a crash between two commits); revoke it.

    How many accounts were looked at, and how many of them had changed or were gone.
    """
    seen = changed = 0
    for states in _pages(UserTokenState.objects.using(using), batch_size):
        keys = [state.pk for state in states]
        users = get_user_model()._base_manager.using(using).in_bulk(keys)
        for state in states:
            user = users.get(state.pk)
            if user is None:
                persistently(using, forget_user, using, state.pk, Cause("deleted"))
                changed += 1
            elif state.password_fingerprint and is_unsettled(user, state):
                persistently(using, settle, using, state.pk)
                changed += 1
        seen += len(states)
        progress("seen", seen)
    return {"seen": seen, "changed": changed}


def status(using: str) -> Status:
    """Figures for an operator. They count rows: for a person now and then, not for a probe."""
    log = Revocation.objects.using(using)
    generation = Generation.objects.using(using).values_list("value", flat=True).first()
    return Status(
        live_sessions=live_sessions(using).count(),
        sessions=DeviceSession.objects.using(using).count(),
        revocations=log.count(),
        newest_revocation=log.order_by("-id").values_list("created_at", flat=True).first(),
        generation=generation or 0,
        users_with_state=UserTokenState.objects.using(using).count(),
    )


def _over_since(moment: datetime) -> Q:
    """Sessions that were over by then, by whichever of their ends came first."""
    by_floor = Exists(
        UserTokenState.objects.filter(
            user_id=OuterRef("user_id"),
            session_floor__gt=OuterRef("opened_version"),
            session_floor__lt=int(moment.timestamp() * 1000),
        )
    )
    return (
        Q(ended_at__lt=moment)
        | Q(expires_at__lt=moment)
        | Q(idle_expires_at__lt=moment)
        | Q(by_floor)
    )


def _each_batch(
    rows: QuerySet[Any],
    batch_size: int,
    act: Callable[[QuerySet[Any]], int],
    progress: Callable[[int], None],
) -> int:
    """Act on ``rows`` by primary keys, a batch and a transaction at a time."""
    done = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:batch_size]):
        batch = rows.model._base_manager.using(rows.db).filter(pk__in=keys)
        done += persistently(rows.db, act, batch)
        progress(done)
    return done


def _delete(rows: QuerySet[Any]) -> int:
    return rows.delete()[0]


def _pages(rows: QuerySet[Any], size: int) -> Iterator[list[Any]]:
    """All rows by primary key, a page at a time: no cursor is kept open across transactions."""
    page = list(rows.order_by("pk")[:size])
    while page:
        yield page
        page = list(rows.filter(pk__gt=page[-1].pk).order_by("pk")[:size])
