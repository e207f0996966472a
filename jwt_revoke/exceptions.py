"""Everything this package raises on purpose: one root, stable slugs.

``slug`` is what a client may read (``messages[].reason`` of a 401, DESIGN "Why 401");
``detail`` says exactly why and goes to the log alone.
"""

from __future__ import annotations

from typing import ClassVar


class JWTRevokeError(Exception):
    """The root. ``str(error)`` is the precise reason and never holds a token, key or hash."""

    slug: ClassVar[str] = "error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.slug)
        self.detail = detail or self.slug


class TokenRefused(JWTRevokeError):
    """A token that opens nothing. The client's answer to it is the subclass's ``slug``."""

    slug = "invalid"


class TokenInvalid(TokenRefused):
    """Bad signature, shape, type or claim."""


class UnknownKey(TokenInvalid):
    """Its header names a key that is not in the ring: ``kid``, unverified."""

    def __init__(self, kid: str) -> None:
        super().__init__("unknown key")
        self.kid = kid


class TokenExpired(TokenRefused):
    """Authentic, and past its life."""

    slug = "expired"


class TokenStale(TokenRefused):
    """Authentic, and out of date: refresh and go on."""

    slug = "stale"


class TokenRevoked(TokenRefused):
    """Authentic, and its session is known dead or gone: sign in again."""

    slug = "revoked"


class RefreshReused(TokenRevoked):
    """A refresh token that was used before came back: its session ended."""


class SignInRefused(JWTRevokeError):
    """No session was opened: the account is missing, inactive, or changed meanwhile."""

    slug = "no_active_account"


class SessionLimitReached(JWTRevokeError):
    """``MAX_SESSIONS_PER_USER`` sessions live already and ``ON_SESSION_LIMIT`` refuses more."""

    slug = "session_limit"


class Unavailable(JWTRevokeError):
    """The truth can't be had now: answered 503 with ``Retry-After``, never guessed."""

    slug = "unavailable"
    retry_after: ClassVar[int] = 1
