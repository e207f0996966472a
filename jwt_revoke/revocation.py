"""Revocations one at a time: each a constant number of statements, in one transaction.

Lock order, the same everywhere so that two of us can't deadlock: user, state, session.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from . import log
from .bulk import end_sessions
from .claims import Claims
from .clock import moment
from .conf import conf
from .database import atomically, insert_missing, lock_rows
from .log import Cause
from .models import (
    EFFECT_ACCESS,
    EFFECT_SESSION,
    ONLY_ROW,
    SCOPE_EVERYONE,
    SCOPE_SESSION,
    SCOPE_TOKEN,
    SCOPE_USER,
    DeviceSession,
    Generation,
    Revocation,
    UserTokenState,
)


def revoke_token(using: str, claims: Claims, cause: Cause) -> bool:
    """Deny one access token by its ``jti`` until it expires (s04, s30). False = it was already."""
    denied = Revocation.objects.using(using).filter(scope=SCOPE_TOKEN, subject=claims.jti)
    if denied.exists():
        log.publish_again(using)
        return False
    with atomically(using):
        log.append(
            using,
            cause,
            scope=SCOPE_TOKEN,
            subject=claims.jti,
            effect=EFFECT_ACCESS,
            # Not capped by today's ACCESS_TOKEN_LIFETIME: raising it again revives no token.
            expires_at=moment(claims.exp) + conf.LEEWAY,
        )
        log.announce(using, cause, scope=SCOPE_TOKEN, subject=claims.jti, effect=EFFECT_ACCESS)
    return True


def revoke_session(using: str, session_id: UUID, cause: Cause) -> bool:
    """End one session (s14, s33). False = there is none, or it had ended already."""
    with atomically(using):
        ended = (
            DeviceSession.objects.using(using)
            .filter(pk=session_id, ended_at__isnull=True)
            .update(ended_at=timezone.now(), end_reason=cause.reason)
        )
        if not ended:
            log.publish_again(using)
            return False
        subject = str(session_id)
        log.append(using, cause, scope=SCOPE_SESSION, subject=subject, effect=EFFECT_SESSION)
        log.announce(using, cause, scope=SCOPE_SESSION, subject=subject, effect=EFFECT_SESSION)
    return True


def revoke_user(using: str, user_pk: Any, cause: Cause, effect: str) -> int:
    """End everything of one user (s05); the new version."""
    with atomically(using):
        version = _append_user(using, user_pk, cause, effect)
        if effect == EFFECT_SESSION:
            # The floor has ended them; this says so to whoever looks at the rows.
            DeviceSession.objects.using(using).filter(
                user_id=user_pk, ended_at__isnull=True
            ).update(ended_at=timezone.now(), end_reason=cause.reason)
    return version


def revoke_user_before(using: str, user_pk: Any, cause: Cause, before: datetime) -> int:
    """End the sessions of one user that signed in before then, let the others refresh (s06)."""
    batch = uuid4()
    with atomically(using):
        version = _append_user(using, user_pk, cause, EFFECT_ACCESS, batch)
        sessions = DeviceSession.objects.using(using).filter(user_id=user_pk)
        end_sessions(using, sessions.filter(created_at__lt=before), cause, batch)
    return version


def renew_subject(using: str, user_pk: Any, cause: Cause, effect: str) -> None:
    """Another opaque id for one user (s12). What says the old one is revoked in the same
    transaction: a backend that remembers whose it was refuses it by its version."""
    with atomically(using):
        revoke_user(using, user_pk, cause, effect)
        UserTokenState.objects.using(using).filter(pk=user_pk).update(subject=uuid4())


def revoke_everyone(using: str, cause: Cause, effect: str) -> int:
    """Log everybody out in O(1): the red button (s10, s11); the new generation."""
    with atomically(using):
        rows = Generation.objects.using(using).filter(pk=ONLY_ROW)
        raised = _next("value")
        columns = {"session_floor": raised} if effect == EFFECT_SESSION else {}
        if not rows.update(**columns, value=raised):
            insert_missing(using, Generation(pk=ONLY_ROW))
            rows.update(**columns, value=raised)
        generation = rows.values_list("value", flat=True).get()
        log.append(
            using, cause, scope=SCOPE_EVERYONE, subject="", effect=effect, version=generation
        )
        log.announce(using, cause, scope=SCOPE_EVERYONE, subject="", effect=effect)
    return generation


def forget_user(using: str, user_pk: Any, cause: Cause) -> None:
    """The user is being deleted, or is gone: revoke, and remove our rows of them."""
    with atomically(using):
        # The user first: the deletion takes that row after ours, a save of it takes it before.
        # As the deletion will, not weaker: a sign-in must not add a session in between.
        users = get_user_model()._base_manager.using(using).filter(pk=user_pk)
        users.select_for_update().exists()
        states = UserTokenState.objects.using(using).filter(pk=user_pk)
        effect = conf.REVOKE_ON["deleted"]
        if effect and lock_rows(states).exists():
            revoke_user(using, user_pk, cause, effect)
        DeviceSession.objects.using(using).filter(user_id=user_pk).delete()
        states.delete()


def _next(column: str) -> Greatest:
    return Greatest(F(column) + 1, Value(log.now_ms()))


def _append_user(
    using: str, user_pk: Any, cause: Cause, effect: str, batch: UUID | None = None
) -> int:
    """Raise the user's version, log it, and announce it after the commit; the new version."""
    version = _raise_version(using, user_pk, effect)
    subject = str(user_pk)
    log.append(
        using,
        cause,
        scope=SCOPE_USER,
        subject=subject,
        effect=effect,
        version=version,
        batch=batch,
    )
    log.announce(using, cause, scope=SCOPE_USER, subject=subject, effect=effect, batch=batch)
    return version


def _raise_version(using: str, user_pk: Any, effect: str) -> int:
    """The user's new version, its row now locked by us; created first when there is none."""
    rows = UserTokenState.objects.using(using).filter(pk=user_pk)
    raised = _next("version")
    # session_floor first: MariaDB evaluates a SET list from left to right with the new values.
    columns = {"session_floor": raised} if effect == EFFECT_SESSION else {}
    if not rows.update(**columns, version=raised):
        version = log.first_version(using, user_pk)
        if not lock_rows(get_user_model()._base_manager.using(using).filter(pk=user_pk)).exists():
            return version  # deleted, and all of theirs with them: no row is made for nobody
        insert_missing(
            using, UserTokenState(user_id=user_pk, version=version, session_floor=version)
        )
        rows.update(**columns, version=raised)
    return rows.values_list("version", flat=True).get()
