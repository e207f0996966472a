"""What the rows say of a token: the facts, read together, and the rule that judges them."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist
from django.db import DataError
from django.db.models import (
    Exists,
    Expression,
    F,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from .claims import Claims
from .conf import DEFAULT_WATCHED_FIELDS, conf
from .exceptions import TokenRevoked, TokenStale
from .log import one_line
from .models import (
    ONLY_ROW,
    SCOPE_TOKEN,
    DeviceSession,
    Generation,
    Revocation,
    UserTokenState,
)
from .subjects import user_key

logger: Final = logging.getLogger("jwt_revoke")

_UNUSABLE: Final = hashlib.sha256(b"!").hexdigest()
THIS_SESSION: Final = "jwt_revoke_this_session"
_PREFIX: Final = "jwt_revoke_fact_"
OPAQUE_SUBJECT: Final = "jwt_revoke_state__subject"
"""Where a user's opaque id is, from the user."""


class Facts(NamedTuple):
    """One account as its rows stand now; the session's fields are ``None`` without a session."""

    user: AbstractBaseUser
    version: int | None
    session_floor: int | None
    password_fingerprint: str | None
    account_fingerprint: str | None
    opened_version: int | None
    opened_generation: int | None
    ended_at: datetime.datetime | None
    expires_at: datetime.datetime | None
    idle_expires_at: datetime.datetime | None
    generation: int | None
    generation_floor: int | None
    denied: bool
    subject: UUID | None = None
    """The user's opaque id, where it was asked for."""


_STATE: Final = ("version", "session_floor", "password_fingerprint", "account_fingerprint")
_OF_SESSION: Final = (
    *("opened_version", "opened_generation"),
    *("ended_at", "expires_at", "idle_expires_at"),
)


def account_manager_queryset(using: str) -> QuerySet[Any]:
    """The user model as its default manager shows it (a tenant's, or without the soft-deleted)."""
    return cast("QuerySet[Any]", get_user_model()._default_manager.using(using))


def facts_queryset(
    using: str, session: UUID | Expression | None = None, jti: str | Expression = ""
) -> QuerySet[Any]:
    """Users with their ``Facts`` beside them, in one statement whatever is compared."""
    generation = Generation.objects.filter(pk=ONLY_ROW)
    denied = Revocation.objects.filter(scope=SCOPE_TOKEN, subject=jti)
    rows: QuerySet[Any] = account_manager_queryset(using).annotate(
        **{
            THIS_SESSION: FilteredRelation(
                "jwt_revoke_sessions", condition=Q(jwt_revoke_sessions__pk=session)
            )
        },
        **{_PREFIX + name: F(f"jwt_revoke_state__{name}") for name in _STATE},
        **{_PREFIX + name: F(f"{THIS_SESSION}__{name}") for name in _OF_SESSION},
        **{
            _PREFIX + "generation": Subquery(generation.values("value")),
            _PREFIX + "generation_floor": Subquery(generation.values("session_floor")),
            _PREFIX + "denied": Exists(denied),
        },
    )
    return rows


def facts_of(user: Any) -> Facts:
    """The ``Facts`` of a row of ``facts_queryset``, taken off the instance again."""
    *names, subject = Facts._fields[1:]
    values = [user.__dict__.pop(_PREFIX + name) for name in names]
    return Facts(*[user, *values, user.__dict__.pop(_PREFIX + subject, None)])


def with_subject(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Rows of ``facts_queryset`` with the user's opaque id."""
    annotated: QuerySet[Any] = rows.annotate(**{_PREFIX + "subject": F(OPAQUE_SUBJECT)})
    return annotated


def judge(claims: Claims, facts: Facts, now: datetime.datetime) -> None:
    """Let the token pass, or raise ``TokenRevoked`` or ``TokenStale`` with the precise reason.

    ``TokenRevoked`` only where the session is known dead or gone, for a client told so throws
    its refresh token away. The rest is ``TokenStale``: the refresh looks closer, and records.
    """
    require_session(facts, now)
    generation = facts.generation or 0
    if claims.ver != facts.version:
        raise TokenStale(_superseded("version", claims, claims.ver, facts.version or 0))
    if claims.gen != generation:
        raise TokenStale(_superseded("generation", claims, claims.gen, generation))
    if facts.denied:
        raise TokenStale("token revoked by its jti")
    require_account(facts)


def require_account(facts: Facts) -> None:
    """Raise ``TokenStale`` unless the user is active and has the password that was recorded."""
    if not is_active(facts.user):
        raise TokenStale("user is inactive")
    current = password_fingerprint(facts.user.password)
    if not hmac.compare_digest(facts.password_fingerprint or "", current):
        raise TokenStale("password differs from the one recorded")


def require_session(facts: Facts, now: datetime.datetime) -> None:
    """Raise ``TokenRevoked`` unless the session lives, by its own row and by both floors."""
    if facts.opened_version is None or facts.opened_generation is None:
        raise TokenRevoked("no such session")
    if facts.expires_at is None or facts.idle_expires_at is None:
        raise TokenRevoked("no such session")
    if facts.ended_at is not None:
        raise TokenRevoked("session ended")
    if facts.session_floor is None or facts.opened_version < facts.session_floor:
        raise TokenRevoked("session opened before the user's floor")
    if facts.opened_generation < (facts.generation_floor or 0):
        raise TokenRevoked("session opened before everyone's floor")
    if now >= facts.expires_at:
        raise TokenRevoked("session past its lifetime")
    if now >= facts.idle_expires_at:
        raise TokenRevoked("session idle for too long")


def live_sessions(using: str) -> QuerySet[DeviceSession]:
    """The sessions that live: what ``require_session`` lets pass, as a queryset."""
    now = timezone.now()
    floor = UserTokenState.objects.filter(user_id=OuterRef("user_id")).values("session_floor")
    everyone = Generation.objects.filter(pk=ONLY_ROW).values("session_floor")
    return DeviceSession.objects.using(using).filter(
        ended_at__isnull=True,
        expires_at__gt=now,
        idle_expires_at__gt=now,
        opened_version__gte=Subquery(floor),
        opened_generation__gte=Coalesce(Subquery(everyone), 0),
    )


def all_ended_since(using: str, claims: Claims) -> bool:
    """Whether every session that stood when the token was issued has ended since."""
    key = user_key(claims)
    if key is None:
        # Nobody's, or from before it was renewed: the session's row knows whose it was.
        sessions = DeviceSession.objects.using(using).filter(pk=claims.sid)
        key = sessions.values_list("user_id", flat=True).first()
    if key is None:
        return True
    everyone = Generation.objects.using(using).filter(pk=ONLY_ROW, session_floor__gt=claims.gen)
    if everyone.exists():
        return True
    state = UserTokenState.objects.using(using).filter(pk=key)
    try:
        floor = state.values_list("session_floor", flat=True).first()
    except (DataError, OverflowError, ValueError):
        floor = None  # a key that no column of the user model's can hold
    return floor is None or claims.ver < floor


def _superseded(what: str, claims: Claims, said: int, stands: int) -> str:
    if said <= stands:
        return f"{what} superseded"
    logger.critical(
        "A token's %s is ahead of the database, which went back in time: sub=%s sid=%s. "
        "Run: manage.py jwt_revoke revoke --everyone",
        *(what, one_line(claims.sub), claims.sid),
    )
    return f"{what} ahead of the database"


def is_active(user: Any) -> bool:
    """Whether the user may sign in; a model without ``is_active`` has only active users."""
    return bool(getattr(user, "is_active", True))


def password_fingerprint(encoded: str | None) -> str:
    """SHA-256 of the encoded password as stored, in hex; one constant for all unusable ones.

    Unkeyed on purpose: whoever reads it reads the encoded password in the next table too.
    """
    if not encoded or not is_password_usable(encoded):
        return _UNUSABLE
    return hashlib.sha256(encoded.encode()).hexdigest()


def is_recorded(encoded: str | None, fingerprint: str | None) -> bool:
    """Whether ``fingerprint`` is that of the encoded password; in constant time."""
    return hmac.compare_digest(fingerprint or "", password_fingerprint(encoded))


def watched_fields() -> Sequence[str]:
    """The watched fields that the user model has. (``checks.py`` refuses unknown names.)"""
    return [name for name in conf.WATCHED_FIELDS if _is_column(name)]


def unknown_watched_fields() -> Sequence[str]:
    """Configured names that the user model lacks, but for the defaults, which it may lack."""
    return [
        name
        for name in conf.WATCHED_FIELDS
        if name not in DEFAULT_WATCHED_FIELDS and not _is_column(name)
    ]


def account_fingerprint(user: Any) -> str:
    """``a`` or ``i`` (active, inactive), then SHA-256 over the watched fields, in hex.

    The letter stands apart so that a save can tell "became inactive" from "still inactive".
    Call it with a row read back from the database: in memory a field may hold another type.
    """
    values = []
    for name in watched_fields():
        field = user._meta.get_field(name)
        values.append((name, field.value_to_string(user)))
    digest = hashlib.sha256(repr(values).encode()).hexdigest()
    return ("a" if is_active(user) else "i") + digest


def is_unsettled(user: Any, recorded: UserTokenState | Facts) -> bool:
    """Whether the account differs from what was recorded of it: a change that nobody saw yet."""
    if not is_recorded(user.password, recorded.password_fingerprint):
        return True
    return recorded.account_fingerprint != account_fingerprint(user)


def _is_column(name: str) -> bool:
    try:
        field = get_user_model()._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return bool(field.concrete and not field.many_to_many)
