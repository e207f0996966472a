"""Throttles of the token endpoints: DRF's interface, our counters.

DRF's own read a list and write it back, so that parallel guesses count as one. These add one to a
number in the cache, atomically, in fixed windows; where the cache cannot add atomically, they take
the places of a window one by one. Rates come from DRF's
``DEFAULT_THROTTLE_RATES``; a scope without a rate is not throttled (a check says so).
"""

from __future__ import annotations

import hashlib
import logging
import time
import unicodedata
from ipaddress import ip_network
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.cache import DEFAULT_CACHE_ALIAS, cache, caches
from django.core.cache.backends.base import BaseCache
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from .authentication import ServiceUnavailable
from .user_agents import client_address

logger: Final = logging.getLogger("jwt_revoke")

SCOPES: Final = (
    "jwt_revoke_token",
    "jwt_revoke_token_user",
    "jwt_revoke_refresh",
    "jwt_revoke_password",
    "jwt_revoke_password_user",
)


class CountingThrottle(SimpleRateThrottle):
    """So many requests in each window of DRF's rate ("10/min"), whoever asks in parallel."""

    num_requests: int | None
    duration: int | None
    remaining: float = 0

    def get_rate(self) -> str | None:
        rate = api_settings.DEFAULT_THROTTLE_RATES.get(str(self.scope))
        return None if rate is None else str(rate)

    def allow_request(self, request: Request, view: APIView) -> bool:
        if self.num_requests is None or self.duration is None:
            return True
        subject = self.subject(request)
        if subject is None:
            return True
        now = time.time()
        window = int(now // self.duration)
        self.remaining = (window + 1) * self.duration - now
        # Hashed: a cache is nobody's place for the names that people try to sign in with.
        # JSON may spell half of a surrogate pair, which is refused later and no error here.
        digest = hashlib.sha256(subject.encode(errors="surrogatepass")).hexdigest()
        key = f"jwt_revoke:throttle:{self.scope}:{window}:{digest}"
        return _count(key, self.duration + 1, self.num_requests) <= self.num_requests

    def wait(self) -> float:
        """Seconds until the window ends."""
        return self.remaining

    def subject(self, request: Request) -> str | None:
        """Whose requests are counted; ``None`` = not to be counted."""
        address = client_address(request) or "unknown"
        # Every IPv6 client has a /64 to itself, and a fresh allowance for each address of it else.
        return str(ip_network((address, 64), strict=False)) if ":" in address else address


class SignInThrottle(CountingThrottle):
    """Sign-ins by address."""

    scope = "jwt_revoke_token"


class SignInUserThrottle(CountingThrottle):
    """Sign-ins by the name tried, from any address: guessing is not sped up by a botnet."""

    scope = "jwt_revoke_token_user"

    def subject(self, request: Request) -> str | None:
        data: Any = request.data
        name = data.get(get_user_model().USERNAME_FIELD) if hasattr(data, "get") else None
        # The serializer takes a number for a name too, and trims it; a collation may find the
        # same account under another case or accent, or with characters of no width between.
        # Each spelling would be a fresh allowance.
        if not isinstance(name, str | int | float):
            return None
        plain = unicodedata.normalize("NFKD", str(name).strip().casefold())
        return "".join(
            char for char in plain if char.isprintable() and not unicodedata.combining(char)
        )


class RefreshThrottle(CountingThrottle):
    """Refreshes by address."""

    scope = "jwt_revoke_refresh"


class PasswordThrottle(CountingThrottle):
    """Password confirmations by address."""

    scope = "jwt_revoke_password"


class PasswordUserThrottle(CountingThrottle):
    """Password confirmations by account."""

    scope = "jwt_revoke_password_user"

    def subject(self, request: Request) -> str | None:
        return str(request.user.pk)


def _count(key: str, timeout: int, limit: int) -> int:
    try:
        count: Any = _added(key, timeout) if _adds_atomically() else _placed(key, timeout, limit)
    except Exception as error:
        # Whatever the cache's client raises: not counted is not allowed.
        logger.exception("Throttle: the cache does not answer")
        raise ServiceUnavailable from error
    if not isinstance(count, int):
        # django-redis with IGNORE_EXCEPTIONS answers None while Redis is away.
        logger.error("Throttle: the cache ignores its errors")
        raise ServiceUnavailable
    return count


def _adds_atomically() -> bool:
    """Django's own ``incr`` reads and writes back: of two at once one is not counted."""
    return type(caches[DEFAULT_CACHE_ALIAS]).incr is not BaseCache.incr


def _added(key: str, timeout: int) -> Any:
    cache.add(key, 0, timeout=timeout)
    return cache.incr(key)


def _placed(key: str, timeout: int, limit: int) -> Any:
    """The first free place of the window, or the one past the last: only one who adds gets it."""
    # Where to begin looking. Not to be counted with: who writes it last may not have been last.
    taken = cache.get(key, 0)
    for place in range(taken + 1, limit + 1):
        if cache.add(f"{key}:{place}", 1, timeout=timeout):
            cache.set(key, place, timeout=timeout)
            # One that keeps nothing would give the first place to everybody.
            return place if taken or cache.get(key) else None
    return limit + 1
