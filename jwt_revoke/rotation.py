"""Refresh: for one refresh token there is one successor, whoever asks (invariant 5).

The presented counter *k* meets the row's counter *n* (DESIGN §5):

- ``k = n``: compare and swap; who loses that race reads again and goes on below.
- ``k = n - 1`` within the grace, from the same user agent: the successor there is, once more.
- any other ``k < n``: used before. The session ends.
- ``k > n``: the database went back in time.
"""

from __future__ import annotations

import hmac
import logging
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest

from . import signals
from .codec import RefreshClaims
from .conf import conf
from .database import DatabaseNow, atomically, lock_rows, persistently
from .exceptions import RefreshReused, TokenInvalid, TokenRevoked
from .keystore import refresh_key_ring
from .log import Cause, one_line
from .minting import SignedIn, mint, require_live, session_facts
from .models import EFFECT_SESSION, DeviceSession, write_alias
from .revocation import revoke_session, revoke_user
from .standing import Facts
from .user_agents import user_agent

logger: Final = logging.getLogger("jwt_revoke")


def refresh(token: RefreshClaims, request: HttpRequest | None) -> SignedIn:
    """The successor of an authentic refresh token, with a new access token.

    Raises ``TokenRevoked`` when its session is dead, ``RefreshReused`` after a replay (the
    session is then ended and committed), ``Unavailable``.
    """
    using = write_alias()
    return persistently(using, _refresh, using, token, request)


def require_current(token: RefreshClaims) -> None:
    """Raise ``TokenRevoked`` unless the refresh token would be answered now. Rotates nothing."""
    using = write_alias()
    facts, session, now = persistently(using, session_facts, using, token.session_id)
    _require_key(token, facts)
    require_live(facts, now)
    if session.held_at is not None or token.counter != session.refresh_counter:
        raise TokenRevoked("refresh token superseded, or its session held")


def _refresh(using: str, token: RefreshClaims, request: HttpRequest | None) -> SignedIn:
    facts, session, now = session_facts(using, token.session_id)
    _require_key(token, facts)
    require_live(facts, now)
    if session.held_at is not None:
        raise TokenRevoked("session is held")
    if token.counter == session.refresh_counter:
        # Minted first: a CLAIMS function that fails after the swap would leave the client with a
        # used token, and its retry would be taken for theft.
        successor = mint(facts, session, token.counter + 1)
        if _rotate(using, token, now, request):
            return successor
        # Somebody was faster. As it stands now, not as an old snapshot has it.
        session, now = _session_now(using, token.session_id)
        if token.counter == session.refresh_counter:
            # Not a race lost to another refresh, which would have raised the counter: no replay.
            raise TokenRevoked("session expired meanwhile")
    if token.counter > session.refresh_counter:
        logger.critical(
            "A refresh token is ahead of the database, which went back in time: session=%s",
            token.session_id,
        )
        raise TokenRevoked("refresh token ahead of the database")
    if _in_grace(token, session, now, request):
        signals.refresh_repeated.send_robust(
            sender=DeviceSession, user=facts.user, session_id=token.session_id
        )
        return mint(facts, session, session.refresh_counter)
    _end_reused(using, token.session_id, facts)
    raise RefreshReused("refresh token used again")


def _require_key(token: RefreshClaims, facts: Facts) -> None:
    """Refuse a key that was compromised since this process read the keys."""
    if refresh_key_ring(facts.generation or 0).find(token.key_id) is None:
        raise TokenInvalid("unknown refresh key")


def _rotate(using: str, token: RefreshClaims, now: datetime, request: HttpRequest | None) -> bool:
    """Compare and swap, in one statement that also requires the session live.

    The user's floor is not asked again: whoever raises it ends the session's row in the same
    transaction, and what was read before it is dead below it. Asking would lock the state after
    the session on MariaDB, against the lock order.

    The user agent is from now on that of whoever rotates: the grace is theirs alone. That of the
    sign-in would give it to the owner after a thief, and to nobody once a browser is updated.
    """
    return bool(
        DeviceSession.objects.using(using)
        .filter(
            pk=token.session_id,
            refresh_counter=token.counter,
            ended_at__isnull=True,
            held_at__isnull=True,
            expires_at__gt=DatabaseNow(),
            idle_expires_at__gt=DatabaseNow(),
        )
        .update(
            refresh_counter=F("refresh_counter") + 1,
            rotated_at=DatabaseNow(),
            last_used_at=DatabaseNow(),
            idle_expires_at=now + conf.SESSION_IDLE_TIMEOUT,
            user_agent=user_agent(request),
        )
    )


def _session_now(using: str, session_id: UUID) -> tuple[DeviceSession, datetime]:
    with atomically(using):
        rows = lock_rows(DeviceSession.objects.using(using)).filter(
            pk=session_id, ended_at__isnull=True, held_at__isnull=True
        )
        session = rows.annotate(jwt_revoke_now=DatabaseNow()).first()
    if session is None:
        raise TokenRevoked("session ended meanwhile")
    return session, session.jwt_revoke_now


def _in_grace(
    token: RefreshClaims, session: DeviceSession, now: datetime, request: HttpRequest | None
) -> bool:
    """Whether this is the previous token, just superseded, from the same user agent.

    By the database's clock on both sides. The answer is the successor there is: no write.
    Either way from the rotation: SQLite's "now" is taken before it waits for the writer, and a
    clock stepped back must not make the grace longer.
    """
    return (
        token.counter == session.refresh_counter - 1
        and session.rotated_at is not None
        and abs(now - session.rotated_at) < conf.REFRESH_GRACE
        and hmac.compare_digest(user_agent(request).encode(), session.user_agent.encode())
    )


def _end_reused(using: str, session_id: UUID, facts: Facts) -> None:
    cause = Cause("refresh_reused")
    logger.warning(
        "Refresh token used again: session=%s user=%s", session_id, one_line(str(facts.user.pk))
    )
    with atomically(using):
        if conf.ON_REUSE == "user":
            revoke_user(using, facts.user.pk, cause, EFFECT_SESSION)
        else:
            revoke_session(using, session_id, cause)

        def tell() -> None:
            signals.refresh_reused.send_robust(
                sender=DeviceSession, user=facts.user, session_id=session_id
            )

        transaction.on_commit(tell, using=using, robust=True)
