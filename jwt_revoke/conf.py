"""The settings: one typed property each, read at the first access after a change.

All of them live in the dict ``JWT_REVOKE`` of the site's settings; ``checks`` validates them. What
was read is kept until Django says that the setting changed, so ``override_settings`` works, and a
request looks nothing up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

T = TypeVar("T")

DEFAULT_BACKEND: Final = "jwt_revoke.backends.database.DatabaseBackend"

DEFAULT_WATCHED_FIELDS: Final = ("is_staff", "is_superuser")
"""Watched wherever the user model has them; a name the site adds itself must exist."""

DEFAULT_REVOKE_ON: Final[Mapping[str, str | None]] = {
    "password_changed": "session",
    "role_changed": "access",
    "suspended": "session",
    "deleted": "session",
}
"""Event → effect. The remaining events (log-out, reuse, compromise) always end the session."""


@lru_cache(maxsize=32)
def _imported(path: str) -> Any:
    return import_string(path)


class Settings:
    """What the site configured, or the default. Durations are ``timedelta``."""

    @property
    def configured(self) -> Mapping[str, Any]:
        """The dict as the site wrote it."""
        value = getattr(django_settings, "JWT_REVOKE", None)
        return value if isinstance(value, Mapping) else {}

    @cached_property
    def ACCESS_TOKEN_LIFETIME(self) -> timedelta:
        """How long an access token lives. Lowering it shortens tokens already out."""
        return self._get("ACCESS_TOKEN_LIFETIME", timedelta(minutes=5))

    @cached_property
    def SESSION_IDLE_TIMEOUT(self) -> timedelta:
        """A session that was not refreshed for this long is over (s03)."""
        return self._get("SESSION_IDLE_TIMEOUT", timedelta(days=14))

    @cached_property
    def SESSION_LIFETIME(self) -> timedelta:
        """A session is over this long after it was opened, whatever its use (s23)."""
        return self._get("SESSION_LIFETIME", timedelta(days=90))

    @cached_property
    def REFRESH_GRACE(self) -> timedelta:
        """How long the previous refresh token is answered with the same successor; 0 = never."""
        return self._get("REFRESH_GRACE", timedelta(seconds=30))

    @cached_property
    def ON_REUSE(self) -> str:
        """What a replayed refresh token ends: its ``"session"``, or the ``"user"``'s all."""
        return self._get("ON_REUSE", "session")

    @cached_property
    def MAX_SESSIONS_PER_USER(self) -> int | None:
        """How many sessions of one user may live at once; ``None`` = any number (s24)."""
        return self._get("MAX_SESSIONS_PER_USER", None)

    @cached_property
    def ON_SESSION_LIMIT(self) -> str:
        """At the limit ``"end_oldest"`` makes room, ``"refuse"`` refuses the sign-in."""
        return self._get("ON_SESSION_LIMIT", "end_oldest")

    @cached_property
    def ALGORITHM(self) -> str:
        """The algorithm of the keys in ``SIGNING_KEYS``, and of the next one that is made."""
        return self._get("ALGORITHM", "HS256")

    @cached_property
    def SIGNING_KEYS(self) -> Sequence[str | Mapping[str, str]]:
        """Secrets or private keys in PEM; the first signs, all verify. Empty = derived.

        With ``KEY_STORE = "files"`` the paths of such. A key of another algorithm than
        ``ALGORITHM`` is written ``{"algorithm": "ES256", "key": "…"}``.
        """
        return self._get("SIGNING_KEYS", ())

    @cached_property
    def KEY_STORE(self) -> str:
        """Where the signing keys are: ``"settings"``, ``"files"`` or ``"database"`` (s34)."""
        return self._get("KEY_STORE", "settings")

    @cached_property
    def KEY_ENCRYPTION_KEYS(self) -> Sequence[str]:
        """Fernet keys; the first encrypts the private keys in the database, all decrypt."""
        return self._get("KEY_ENCRYPTION_KEYS", ())

    @cached_property
    def KEY_ROTATION_PERIOD(self) -> timedelta | None:
        """The age at which ``keys rotate --due`` replaces a signing key; ``None`` = never."""
        return self._get("KEY_ROTATION_PERIOD", None)

    @cached_property
    def KEY_REFRESH_INTERVAL(self) -> timedelta:
        """How old a process's copy of stored keys may be; a compromise does not wait for it."""
        return self._get("KEY_REFRESH_INTERVAL", timedelta(minutes=1))

    @cached_property
    def SUBJECT(self) -> str:
        """What ``sub`` says: the ``"pk"``, or an ``"opaque"`` id that can be renewed (s12)."""
        return self._get("SUBJECT", "pk")

    @cached_property
    def REFRESH_KEYS(self) -> Sequence[str]:
        """Secrets of the refresh tokens; the first signs, all verify. Empty = derived."""
        return self._get("REFRESH_KEYS", ())

    @cached_property
    def ISSUER(self) -> str | None:
        """Claim ``iss``; checked when set."""
        return self._get("ISSUER", None)

    @cached_property
    def AUDIENCE(self) -> str | None:
        """Claim ``aud``; checked when set."""
        return self._get("AUDIENCE", None)

    @cached_property
    def CLIENT_ID(self) -> str | None:
        """Claim ``client_id`` (RFC 9068); informative."""
        return self._get("CLIENT_ID", None)

    @cached_property
    def LEEWAY(self) -> timedelta:
        """Clock skew allowed when a token's expiry is judged."""
        return self._get("LEEWAY", timedelta(0))

    @cached_property
    def CLAIMS(self) -> Callable[..., Mapping[str, Any]] | None:
        """``f(user, session) -> dict``, by dotted path: the site's own claims."""
        path: str | None = self._get("CLAIMS", None)
        return _imported(path) if path else None

    @cached_property
    def BACKEND(self) -> str:
        """Dotted path of the backend class: how a request learns whether its token is revoked."""
        return self._get("BACKEND", DEFAULT_BACKEND)

    @cached_property
    def OPTIONS(self) -> Mapping[str, Any]:
        """The backend's own options."""
        return self._get("OPTIONS", {})

    @cached_property
    def USER_QUERYSET(self) -> Callable[[Any], Any] | None:
        """``f(queryset) -> queryset``, by dotted path: what is fetched along with the user."""
        path: str | None = self._get("USER_QUERYSET", None)
        return _imported(path) if path else None

    @cached_property
    def VERIFIED_CACHE_SIZE(self) -> int:
        """How many verified access tokens a process keeps, to save their signatures; 0 = none."""
        return self._get("VERIFIED_CACHE_SIZE", 10_000)

    @cached_property
    def WATCHED_FIELDS(self) -> Sequence[str]:
        """Fields of the user whose change is a change of role."""
        return self._get("WATCHED_FIELDS", DEFAULT_WATCHED_FIELDS)

    @cached_property
    def REVOKE_ON(self) -> Mapping[str, str | None]:
        """Event → ``"session"``, ``"access"`` or ``None``; what is left out keeps its default."""
        return {**DEFAULT_REVOKE_ON, **self._get("REVOKE_ON", {})}

    @cached_property
    def REVOKE_ON_DJANGO_LOGOUT(self) -> bool:
        """Whether ``django.contrib.auth.logout`` also ends all JWT sessions of the user."""
        return self._get("REVOKE_ON_DJANGO_LOGOUT", False)

    @cached_property
    def AUDIT_RETENTION(self) -> timedelta:
        """How long revocations and ended sessions are kept."""
        return self._get("AUDIT_RETENTION", timedelta(days=365))

    @cached_property
    def DEVICE_DATA_RETENTION(self) -> timedelta:
        """IP address and user agent are erased this long after the session ended."""
        return self._get("DEVICE_DATA_RETENTION", timedelta(days=90))

    @cached_property
    def AUTH_HEADER_TYPES(self) -> Sequence[str]:
        """Schemes accepted in the ``Authorization`` header; the first is the one we announce."""
        return self._get("AUTH_HEADER_TYPES", ("Bearer",))

    @cached_property
    def schemes(self) -> frozenset[str]:
        """``AUTH_HEADER_TYPES`` as they are compared: without case (RFC 9110 §11.1)."""
        return frozenset(scheme.lower() for scheme in self.AUTH_HEADER_TYPES)

    @cached_property
    def DEVICE_NAMER(self) -> Callable[[str], str]:
        """``f(user_agent) -> str``, by dotted path: what a device is called at first."""
        namer: Callable[[str], str] = _imported(
            self._get("DEVICE_NAMER", "jwt_revoke.user_agents.name_device")
        )
        return namer

    def _get(self, name: str, default: T) -> T:
        # The type is what checks.py demands; nothing is coerced here.
        value: T = self.configured.get(name, default)
        return value


SETTING_NAMES: Final = frozenset(name for name in vars(Settings) if name.isupper())

conf: Final = Settings()


def _forget(*, setting: str, **_kwargs: Any) -> None:
    if setting == "JWT_REVOKE":
        vars(conf).clear()


# Before any other receiver: what they do next reads the settings as they are now.
setting_changed.connect(_forget)
