"""Checks of our own settings: names, values, keys, backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import Error

from ..backends.base import get_backend
from ..conf import SETTING_NAMES, conf
from ..encryption import decrypt, encrypt
from ..key_sources import configured_keys, configured_refresh_keys, lead, overlap, signing_texts
from ..keys import KeyUnusable
from ..models import SigningKey, write_alias
from ..standing import unknown_watched_fields
from .rules import RULES, SIMPLEJWT_NAMES, are_valid, error_of, is_valid

HOW_TO_MAKE_A_FERNET_KEY: Final = (
    "Make one: python -c 'from cryptography.fernet import Fernet; "
    "print(Fernet.generate_key().decode())'"
)
HOW_TO_MAKE_A_KEY: Final = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(64))'"


def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """The dict, its names, the type of each value, and the order of the lifetimes."""
    configured = getattr(settings, "JWT_REVOKE", {})
    if not isinstance(configured, dict):
        return [error_of("E001", "JWT_REVOKE is not a dict.", "Set JWT_REVOKE = {…}.")]
    messages: list[CheckMessage] = [
        error_of(
            "E002", f"JWT_REVOKE has {name!r}, which is no setting.", _what_was_meant(str(name))
        )
        for name in sorted(configured.keys() - SETTING_NAMES, key=str)
    ]
    wrong = [name for name in RULES if name in configured and not is_valid(name, configured)]
    messages += [
        error_of(RULES[name][0], f"JWT_REVOKE[{name!r}] is not valid.", RULES[name][2])
        for name in wrong
    ]
    if not wrong:
        messages += _order_of_lifetimes()
        messages += [
            error_of(
                "E004",
                f"JWT_REVOKE['WATCHED_FIELDS'] names {name!r}, which the user model lacks.",
                "Name columns of the user model; groups and permissions are watched anyway.",
            )
            for name in unknown_watched_fields()
        ]
    return messages


def check_keys(**_kwargs: Any) -> list[CheckMessage]:
    """Keys that can be used, and are not derived from the secret of everything else."""
    messages: list[CheckMessage] = []
    if not are_valid("ALGORITHM", "SIGNING_KEYS", "REFRESH_KEYS", "KEY_STORE"):
        return []
    if _is_pem_as_secret():
        return [
            error_of(
                "E205",
                f"JWT_REVOKE['SIGNING_KEYS'] has a key in PEM, and ALGORITHM is {conf.ALGORITHM}.",
                "Set ALGORITHM to what the key is for: RS256, PS256, ES256, ES384 or EdDSA.",
            )
        ]
    # Those that are configured: what is stored is not asked for before the first migration.
    for keys in (configured_keys, configured_refresh_keys):
        try:
            keys()
        except ImproperlyConfigured as error:
            messages.append(error_of("E201", str(error), HOW_TO_MAKE_A_KEY))
    return [*messages, *_shared_keys(), *_stored_keys()]


def check_derived_keys(**_kwargs: Any) -> list[CheckMessage]:
    """Keys of their own, said by ``manage.py check --deploy`` only: derived ones do work."""
    derived = [name for name in ("SIGNING_KEYS", "REFRESH_KEYS") if not conf.configured.get(name)]
    if not derived:
        return []
    return [
        checks.Warning(
            f"JWT_REVOKE has no {' and no '.join(derived)}: derived from SECRET_KEY, they change "
            "with it.",
            hint=f"Set a list of one key in each. {HOW_TO_MAKE_A_KEY}",
            id="jwt_revoke.W201",
        )
    ]


def check_backend(**_kwargs: Any) -> list[CheckMessage]:
    """The backend can be made; then what it says itself."""
    if not are_valid("BACKEND", "OPTIONS"):
        return []
    try:
        backend = get_backend()
    except ImproperlyConfigured as error:
        return [error_of("E202", str(error), "See the backends in the documentation.")]
    return list(backend.system_checks())


def _what_was_meant(name: str) -> str:
    if name.upper() in SIMPLEJWT_NAMES:
        return SIMPLEJWT_NAMES[name.upper()]
    close = get_close_matches(name.upper(), SETTING_NAMES, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known are: {', '.join(sorted(SETTING_NAMES))}."


def _is_pem_as_secret() -> bool:
    return any(
        algorithm.startswith("HS") and "-----BEGIN" in key for algorithm, key in signing_texts()
    )


def _shared_keys() -> Iterator[CheckMessage]:
    signing = {key for _algorithm, key in signing_texts()}
    if signing & set(conf.REFRESH_KEYS):
        yield error_of(
            "E206",
            "A key stands in SIGNING_KEYS and in REFRESH_KEYS: whoever is given it to verify "
            "access tokens could make refresh tokens.",
            "Make another for one of the two.",
        )
    for name, keys in (("SIGNING_KEYS", signing), ("REFRESH_KEYS", set(conf.REFRESH_KEYS))):
        if settings.SECRET_KEY in keys:
            yield checks.Warning(
                f"JWT_REVOKE[{name!r}] holds SECRET_KEY.",
                hint="Set a key of its own, so that neither has to change with the other.",
                id="jwt_revoke.W209",
            )


def _stored_keys() -> Iterator[CheckMessage]:
    if conf.KEY_STORE != "database" or not are_valid("KEY_ENCRYPTION_KEYS"):
        return
    try:
        encrypt("")
    except KeyUnusable as error:
        yield error_of("E209", f"Keys cannot be stored: {error}.", HOW_TO_MAKE_A_FERNET_KEY)


def check_stored_keys(databases: Sequence[str] | None = None, **_kw: Any) -> list[CheckMessage]:
    """What is in the database can be used; asked by ``migrate`` and ``check --database``."""
    using = write_alias()
    if conf.KEY_STORE != "database" or using not in (databases or ()):
        return []
    rows = SigningKey.objects.using(using).filter(compromised_at=None)
    try:
        stored = list(rows.exclude(private=""))
    except Error:
        return []  # before the first migration
    if not stored:
        return [
            checks.Warning(
                'KEY_STORE is "database", and no key is stored: the configured ones sign.',
                hint="Run: manage.py jwt_revoke keys rotate",
                id="jwt_revoke.W212",
            )
        ]
    unreadable = [row.kid for row in stored if not _can_be_decrypted(row)]
    if not unreadable:
        return []
    return [
        error_of(
            "E210",
            f"None of KEY_ENCRYPTION_KEYS decrypts the stored keys {', '.join(unreadable)}.",
            "Put back the one that they were encrypted under; it may go once `jwt_revoke keys "
            "rotate` has brought them under the first.",
        )
    ]


def _can_be_decrypted(row: SigningKey) -> bool:
    try:
        decrypt(row.private)
    except KeyUnusable:
        return False
    return True


def _order_of_lifetimes() -> Iterator[CheckMessage]:
    if conf.ACCESS_TOKEN_LIFETIME > conf.SESSION_IDLE_TIMEOUT:
        yield error_of(
            "E003",
            "ACCESS_TOKEN_LIFETIME is longer than SESSION_IDLE_TIMEOUT: a session in use would "
            "be over before its token has to be refreshed.",
            "Make the access token's life the shorter, e.g. 5 minutes.",
        )
    if conf.SESSION_IDLE_TIMEOUT > conf.SESSION_LIFETIME:
        yield error_of(
            "E005",
            "SESSION_IDLE_TIMEOUT is longer than SESSION_LIFETIME and never takes effect.",
            "Make the idle time-out the shorter, e.g. 14 days of 90.",
        )
    if conf.REFRESH_GRACE >= conf.ACCESS_TOKEN_LIFETIME:
        yield error_of(
            "E006",
            "REFRESH_GRACE is not shorter than ACCESS_TOKEN_LIFETIME.",
            "It is for two tabs and lost answers: some seconds, e.g. 30.",
        )
    if conf.KEY_ROTATION_PERIOD is not None:
        shortest = timedelta(seconds=lead() + overlap())
        if shortest > conf.KEY_ROTATION_PERIOD:
            yield error_of(
                "E007",
                "KEY_ROTATION_PERIOD is shorter than a rotation takes.",
                f"Make it longer than {shortest}, e.g. 30 days.",
            )
