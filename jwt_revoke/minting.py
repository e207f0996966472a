"""From rows to tokens: the ONE read, what was unseen settled, and the claims built from it.

No version is read again after that statement: a revocation that commits in between leaves a token
that is already dead, never one that outlives it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db.models import DateTimeField, F, QuerySet
from django.utils import timezone

from .claims import RESERVED
from .codec import RefreshClaims, encode_access, encode_refresh
from .compiled import Compiled
from .conf import conf
from .database import DatabaseNow
from .exceptions import SignInRefused, TokenRevoked, Unavailable
from .keystore import refresh_key_ring, signing_key_ring
from .models import DeviceSession
from .settling import ensure_state, settle
from .standing import (
    THIS_SESSION,
    Facts,
    facts_queryset,
    is_active,
    is_unsettled,
    require_session,
    with_subject,
)

_SESSION: Final = (
    *("name", "user_agent", "created_at", "authenticated_at", "expires_at"),
    *("refresh_counter", "rotated_at", "held_at"),
)
_PREFIX: Final = "jwt_revoke_session_"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Fresh tokens of a session; ``expires_in`` is the access token's life in whole seconds."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    session: UUID
    expires_in: int


def settled_account(using: str, user_pk: Any) -> Facts:
    """The account in one read, whatever no signal saw being recorded before it goes on."""
    facts = _account(using, user_pk)
    if facts is None:
        raise SignInRefused("no such user")
    if facts.version is None:
        ensure_state(using, facts.user)
    elif is_unsettled(facts.user, facts):
        settle(using, user_pk)
    else:
        return facts
    facts = _account(using, user_pk)
    if facts is None:
        raise SignInRefused("the user was deleted meanwhile")
    if facts.version is None:
        # The caller's transaction reads a snapshot older than the row that another one made.
        raise Unavailable("the state row is not visible in this transaction")
    return facts


def session_facts(using: str, session_id: UUID) -> tuple[Facts, DeviceSession, datetime]:
    """The session's account in one read, settled; the session beside it; the database's now.

    The session is a true row of which only what we need is loaded.
    """
    facts, session, now = _session(using, session_id)
    if is_unsettled(facts.user, facts):
        settle(using, facts.user.pk)
        facts, session, now = _session(using, session_id)
    return facts, session, now


def _account(using: str, user_pk: Any) -> Facts | None:
    found = _accounts().first(using, who=user_pk)
    return Facts(found[0], *found[1]) if found is not None else None


def _session(using: str, session_id: UUID) -> tuple[Facts, DeviceSession, datetime]:
    found = _sessions().first(using, session_id=session_id, now=timezone.now())
    if found is None:
        raise TokenRevoked("no such session, or no such user")
    user, values = found
    *facts, now = values[: -len(_SESSION)]
    columns = dict(zip(_SESSION, values[-len(_SESSION) :], strict=True))
    columns |= {"id": session_id, "user_id": user.pk}
    # from_db() wants the values in the order of the model's fields.
    names = [f.attname for f in DeviceSession._meta.concrete_fields if f.attname in columns]
    session = DeviceSession.from_db(using, names, [columns[name] for name in names])
    return Facts(user, *facts), session, now


@cache
def _accounts() -> Compiled:
    def rows(using: str, who: Any) -> QuerySet[Any]:
        return with_subject(facts_queryset(using)).filter(pk=who)

    user = get_user_model()
    return Compiled(user, rows, {"who": user._meta.pk})


@cache
def _sessions() -> Compiled:
    def rows(using: str, session_id: Any, now: Any) -> QuerySet[Any]:
        annotated: QuerySet[Any] = (
            with_subject(facts_queryset(using, session_id))
            .filter(**{f"{THIS_SESSION}__isnull": False})
            .annotate(
                jwt_revoke_now=DatabaseNow(now),
                **{_PREFIX + name: F(f"{THIS_SESSION}__{name}") for name in _SESSION},
            )
        )
        return annotated

    slots = {"session_id": DeviceSession._meta.pk, "now": DateTimeField()}
    return Compiled(get_user_model(), rows, slots)


def _forget_compiled(*, setting: str, **_kwargs: Any) -> None:
    # What is compiled has these decided: whose table, and how a time is read.
    if setting in {"AUTH_USER_MODEL", "USE_TZ"}:
        _accounts.cache_clear()
        _sessions.cache_clear()


setting_changed.connect(_forget_compiled)


def require_live(facts: Facts, now: datetime) -> None:
    """Raise ``TokenRevoked`` unless the session lives and its user may go on."""
    require_session(facts, now)
    if not is_active(facts.user):
        raise TokenRevoked("user is inactive")


def mint(facts: Facts, session: DeviceSession, counter: int) -> SignedIn:
    """The tokens of that session: an access token, and the refresh token of that counter."""
    access, expires_in = mint_access(facts, session)
    # By the keys of that generation: where one was compromised, the next refresh signs anew.
    ring = refresh_key_ring(facts.generation or 0)
    token = encode_refresh(RefreshClaims(session.pk, counter), ring)
    return SignedIn(access, token, session.pk, expires_in)


def mint_access(facts: Facts, session: DeviceSession) -> tuple[str, int]:
    """An access token and its life in whole seconds, never longer than its session's."""
    now = int(time.time())
    lifetime = min(
        int(conf.ACCESS_TOKEN_LIFETIME.total_seconds()),
        max(0, int(session.expires_at.timestamp()) - now),
    )
    payload = {
        **_own_claims(facts.user, session),
        "token_type": "access",
        "sub": _subject(facts),
        "sid": str(session.pk),
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + lifetime,
        "auth_time": int(session.authenticated_at.timestamp()),
        "ver": facts.version,
        "gen": facts.generation or 0,
    }
    named = {"iss": conf.ISSUER, "aud": conf.AUDIENCE, "client_id": conf.CLIENT_ID}
    payload.update({name: value for name, value in named.items() if value is not None})
    return encode_access(payload, signing_key_ring(facts.generation or 0)), lifetime


def _subject(facts: Facts) -> str:
    if conf.SUBJECT == "opaque" and facts.subject is not None:
        return facts.subject.urn
    return str(facts.user.pk)


def _own_claims(user: Any, session: DeviceSession) -> Mapping[str, Any]:
    if conf.CLAIMS is None:
        return {}
    own = conf.CLAIMS(user, session)
    taken = own.keys() & RESERVED
    if taken:
        raise ImproperlyConfigured(
            f"JWT_REVOKE['CLAIMS'] returned {', '.join(sorted(taken))}: those names are ours."
        )
    return own
