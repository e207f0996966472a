"""The revocation log: append to it; publish and announce after the commit.

An entry is written in the transaction of its cause, with ``sequence`` NULL: rolled back with it,
committed with it. The database backend reads the rows themselves; a backend that follows the log
registers a publisher, which numbers what was committed (``numbering.py``) and passes it on.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Max, Min, OuterRef, QuerySet, Subquery
from django.utils import timezone

from . import signals
from .actor import current_actor
from .conf import conf
from .database import insert_select
from .models import SCOPE_USER, Revocation
from .subjects import RandomUUID, subject_of

logger: Final = logging.getLogger("jwt_revoke")

BATCH_MEMBER: Final = 0
"""``sequence`` of an entry that is published with the first of its batch, under that one's number:
a bulk of 100,000 must not make the log-out behind it wait for 100,000 numbers."""


class Publisher(Protocol):
    """Who passes committed entries on. ``backends/base.py`` registers the configured backend."""

    def needs_sequence(self) -> bool:
        """Whether entries must be numbered for it."""

    def publish(self, using: str) -> None:
        """Make what was committed effective everywhere; return when it is. Never raises."""


publishers: Final[list[Publisher]] = []


class Cause(NamedTuple):
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
    numbered = any(publisher.needs_sequence() for publisher in publishers)
    count = insert_select(
        using,
        Revocation,
        subjects.order_by(),
        {
            "uid": RandomUUID(),
            "sequence": BATCH_MEMBER if numbered else None,
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
    if numbered and count:
        members = Revocation.objects.using(using).filter(batch=batch, sequence=BATCH_MEMBER)
        first = members.aggregate(first=Min("pk"))["first"]
        members.filter(pk=first).update(sequence=None)
    return count


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
    """Publish the revocation, log it and send ``revoked``, once it is committed.

    Whoever hears of it, and whoever called, may rely on it: it is effective by then.
    """

    def tell() -> None:
        _publish(using)
        logger.info(
            "Revoked: scope=%s subject=%s effect=%s reason=%s actor=%s batch=%s count=%d",
            *(scope, one_line(subject), effect, one_line(cause.reason), one_line(cause.actor)),
            *(batch, count),
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


def one_line(text: str) -> str:
    """A reason may be what somebody typed, a key a name: neither begins a line (CWE-117)."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def publish_again(using: str) -> None:
    """What was asked for stands already, perhaps by a process that died before it passed it on.

    Whoever repeats the call is told that it is done: so it must be effective by then.
    """
    transaction.on_commit(partial(_publish, using), using=using, robust=True)


def _publish(using: str) -> None:
    for publisher in publishers:
        publisher.publish(using)


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


def _last_life(now: datetime) -> datetime:
    return now + conf.ACCESS_TOKEN_LIFETIME + conf.LEEWAY
