"""The life of a session: sign in, go on with a new one, confirm the password, rename."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from . import signals
from .bulk import revoke_sessions
from .claims import Claims
from .conf import conf
from .database import atomically, insert_select, lock_rows, persistently
from .exceptions import SessionLimitReached, SignInRefused, TokenRefused
from .log import Cause
from .minting import (
    SignedIn,
    mint,
    mint_access,
    require_live,
    session_facts,
    settled_account,
)
from .models import EFFECT_SESSION, DeviceSession, UserTokenState, write_alias
from .revocation import revoke_user
from .settling import settle
from .standing import (
    Facts,
    is_active,
    is_recorded,
    judge,
    live_sessions,
    password_fingerprint,
)
from .user_agents import MAX_NAME, client_address, user_agent


def sign_in(user: Any, request: HttpRequest | None, device: str = "") -> SignedIn:
    """Open a session for ``user``, whose credentials the caller has verified.

    Raises ``SignInRefused`` when the account is gone, inactive, or no longer has the password
    hash that ``user`` holds; ``SessionLimitReached``; ``Unavailable``.
    """
    using = write_alias()
    session = _new_session(user.pk, request, device)
    return persistently(using, _sign_in, using, user, session, request)


def replace_session(
    user: Any, claims: Claims, request: HttpRequest | None, cause: Cause
) -> SignedIn:
    """End all sessions of ``user`` and open one in place of that of ``claims``.

    A new one, so that nothing stolen before survives inside the kept one; of the old one it has
    the name and the times, since nobody proved a password: neither its end nor its ``auth_time``
    moves. Raises ``TokenStale`` or ``TokenRevoked`` when the token died since it was let in.
    """
    using = write_alias()

    def replace() -> SignedIn:
        with atomically(using, refusable=True):
            # All locked before the token is judged again: a revocation that was under way when it
            # was let in has committed by now, and must not be survived by a new session.
            _lock(using, user.pk, claims.sid)
            facts, old, now = session_facts(using, claims.sid)
            judge(claims, facts, now)
            version = revoke_user(using, user.pk, cause, EFFECT_SESSION)
            session = _new_session(user.pk, request, old.name)
            session.created_at = old.created_at
            session.authenticated_at = old.authenticated_at
            session.expires_at = old.expires_at
            return _open(using, facts._replace(version=version), session, request, now)

    try:
        return persistently(using, replace)
    except TokenRefused:
        # What the refused transaction found of unseen changes was undone with it.
        persistently(using, settle, using, user.pk)
        raise


def reauthenticate(user: Any, session_id: UUID) -> tuple[str, int]:
    """A new access token with a new ``auth_time``, after the password was verified again.

    Returns it with its life in seconds. Raises ``TokenRevoked`` when the session died meanwhile,
    ``SignInRefused`` when the password changed.
    """
    using = write_alias()

    def renew() -> tuple[str, int]:
        facts, session, now = session_facts(using, session_id)
        require_live(facts, now)
        _require_same_password(facts, user)
        session.authenticated_at = now
        answer = mint_access(facts, session)
        rows = DeviceSession.objects.using(using).filter(pk=session_id, ended_at__isnull=True)
        rows.update(authenticated_at=now)
        return answer

    return persistently(using, renew)


def change_password(
    user: Any, session_id: UUID, new_password: str, request: HttpRequest | None
) -> SignedIn:
    """Give ``user``, whose old password was just verified, a new one; new tokens for this device.

    All sessions end, whatever ``REVOKE_ON`` says of a password that is saved elsewhere, and with
    them whatever was stolen; this device gets a new one. Raises ``SignInRefused`` when the
    password changed since it was verified.
    """
    using = write_alias()
    verified = user.password

    def change() -> SignedIn:
        with atomically(using, refusable=True):
            rows = type(user)._base_manager.using(using).filter(pk=user.pk, password=verified)
            if not lock_rows(rows).exists():
                raise SignInRefused("the password changed meanwhile")
            user.set_password(new_password)
            user.save(using=using, update_fields=["password"])  # revokes: a receiver sees it
            if conf.REVOKE_ON["password_changed"] != EFFECT_SESSION:
                cause = Cause.of("password_changed", user)
                revoke_user(using, user.pk, cause, EFFECT_SESSION)
            old = DeviceSession.objects.using(using).filter(pk=session_id, user_id=user.pk)
            name = old.values_list("name", flat=True).first() or ""
            return _sign_in(using, user, _new_session(user.pk, request, name), request)

    return persistently(using, change)


def rename_session(session: DeviceSession, name: str) -> bool:
    """Give the session another name. False = the row is gone."""
    using = write_alias()
    session.name = name[:MAX_NAME]
    rows = DeviceSession.objects.using(using).filter(pk=session.pk)
    return bool(persistently(using, rows.update, name=session.name))


def _sign_in(
    using: str, user: Any, session: DeviceSession, request: HttpRequest | None
) -> SignedIn:
    # Settled before anything is locked: to settle locks the user, who comes before the state.
    facts = settled_account(using, user.pk)
    limit = conf.MAX_SESSIONS_PER_USER
    if limit is None:
        return _open_verified(using, user, facts, session, request)
    with atomically(using, refusable=True):
        # One sign-in of this user at a time, or two would both find room.
        _lock(using, user.pk)
        _make_room(using, user.pk, limit)
        facts = settled_account(using, user.pk)
        return _open_verified(using, user, facts, session, request)


def _open_verified(
    using: str, user: Any, facts: Facts, session: DeviceSession, request: HttpRequest | None
) -> SignedIn:
    """Open a session that begins now, with the credentials that ``user`` was verified by."""
    if not is_active(facts.user):
        raise SignInRefused("user is inactive")
    _require_same_password(facts, user)
    now = timezone.now()
    session.created_at = session.authenticated_at = now
    session.expires_at = now + conf.SESSION_LIFETIME
    return _open(using, facts, session, request, now)


def _open(
    using: str, facts: Facts, session: DeviceSession, request: HttpRequest | None, now: datetime
) -> SignedIn:
    session.last_used_at = now
    session.idle_expires_at = now + conf.SESSION_IDLE_TIMEOUT
    session.opened_version = facts.version or 0
    session.opened_generation = facts.generation or 0
    # Minted first: a CLAIMS function that fails must not leave a session that nobody holds.
    answer = mint(facts, session, 0)
    _insert(using, session)

    def tell() -> None:
        signals.signed_in.send_robust(
            sender=DeviceSession, user=facts.user, session=session, request=request
        )

    transaction.on_commit(tell, using=using, robust=True)
    return answer


def _insert(using: str, session: DeviceSession) -> None:
    """Not ``save()``: a user who is deleted since they were read would leave a session behind."""
    owner = get_user_model()._base_manager.using(using).filter(pk=session.user_id)
    fields = DeviceSession._meta.concrete_fields
    values = {field.name: getattr(session, field.attname) for field in fields}
    if not insert_select(using, DeviceSession, owner, values, owned=True):
        raise SignInRefused("the user was deleted meanwhile")
    session._state.adding, session._state.db = False, using


def _lock(using: str, user_pk: Any, session_id: UUID | None = None) -> None:
    """Lock the user, the state and the session, in the order that everybody keeps."""
    lock_rows(get_user_model()._base_manager.using(using).filter(pk=user_pk)).exists()
    lock_rows(UserTokenState.objects.using(using).filter(pk=user_pk)).exists()
    if session_id is not None:
        lock_rows(DeviceSession.objects.using(using).filter(pk=session_id)).exists()


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
    if not is_recorded(verified.password, password_fingerprint(facts.user.password)):
        raise SignInRefused("the password changed meanwhile")
