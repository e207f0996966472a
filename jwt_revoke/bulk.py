"""Revocation of many at once, set-based: a constant number of statements, whatever their number.

The entries are written to the log first, under a batch id; all that follows goes by the batch.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any, Final
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery, Value
from django.utils import timezone

from . import log
from .database import atomically, execute, insert_select, lock_rows, update_from
from .log import Cause
from .models import (
    EFFECT_SESSION,
    SCOPE_SESSION,
    SCOPE_USER,
    DeviceSession,
    Revocation,
    UserTokenState,
)
from .subjects import RandomUUID, key_of_subject

_LOCK_PAGE: Final = 10_000


def revoke_users(using: str, users: QuerySet[Any], cause: Cause, effect: str) -> int:
    """End everything of a queryset of users as one batch, set-based; how many they were.

    Who they are is decided once, by what goes into the log; all that follows goes by the batch.
    """
    batch, now = uuid4(), log.now_ms()
    model = get_user_model()
    with atomically(using):
        chosen = model._base_manager.using(using).filter(pk__in=_as_subquery(users, using))
        _lock_states(using, chosen)
        count = log.append_each(
            using,
            cause,
            chosen,
            scope=SCOPE_USER,
            effect=effect,
            version=now,
            batch=batch,
        )
        if not count:
            return 0
        entries = (
            Revocation.objects.using(using)
            .filter(batch=batch)
            .annotate(key=key_of_subject(using, model._meta.pk))
        )
        _create_missing_states(using, entries)
        key = key_of_subject(using, model._meta.pk, OuterRef("subject"))
        current = UserTokenState.objects.filter(user_id=key).values("version")
        Revocation.objects.using(using).filter(batch=batch).alias(current=Subquery(current)).filter(
            version__lte=F("current")
        ).update(version=Subquery(current) + 1)
        columns = ["session_floor", "version"] if effect == EFFECT_SESSION else ["version"]
        update_from(
            using,
            UserTokenState,
            "user",
            entries.annotate(new_version=F("version")).order_by(),
            dict.fromkeys(columns, "new_version"),
            rising=True,  # a state made since we locked may have been raised above ours
        )
        if effect == EFFECT_SESSION:
            _mark_ended(using, "user", entries, cause)
        log.announce(
            using,
            cause,
            scope=SCOPE_USER,
            subject="",
            effect=effect,
            batch=batch,
            count=count,
        )
    return count


def revoke_sessions(using: str, sessions: QuerySet[DeviceSession], cause: Cause) -> int:
    """End the sessions of a queryset as one batch; how many had not ended before."""
    with atomically(using):
        batch = uuid4()
        count = end_sessions(using, sessions, cause, batch)
        if not count:
            log.publish_again(using)
        else:
            log.announce(
                using,
                cause,
                scope=SCOPE_SESSION,
                subject="",
                effect=EFFECT_SESSION,
                batch=batch,
                count=count,
            )
    return count


def end_sessions(using: str, sessions: QuerySet[DeviceSession], cause: Cause, batch: UUID) -> int:
    """Log and end the live ones of ``sessions``, in two statements."""
    live = DeviceSession.objects.using(using).filter(
        pk__in=_as_subquery(sessions, using), ended_at__isnull=True
    )
    count = log.append_each(
        using,
        cause,
        live,
        scope=SCOPE_SESSION,
        effect=EFFECT_SESSION,
        version=None,
        batch=batch,
    )
    if count:
        entries = (
            Revocation.objects.using(using)
            .filter(batch=batch, scope=SCOPE_SESSION)
            .annotate(key=key_of_subject(using, DeviceSession._meta.pk))
        )
        _mark_ended(using, "id", entries, cause)
    return count


def _lock_states(using: str, users: QuerySet[Any]) -> None:
    """Lock the states there are in the order of their keys, before anything is written.

    Two calls that overlap would else lock each other's rows crosswise; and on MariaDB the copying
    statements read with shared locks, of which each could hold one while it waits for the other.
    Those lock the users too, whom a deletion, or a save, has locked before it asks for their state.
    """
    _share(using, users)
    states = UserTokenState.objects.using(using).filter(user_id__in=users.values("pk"))
    keys = lock_rows(states).order_by("user_id").values_list("pk", flat=True)
    deque(keys.iterator(_LOCK_PAGE), maxlen=0)


def _share(using: str, users: QuerySet[Any]) -> None:
    """Lock the users as a statement that copies from them does: on MariaDB and MySQL, above READ
    COMMITTED. Not more than it does: a foreign key to a user holds such a lock already, of which
    two transactions could not both make an exclusive one.
    """
    connection = connections[using]
    level = str(getattr(connection, "isolation_level", None)).lower()
    if connection.vendor != "mysql" or level in {"read committed", "read uncommitted"}:
        return
    # Counted, since a hundred thousand keys would be sent here for nothing; and by a column that
    # no index has, since whatever is read from an index is locked there, and not in the table.
    counted = users.order_by().annotate(all=Value(1)).values("all").annotate(n=Count("password"))
    with suppress(EmptyResultSet):
        select, params = counted.values("n").query.get_compiler(using).as_sql()
        execute(using, f"{select} LOCK IN SHARE MODE", params)


def _create_missing_states(using: str, entries: QuerySet[Revocation]) -> None:
    known = Exists(UserTokenState.objects.filter(user_id=OuterRef("key")))
    newest = log.newest_version_of_subject()
    insert_select(
        using,
        UserTokenState,
        entries.filter(~known).order_by("subject"),
        {
            "user": F("key"),
            "version": newest,
            "session_floor": newest,
            "password_fingerprint": "",
            "account_fingerprint": "",
            "subject": RandomUUID(),
        },
        missing_only=True,
    )


def _mark_ended(using: str, key: str, entries: QuerySet[Revocation], cause: Cause) -> None:
    update_from(
        using,
        DeviceSession,
        key,
        entries.annotate(
            ended=Value(timezone.now(), output_field=DeviceSession._meta.get_field("ended_at")),
            why=Value(cause.reason),
        ).order_by(),
        {"ended_at": "ended", "end_reason": "why"},
        where="ended_at IS NULL",
    )


def _as_subquery(queryset: QuerySet[Any], using: str) -> Any:
    """The primary keys of ``queryset``, inside the statement that asks for them if possible."""
    keys = queryset.using(using).values("pk")
    nestable = connections[using].features.allow_sliced_subqueries_with_in
    return keys if nestable or not queryset.query.is_sliced else [row["pk"] for row in keys]
