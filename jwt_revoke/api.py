"""The public face: everything a site calls (DESIGN §9), each with an async twin ``a…``.

Users, sessions and tokens are given as objects or as their ids; a token as its text or its
claims. What is revoked inside a transaction of yours is revoked when that commits, and not at
all when it is rolled back.

Every revoking call takes ``reason`` (a short word, for the log), ``actor`` (who did it: a user or
a key; taken from the request when there is one) and ``note``. Every call may raise
``exceptions.Unavailable`` when the database can't answer: nothing was half done, try again. Inside
a transaction of yours Django's own error comes through, since only you can begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from . import bulk, revocation, rotation, sessions
from .backends.base import get_backend
from .claims import Claims
from .codec import decode_refresh, looks_like_refresh
from .database import persistently
from .exceptions import TokenRefused
from .keystore import refresh_key_ring
from .log import Cause
from .minting import SignedIn
from .models import EFFECT_ACCESS, EFFECT_SESSION, DeviceSession, write_alias
from .verification import verified_claims

__all__ = [
    "SignedIn",
    "aend_session",
    "ais_revoked",
    "arefresh",
    "arenew_subject",
    "arevoke_everyone",
    "arevoke_session",
    "arevoke_sessions",
    "arevoke_token",
    "arevoke_user",
    "arevoke_users",
    "asign_in",
    "end_session",
    "is_revoked",
    "refresh",
    "renew_subject",
    "revoke_everyone",
    "revoke_session",
    "revoke_sessions",
    "revoke_token",
    "revoke_user",
    "revoke_users",
    "sign_in",
]


def sign_in(
    user: AbstractBaseUser, request: HttpRequest | None = None, *, device: str = ""
) -> SignedIn:
    """Open a session for a user whose credentials you have verified; its tokens.

    ``device`` is what the user calls it; by default it is named from the user agent.
    Raises ``SignInRefused`` (gone, inactive, or the password changed since ``user`` was read)
    and ``SessionLimitReached``.
    """
    return sessions.sign_in(user, request, device)


def refresh(token: str, request: HttpRequest | None = None) -> SignedIn:
    """The successor of a refresh token (its text), and a new access token.

    Raises ``TokenInvalid``, ``TokenRevoked``, or ``RefreshReused`` after a replay, which ended
    the session. Inside a transaction of yours, let it commit: the exception must not roll it back.
    """
    return rotation.refresh(decode_refresh(token, refresh_key_ring()), request)


def end_session(
    session: DeviceSession | UUID | str,
    *,
    reason: str = "logout",
    actor: AbstractBaseUser | str | None = None,
    note: str = "",
) -> bool:
    """Log one device out, as its owner does. False = it had ended, or there is none."""
    return revoke_session(session, reason=reason, actor=actor, note=note)


def revoke_session(
    session: DeviceSession | UUID | str,
    *,
    reason: str = "revoked",
    actor: AbstractBaseUser | str | None = None,
    note: str = "",
) -> bool:
    """End one session, its access tokens included. False = it had ended, or there is none."""
    key = session.pk if isinstance(session, DeviceSession) else session
    try:
        session_id = key if isinstance(key, UUID) else UUID(key)
    except ValueError:
        return False
    using, cause = write_alias(), Cause.of(reason, actor, note)
    return persistently(using, revocation.revoke_session, using, session_id, cause)


def revoke_sessions(
    sessions: QuerySet[DeviceSession],
    *,
    reason: str = "revoked",
    actor: AbstractBaseUser | str | None = None,
    note: str = "",
) -> int:
    """End the sessions of a queryset as one batch; how many had not ended before."""
    using, cause = write_alias(), Cause.of(reason, actor, note)
    return persistently(using, bulk.revoke_sessions, using, sessions, cause)


def revoke_token(
    token: str | Claims | Mapping[str, Any],
    *,
    reason: str = "revoked",
    actor: AbstractBaseUser | str | None = None,
    note: str = "",
) -> bool:
    """Deny one access token until it expires; given a refresh token, end its session.

    ``token``: its text, the ``Claims`` in ``request.auth``, or a dict of verified claims.
    False = it was revoked already. Raises ``TokenInvalid`` for a token that is not ours, and
    ``TokenStale`` for one whose key was taken out of use: it opens nothing anyway.
    """
    if isinstance(token, str) and looks_like_refresh(token):
        session_id = decode_refresh(token, refresh_key_ring()).session_id
        return revoke_session(session_id, reason=reason, actor=actor, note=note)
    using, cause = write_alias(), Cause.of(reason, actor, note)
    return persistently(using, revocation.revoke_token, using, _claims(token), cause)


def revoke_user(
    user: AbstractBaseUser | Any,
    *,
    effect: str = EFFECT_SESSION,
    reason: str = "revoked",
    actor: AbstractBaseUser | str | None = None,
    note: str = "",
    before: datetime | None = None,
) -> int:
    """Log one user out everywhere (or with ``effect="access"`` make every device refresh).

    ``before``: end only the sessions that signed in before it; the others refresh silently. A
    sign-in that is under way at this moment counts as signed in after any ``before`` up to now.
    Raises ``ValueError`` for what is neither a saved user nor a value that a key could have.
    Returns the user's new version. The cost does not depend on the number of sessions.
    """
    _require_effect(effect)
    using, cause = write_alias(), Cause.of(reason, actor, note)
    key = _user_key(user)
    if before is not None:
        return persistently(using, revocation.revoke_user_before, using, key, cause, before)
    return persistently(using, revocation.revoke_user, using, key, cause, effect)


def revoke_users(
    users: QuerySet[Any],
    *,
    effect: str = EFFECT_SESSION,
    reason: str = "revoked",
    actor: AbstractBaseUser | str | None = None,
    note: str = "",
) -> int:
    """The same for all users of a queryset, as one batch; how many they were.

    A constant number of statements, whatever the number of users.
    """
    _require_effect(effect)
    using, cause = write_alias(), Cause.of(reason, actor, note)
    return persistently(using, bulk.revoke_users, using, users, cause, effect)


def renew_subject(
    user: AbstractBaseUser | Any,
    *,
    effect: str = EFFECT_SESSION,
    reason: str = "subject_renewed",
    actor: AbstractBaseUser | str | None = None,
    note: str = "",
) -> None:
    """Give one user another opaque id (s12): every token that says the old one is dead.

    The sessions end too, or with ``effect="access"`` refresh silently, to the new id. Needs
    ``SUBJECT = "opaque"``, or else nothing but the revocation is seen of it. Raises ``ValueError``
    as ``revoke_user`` does.
    """
    _require_effect(effect)
    using, cause = write_alias(), Cause.of(reason, actor, note)
    persistently(using, revocation.renew_subject, using, _user_key(user), cause, effect)


def revoke_everyone(
    *,
    effect: str = EFFECT_SESSION,
    reason: str = "revoked",
    actor: AbstractBaseUser | str | None = None,
    note: str = "",
) -> int:
    """The red button: log everybody out, in O(1). Returns the new generation."""
    _require_effect(effect)
    using, cause = write_alias(), Cause.of(reason, actor, note)
    return persistently(using, revocation.revoke_everyone, using, cause, effect)


def is_revoked(token: str | Claims | Mapping[str, Any]) -> bool:
    """Whether an access token of ours is refused by now, for whatever reason but its age."""
    try:
        get_backend().check(_claims(token))
    except TokenRefused:
        return True
    return False


def _claims(token: str | Claims | Mapping[str, Any]) -> Claims:
    if isinstance(token, Claims):
        return token
    if isinstance(token, str):
        return verified_claims(token, expired_too=True)
    return Claims.from_payload(token)


def _user_key(user: Any) -> Any:
    """The key as the database holds it: the log must not name the same user by two spellings."""
    key = getattr(user, "pk", user)
    try:
        found = None if key is None else get_user_model()._meta.pk.to_python(key)
    except ValidationError:
        found = None
    if found is None:
        raise ValueError("neither a user who is saved, nor a user's primary key")
    return found


def _require_effect(effect: str) -> None:
    if effect not in {EFFECT_ACCESS, EFFECT_SESSION}:
        raise ValueError(f'effect is "access" or "session", not {effect!r}')


# Thread-sensitive, so that they share the connection and the transaction of the calling task.
asign_in = sync_to_async(sign_in)
arefresh = sync_to_async(refresh)
arenew_subject = sync_to_async(renew_subject)
aend_session = sync_to_async(end_session)
arevoke_session = sync_to_async(revoke_session)
arevoke_sessions = sync_to_async(revoke_sessions)
arevoke_token = sync_to_async(revoke_token)
arevoke_user = sync_to_async(revoke_user)
arevoke_users = sync_to_async(revoke_users)
arevoke_everyone = sync_to_async(revoke_everyone)
ais_revoked = sync_to_async(is_revoked)
