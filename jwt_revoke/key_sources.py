"""Where keys come from: the settings, files, or rows of the database; and for how long."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from itertools import starmap
from pathlib import Path
from typing import Final

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.encoding import force_bytes

from .conf import conf
from .encryption import decrypt
from .keys import (
    SYMMETRIC,
    Key,
    KeyUnusable,
    RefreshKey,
    TimedKey,
    hkdf,
    load_key,
    load_public_key,
)
from .models import SigningKey
from .secrecy import secret_locals

logger: Final = logging.getLogger("jwt_revoke")

ACCESS_LABEL: Final = b"jwt_revoke access token signing "
REFRESH_LABEL: Final = b"jwt_revoke refresh token"
CLOCK_SKEW: Final = 60.0
"""Seconds by which clocks may differ before a key of one machine is too early for another."""
JWKS_MAX_AGE: Final = 300
"""Seconds for which others may keep the published keys."""


@secret_locals
def configured_keys() -> tuple[TimedKey, ...]:
    """The keys of the settings or of files. Raises ``ImproperlyConfigured`` if one is unusable."""
    given = signing_texts()
    try:
        if conf.KEY_STORE == "files":
            if not given:
                raise KeyUnusable('KEY_STORE is "files", and no file is named')
            given = tuple((algorithm, _content(path)) for algorithm, path in given)
        keys = _loaded(given or _derived())
        _require_one_algorithm_each(keys)
    except KeyUnusable as error:
        raise ImproperlyConfigured(f"JWT_REVOKE['SIGNING_KEYS']: {error}") from None
    return tuple(TimedKey(key, 0.0) for key in keys)


def signing_texts() -> tuple[tuple[str, str], ...]:
    """Algorithm and text of each entry of ``SIGNING_KEYS``: a secret, a PEM, or a file's path."""
    return tuple(
        (conf.ALGORITHM, entry) if isinstance(entry, str) else (entry["algorithm"], entry["key"])
        for entry in conf.SIGNING_KEYS
    )


@secret_locals
def configured_refresh_keys() -> tuple[RefreshKey, ...]:
    """The keys of refresh tokens. Raises ``ImproperlyConfigured`` if one is unusable."""
    return _refresh_keys(tuple(conf.REFRESH_KEYS), _secrets() if not conf.REFRESH_KEYS else ())


def succeeded(configured: Iterable[TimedKey], rows: Iterable[SigningKey]) -> Iterable[TimedKey]:
    """The settings' keys where others are stored: they sign until the first of those does."""
    begins = [row.not_before.timestamp() for row in rows if row.not_before is not None]
    if not begins:
        return configured
    first = min(begins)
    return (
        timed._replace(signs_until=first, verifies_until=first + overlap()) for timed in configured
    )


def usable(rows: Iterable[SigningKey], known: Iterable[TimedKey]) -> list[TimedKey]:
    """The stored keys that verify; those in ``known`` are not decrypted and parsed again."""
    loaded = {timed.key.kid: timed.key for timed in known}
    # Not a generator: its frame would be cut off from those above, which hide its locals.
    found = []
    for row in rows:
        if row.compromised_at is not None:
            continue
        key = loaded.get(row.kid)
        if key is None or key.signs is None:
            key = _key_of(row)
        terms = map(_seconds, (row.not_before, row.signs_until, row.verifies_until))
        found.append(TimedKey(key, *terms))
    return found


def overlap() -> float:
    """Seconds for which a key verifies after it has signed for the last time."""
    lifetime = conf.ACCESS_TOKEN_LIFETIME + conf.LEEWAY
    return lifetime.total_seconds() + conf.KEY_REFRESH_INTERVAL.total_seconds() + CLOCK_SKEW


def lead() -> float:
    """Seconds for which a key is published before it signs: every copy has it by then."""
    return conf.KEY_REFRESH_INTERVAL.total_seconds() + JWKS_MAX_AGE + CLOCK_SKEW


def _key_of(row: SigningKey) -> Key:
    """The key of a row; without its private part where that cannot be decrypted, and with its id
    alone where that was all of it: its tokens are not invalid, they cannot be judged."""
    try:
        if row.private:
            return load_key(row.algorithm, decrypt(row.private))
    except KeyUnusable as error:
        logger.error("Stored key %s cannot sign: %s", row.kid, error)  # noqa: TRY400  (says it all)
    try:
        if row.public:
            return load_public_key(row.algorithm, json.loads(row.public))
    except (KeyUnusable, ValueError) as error:
        logger.error("Stored key %s cannot verify: %s", row.kid, error)  # noqa: TRY400  (as above)
    return Key(row.kid, row.algorithm, None, None)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _require_one_algorithm_each(keys: Iterable[Key]) -> None:
    """RFC 8725 §3.1. They would have the same id, too: the first one's tokens alone would live."""
    known: dict[str, str] = {}
    for key in keys:
        if known.setdefault(key.kid, key.algorithm) != key.algorithm:
            raise KeyUnusable(
                f"one key for {known[key.kid]} and for {key.algorithm}: give one of them another"
            )


def _content(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, ValueError) as error:
        # Not the name: one who forgot KEY_STORE has the key itself there.
        raise KeyUnusable(f"a file cannot be read ({type(error).__name__})") from None


def _secrets() -> tuple[str | bytes, ...]:
    return (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS)


def _derived() -> tuple[tuple[str, bytes], ...]:
    """From each secret a key for each algorithm, none of which is another's (RFC 8725 §3.1)."""
    algorithms: Iterable[str] = (conf.ALGORITHM,)
    if conf.ALGORITHM not in SYMMETRIC:
        if conf.KEY_STORE != "database":
            raise KeyUnusable(f"{conf.ALGORITHM} needs its private keys in SIGNING_KEYS")
        algorithms = SYMMETRIC  # whichever it was before, until the first stored key signs
    return tuple(
        (algorithm, hkdf(force_bytes(secret), ACCESS_LABEL + algorithm.encode(), 64))
        for algorithm in algorithms
        for secret in _secrets()
    )


# Cached by what they are made of, so a changed setting is a changed key with nothing to reset.
@lru_cache(maxsize=8)
def _loaded(given: tuple[tuple[str, str | bytes], ...]) -> tuple[Key, ...]:
    return tuple(starmap(load_key, given))


@lru_cache(maxsize=8)
def _refresh_keys(
    materials: tuple[str, ...], secrets: tuple[str | bytes, ...]
) -> tuple[RefreshKey, ...]:
    chosen = [material.encode() for material in materials] or [
        hkdf(force_bytes(secret), REFRESH_LABEL, 32) for secret in secrets
    ]
    try:
        return tuple(RefreshKey.from_secret(secret) for secret in chosen)
    except KeyUnusable as error:
        raise ImproperlyConfigured(f"JWT_REVOKE['REFRESH_KEYS']: {error}") from None
