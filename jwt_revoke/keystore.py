"""Where keys come from: the settings, or ``SECRET_KEY`` when they name none."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.encoding import force_bytes

from .conf import conf
from .keys import KeyRing, KeyUnusable, RefreshKey, RefreshKeyRing, hkdf, load_key

ACCESS_LABEL = b"jwt_revoke access token signing"
REFRESH_LABEL = b"jwt_revoke refresh token"


def key_ring() -> KeyRing:
    """The keys of access tokens. Raises ``ImproperlyConfigured`` when one is unusable."""
    secrets = _secrets() if not conf.SIGNING_KEYS else ()
    return _key_ring(conf.ALGORITHM, tuple(conf.SIGNING_KEYS), secrets)


def refresh_key_ring() -> RefreshKeyRing:
    """The keys of refresh tokens. Raises ``ImproperlyConfigured`` when one is unusable."""
    secrets = _secrets() if not conf.REFRESH_KEYS else ()
    return _refresh_key_ring(tuple(conf.REFRESH_KEYS), secrets)


def _secrets() -> tuple[str | bytes, ...]:
    return (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS)


# Cached by what they are made of, so a changed setting is a changed ring with nothing to reset.
@lru_cache(maxsize=8)
def _key_ring(
    algorithm: str, materials: tuple[str, ...], secrets: tuple[str | bytes, ...]
) -> KeyRing:
    try:
        if materials:
            return KeyRing(tuple(load_key(algorithm, material) for material in materials))
        if not algorithm.startswith("HS"):
            raise KeyUnusable(f"{algorithm} needs its private keys in SIGNING_KEYS")
        derived = (hkdf(force_bytes(secret), ACCESS_LABEL, 64) for secret in secrets)
        return KeyRing(tuple(load_key(algorithm, secret) for secret in derived))
    except KeyUnusable as error:
        raise ImproperlyConfigured(f"JWT_REVOKE['SIGNING_KEYS']: {error}") from None


@lru_cache(maxsize=8)
def _refresh_key_ring(
    materials: tuple[str, ...], secrets: tuple[str | bytes, ...]
) -> RefreshKeyRing:
    chosen = [material.encode() for material in materials] or [
        hkdf(force_bytes(secret), REFRESH_LABEL, 32) for secret in secrets
    ]
    try:
        return RefreshKeyRing(tuple(RefreshKey.from_secret(secret) for secret in chosen))
    except KeyUnusable as error:
        raise ImproperlyConfigured(f"JWT_REVOKE['REFRESH_KEYS']: {error}") from None
