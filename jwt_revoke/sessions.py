"""The life of a session: sign in, go on with a new one, confirm the password, rename."""

from __future__ import annotations

import hmac
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from . import signals
from .bulk import revoke_sessions
from .conf import conf
from .database import atomically, lock_rows, persistently
from .devices import MAX_NAME, client_address, user_agent
from .exceptions import SessionLimitReached, SignInRefused
from .log import Cause
from .minting import (
    SignedIn,
    mint,
    mint_access,
    require_live,
    session_facts,
    settled_account,
)
from .models import EFFECT_SESSION, DeviceSession, UserTokenState, database
from .revocation import revoke_user
from .settling import ensure_state
from .standing import Facts, is_active, live_sessions, password_fingerprint


def sign_in(user: Any, request: HttpRequest | None, device: str = "") -> SignedIn:
    """Open a session for ``user``, whose credentials the caller has verified.

    Raises ``SignInRefused`` when the account is gone, inactive, or no longer has the password
    hash that ``user`` holds; ``SessionLimitReached``; ``Unavailable``.
    """
    using = database()
    session = _new_session(user.pk, request, device)
    return persistently(using, _sign_in, using, user, session, request)


def replace_session(
    user: Any, session_id: UUID, request: HttpRequest | None, cause: Cause
) -> SignedIn:
    """End all sessions of ``user`` and open one for this device, under the name it had.

    A new one, so that nothing stolen before survives inside the kept one.
    """
    using = database()

    def replace() -> SignedIn:
        with atomically(using, refusable=True):
            revoke_user(using, user.pk, cause, EFFECT_SESSION)
            return _reopen(using, user, session_id, request)

    return persistently(using, replace)


def reauthenticate(user: Any, session_id: UUID) -> tuple[str, int]:
    """A new access token with a new ``auth_time``, after the password was verified again.

    Returns it with its life in seconds. Raises ``TokenRevoked`` when the session died meanwhile.
    """
    using = database()

    def renew() -> tuple[str, int]:
        facts, extra = session_facts(using, session_id)
        require_live(facts, extra["now"])
        _require_same_password(facts, user)
        rows = DeviceSession.objects.using(using).filter(pk=session_id, ended_at__isnull=True)
        rows.update(authenticated_at=extra["now"])
        return mint_access(facts, session_id, extra["now"], facts.expires_at)

    return persistently(using, renew)


def change_password(
    user: Any, session_id: UUID, new_password: str, request: HttpRequest | None
) -> SignedIn:
    """Give ``user``, whose old password was just verified, a new one; new tokens for this device.

    All sessions end, and with them whatever was stolen; this device gets a new one. Raises
    ``SignInRefused`` when the password changed since it was verified.
    """
    using = database()
    verified = user.password

    def change() -> SignedIn:
        with atomically(using, refusable=True):
            rows = type(user)._base_manager.using(using).filter(pk=user.pk, password=verified)
            if not lock_rows(rows).exists():
                raise SignInRefused("the password changed meanwhile")
            user.set_password(new_password)
            user.save(using=using, update_fields=["password"])  # revokes: a receiver sees it
            return _reopen(using, user, session_id, request)

    return persistently(using, change)


def rename_session(using: str, session: DeviceSession, name: str) -> None:
    """Give the session another name."""
    session.name = name[:MAX_NAME]
    session.save(using=using, update_fields=["name"])


def _reopen(using: str, user: Any, session_id: UUID, request: HttpRequest | None) -> SignedIn:
    rows = DeviceSession.objects.using(using).filter(pk=session_id, user_id=user.pk)
    name = rows.values_list("name", flat=True).first() or ""
    return _sign_in(using, user, _new_session(user.pk, request, name), request)


def _sign_in(
    using: str, user: Any, session: DeviceSession, request: HttpRequest | None
) -> SignedIn:
    if conf.MAX_SESSIONS_PER_USER is None:
        return _open(using, user, session, request)
    with atomically(using, refusable=True):
        # One sign-in of this user at a time, or two would both find room.
        states = UserTokenState.objects.using(using).filter(pk=user.pk)
        if lock_rows(states).first() is None:
            ensure_state(using, settled_account(using, user.pk).user)
            lock_rows(states).first()
        _make_room(using, user.pk, conf.MAX_SESSIONS_PER_USER)
        return _open(using, user, session, request)


def _open(using: str, user: Any, session: DeviceSession, request: HttpRequest | None) -> SignedIn:
    facts = settled_account(using, user.pk)
    if not is_active(facts.user):
        raise SignInRefused("user is inactive")
    _require_same_password(facts, user)
    now = timezone.now()
    session.created_at = session.authenticated_at = session.last_used_at = now
    session.expires_at = now + conf.SESSION_LIFETIME
    session.idle_expires_at = now + conf.SESSION_IDLE_TIMEOUT
    session.opened_version = facts.version or 0
    session.opened_generation = facts.generation or 0
    session.save(using=using, force_insert=True)

    def tell() -> None:
        signals.signed_in.send_robust(
            sender=DeviceSession, user=facts.user, session=session, request=request
        )

    transaction.on_commit(tell, using=using, robust=True)
    return mint(facts, session.pk, now, session.expires_at, 0)


def _make_room(using: str, user_pk: Any, limit: int) -> None:
    # Locked, to see them as they are now: the caller's transaction may read an old snapshot.
    live = lock_rows(live_sessions(using)).filter(user_id=user_pk).order_by("created_at")
    keys = list(live.values_list("pk", flat=True))
    surplus = keys[: max(0, len(keys) - limit + 1)]
    if not surplus:
        return
    if conf.ON_SESSION_LIMIT == "refuse":
        raise SessionLimitReached
    sessions = DeviceSession.objects.using(using).filter(pk__in=surplus)
    revoke_sessions(using, sessions, Cause("session_limit"))


def _new_session(user_pk: Any, request: HttpRequest | None, device: str) -> DeviceSession:
    agent = user_agent(request)
    return DeviceSession(
        pk=uuid4(),
        user_id=user_pk,
        name=device[:MAX_NAME] or conf.DEVICE_NAMER(agent)[:MAX_NAME],
        user_agent=agent,
        ip_address=client_address(request) if request else None,
    )


def _require_same_password(facts: Facts, verified: Any) -> None:
    if not hmac.compare_digest(
        password_fingerprint(facts.user.password), password_fingerprint(verified.password)
    ):
        raise SignInRefused("the password changed meanwhile")
