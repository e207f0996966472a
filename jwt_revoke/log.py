"""The revocation log: append to it, and tell the listeners after the commit.

An entry is written in the transaction of its cause, with ``sequence`` NULL: rolled back with it,
committed with it. The database backend reads the rows themselves and needs no numbering.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connections, models, transaction
from django.db.models import Expression, F, Func, Max, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Concat, Replace, Substr
from django.utils import timezone

from . import signals
from .actor import current_actor
from .conf import conf
from .database import insert_select
from .models import SCOPE_USER, Revocation

logger: Final = logging.getLogger("jwt_revoke")

_UUID_GROUPS: Final = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


class RandomUUID(Func):
    """A fresh random UUID for each row, by the database."""

    arity = 0
    output_field = models.UUIDField()

    def as_postgresql(self, compiler: Any, connection: Any, **_kwargs: Any) -> Any:
        return "GEN_RANDOM_UUID()", []

    def as_mysql(self, compiler: Any, connection: Any, **_kwargs: Any) -> Any:
        # MariaDB's own type refuses what does not say that it is of version 4, variant 1.
        digits = "INSERT(INSERT(MD5(CONCAT(UUID(), RAND(), RAND())), 13, 1, '4'), 17, 1, '8')"
        if not connection.features.has_native_uuid_field:
            return digits, []
        for position in (9, 14, 19, 24):
            digits = f"INSERT({digits}, {position}, 0, '-')"
        return digits, []

    def as_sqlite(self, compiler: Any, connection: Any, **_kwargs: Any) -> Any:
        return "LOWER(HEX(RANDOMBLOB(16)))", []


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is revoked, and by whom (primary key as text; ``""`` for nobody known)."""

    reason: str
    actor: str = ""
    note: str = ""

    @classmethod
    def of(cls, reason: str, actor: Any = None, note: str = "") -> Cause:
        """The cause, its actor given as a user or a key, or else taken from the request."""
        if actor is None:
            who = current_actor()
        else:
            key = getattr(actor, "pk", actor)
            who = "" if key is None else str(key)  # AnonymousUser has none
        return cls(reason[:40], who[:255], note[:255])


def now_ms() -> int:
    """This process's clock, in ms since 1970: what versions and generations are made of."""
    return time.time_ns() // 1_000_000


def append(
    using: str,
    cause: Cause,
    *,
    scope: str,
    subject: str,
    effect: str,
    version: int | None = None,
    batch: UUID | None = None,
    expires_at: datetime | None = None,
) -> Revocation:
    """Write one entry. ``expires_at`` defaults to the end of any access token issued so far."""
    now = timezone.now()
    return Revocation.objects.using(using).create(
        uid=uuid4(),
        batch=batch,
        scope=scope,
        subject=subject,
        effect=effect,
        version=version,
        reason=cause.reason,
        actor=cause.actor,
        note=cause.note,
        created_at=now,
        expires_at=expires_at or _last_life(now),
    )


def append_each(
    using: str,
    cause: Cause,
    subjects: QuerySet[Any],
    *,
    scope: str,
    effect: str,
    version: int | None,
    batch: UUID,
) -> int:
    """Write one entry for each row of ``subjects``, in one statement; how many there were."""
    now = timezone.now()
    return insert_select(
        using,
        Revocation,
        subjects.order_by(),
        {
            "uid": RandomUUID(),
            "batch": batch,
            "scope": scope,
            "subject": subject_of(using, subjects.model._meta.pk),
            "effect": effect,
            "version": version,
            "reason": cause.reason,
            "actor": cause.actor,
            "note": cause.note,
            "created_at": now,
            "expires_at": _last_life(now),
        },
    )


def announce(
    using: str,
    cause: Cause,
    *,
    scope: str,
    subject: str,
    effect: str,
    batch: UUID | None = None,
    count: int = 1,
) -> None:
    """Log the revocation and send ``revoked``, once it is committed."""

    def tell() -> None:
        logger.info(
            "Revoked: scope=%s subject=%s effect=%s reason=%s actor=%s batch=%s count=%d",
            *(scope, subject, effect, cause.reason, cause.actor, batch, count),
        )
        signals.revoked.send_robust(
            sender=Revocation,
            scope=scope,
            subject=subject,
            effect=effect,
            reason=cause.reason,
            actor=cause.actor,
            batch=batch,
            count=count,
        )

    # robust: a receiver's fault must not look like a failed commit to whoever revoked.
    transaction.on_commit(tell, using=using, robust=True)


def first_version(using: str, user_pk: Any) -> int:
    """The version a user begins with: above the clock and above whatever the log holds.

    The log outlives the user's row, so a token of a former user of that key is below it.
    """
    entries = Revocation.objects.using(using).filter(scope=SCOPE_USER, subject=str(user_pk))
    newest: int | None = entries.aggregate(newest=Max("version"))["newest"]
    return max(now_ms(), (newest or 0) + 1)


def newest_version_of_subject() -> Subquery:
    """The same as an expression, for the entries of a queryset over the log."""
    entries = Revocation.objects.filter(scope=SCOPE_USER, subject=OuterRef("subject"))
    newest = entries.order_by().values("subject").annotate(newest=Max("version"))
    return Subquery(newest.values("newest"))


def subject_of(using: str, key: models.Field[Any, Any]) -> Expression:
    """``str(pk)`` as an SQL expression, spelt the same by every database."""
    key = _plain(key)
    if isinstance(key, models.UUIDField) and not _native_uuid(using):
        groups = [Substr("pk", start, length) for start, length in _UUID_GROUPS]
        first, *others = groups
        hyphenated = [part for group in others for part in (Value("-"), group)]
        return Concat(first, *hyphenated, output_field=models.TextField())
    return Cast("pk", models.TextField())


def key_of_subject(
    using: str, key: models.Field[Any, Any], subject: F = F("subject")
) -> Expression | F:
    """The way back: the primary key that an entry's ``subject`` spells."""
    key = _plain(key)
    if isinstance(key, models.CharField | models.TextField):
        return subject
    if isinstance(key, models.UUIDField) and not _native_uuid(using):
        return Replace(subject, Value("-"), Value(""), output_field=models.CharField())
    if isinstance(key, models.IntegerField):
        return Cast(subject, models.BigIntegerField())
    return Cast(subject, key.clone())


def _plain(key: models.Field[Any, Any]) -> models.Field[Any, Any]:
    """The field that holds the value: a child of a multi-table parent has its parent's key."""
    while isinstance(key, models.ForeignKey):
        key = key.target_field
    return key


def _native_uuid(using: str) -> bool:
    return bool(connections[using].features.has_native_uuid_field)


def _last_life(now: datetime) -> datetime:
    return now + conf.ACCESS_TOKEN_LIFETIME + conf.LEEWAY
