"""What each setting must be: one rule, one id and one hint for every setting there is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.core.checks import Error
from django.utils.module_loading import import_string

from ..conf import DEFAULT_REVOKE_ON, conf

Rule = tuple[str, Callable[[Any], bool], str]


def _duration(*, zero: bool = False) -> Callable[[Any], bool]:
    def valid(value: Any) -> bool:
        return isinstance(value, timedelta) and (value > timedelta(0) or (zero and not value))

    return valid


def _text_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value != "")


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _keys(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(item, str)
        or (
            isinstance(item, dict)
            and item.keys() == {"algorithm", "key"}
            and all(isinstance(part, str) for part in item.values())
        )
        for item in value
    )


def _some_texts(value: Any) -> bool:
    return _texts(value) and len(value) > 0 and all(value)


def _importable(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return callable(import_string(value))
    except ImportError:
        return False


def _effects(value: Any) -> bool:
    return isinstance(value, dict) and all(
        event in DEFAULT_REVOKE_ON and effect in {"session", "access", None}
        for event, effect in value.items()
    )


_POSITIVE: Final = _duration()
_A_DURATION: Final = "Set a positive datetime.timedelta."
_A_PATH: Final = "Set the dotted path of a callable that can be imported."

RULES: Final[dict[str, Rule]] = {
    "ACCESS_TOKEN_LIFETIME": (
        "E101",
        lambda value: isinstance(value, timedelta) and value >= timedelta(seconds=1),
        "Set a datetime.timedelta of at least a second, e.g. of 5 minutes.",
    ),
    "SESSION_IDLE_TIMEOUT": ("E102", _POSITIVE, _A_DURATION),
    "SESSION_LIFETIME": ("E103", _POSITIVE, _A_DURATION),
    "REFRESH_GRACE": ("E104", _duration(zero=True), "Set a datetime.timedelta; 0 = no grace."),
    "ON_REUSE": ("E105", {"session", "user"}.__contains__, 'Set "session" or "user".'),
    "MAX_SESSIONS_PER_USER": (
        "E106",
        lambda value: value is None or (type(value) is int and value > 0),
        "Set a positive whole number, or None for no limit.",
    ),
    "ON_SESSION_LIMIT": (
        "E107",
        {"end_oldest", "refuse"}.__contains__,
        'Set "end_oldest" or "refuse".',
    ),
    "ALGORITHM": (
        "E108",
        lambda value: isinstance(value, str),
        "Set the name of an algorithm, e.g. HS256.",
    ),
    "SIGNING_KEYS": (
        "E109",
        _keys,
        'Set a list of texts, or {"algorithm": …, "key": …}; the first signs.',
    ),
    "KEY_STORE": (
        "E127",
        {"settings", "files", "database"}.__contains__,
        'Set "settings", "files" or "database".',
    ),
    "KEY_ENCRYPTION_KEYS": ("E128", _texts, "Set a list of texts; the first encrypts."),
    "KEY_ROTATION_PERIOD": (
        "E129",
        lambda value: value is None or _POSITIVE(value),
        "Set a positive datetime.timedelta, or None.",
    ),
    "KEY_REFRESH_INTERVAL": (
        "E130",
        lambda value: isinstance(value, timedelta) and value >= timedelta(seconds=1),
        "Set a datetime.timedelta of at least a second, e.g. of a minute.",
    ),
    "SUBJECT": ("E131", {"pk", "opaque"}.__contains__, 'Set "pk" or "opaque".'),
    "REFRESH_KEYS": ("E110", _texts, "Set a list of texts; the first signs."),
    "ISSUER": ("E111", _text_or_none, "Set a text, or None."),
    "AUDIENCE": ("E112", _text_or_none, "Set a text, or None."),
    "CLIENT_ID": ("E113", _text_or_none, "Set a text, or None."),
    "LEEWAY": ("E114", _duration(zero=True), "Set a datetime.timedelta, e.g. of 10 seconds."),
    "CLAIMS": ("E115", lambda value: value is None or _importable(value), _A_PATH),
    "BACKEND": ("E116", lambda value: isinstance(value, str), "Set the dotted path of a backend."),
    "OPTIONS": ("E117", lambda value: isinstance(value, dict), "Set a dict."),
    "USER_QUERYSET": ("E125", lambda value: value is None or _importable(value), _A_PATH),
    "VERIFIED_CACHE_SIZE": (
        "E126",
        lambda value: type(value) is int and value >= 0,
        "Set a number of tokens, or 0 for no cache.",
    ),
    "WATCHED_FIELDS": ("E118", _texts, "Set a list of field names of the user model."),
    "REVOKE_ON": (
        "E119",
        _effects,
        f'Map {", ".join(DEFAULT_REVOKE_ON)} to "session", "access" or None.',
    ),
    "REVOKE_ON_DJANGO_LOGOUT": (
        "E120",
        lambda value: isinstance(value, bool),
        "Set True or False.",
    ),
    "AUDIT_RETENTION": ("E121", _POSITIVE, _A_DURATION),
    "DEVICE_DATA_RETENTION": ("E122", _POSITIVE, _A_DURATION),
    "AUTH_HEADER_TYPES": ("E123", _some_texts, 'Set a list of schemes, e.g. ["Bearer"].'),
    "DEVICE_NAMER": ("E124", _importable, _A_PATH),
}
"""Setting → id, what it must be, what to do. Every setting has its own."""


SIMPLEJWT_NAMES: Final = {
    "AUTH_HEADER_NAME": "It is always Authorization.",
    "AUTH_TOKEN_CLASSES": "Leave it out: there is one kind of access token.",
    "BLACKLIST_AFTER_ROTATION": "Leave it out: it is always so.",
    "CHECK_REVOKE_TOKEN": "Leave it out: it is always so.",
    "CHECK_USER_IS_ACTIVE": "Leave it out: it is always so.",
    "JSON_ENCODER": "Leave it out: let CLAIMS return what JSON knows.",
    "JWK_URL": "Leave it out: our keys are published at jwks.json.",
    "JTI_CLAIM": "Leave it out: it is always jti.",
    "REFRESH_TOKEN_LIFETIME": "Set SESSION_IDLE_TIMEOUT and SESSION_LIFETIME.",
    "REVOKE_TOKEN_CLAIM": "Leave it out: the password is compared in the database.",
    "ROTATE_REFRESH_TOKENS": "Leave it out: it is always so.",
    "SIGNING_KEY": "Set SIGNING_KEYS, a list: the first signs, all verify.",
    "SLIDING_TOKEN_LIFETIME": "Leave it out: there are no sliding tokens; sessions slide.",
    "SLIDING_TOKEN_REFRESH_LIFETIME": "Set SESSION_IDLE_TIMEOUT and SESSION_LIFETIME.",
    "TOKEN_OBTAIN_SERIALIZER": "Set CLAIMS, the dotted path of f(user, session) -> dict.",
    "TOKEN_TYPE_CLAIM": "Leave it out: it is always token_type.",
    "TOKEN_USER_CLASS": "Leave it out: request.user is always of the user model.",
    "UPDATE_LAST_LOGIN": "Leave it out: connect to the signal jwt_revoke.signals.signed_in.",
    "USER_AUTHENTICATION_RULE": "Leave it out: write an authentication backend of Django's.",
    "USER_ID_CLAIM": "Leave it out: it is always sub.",
    "USER_ID_FIELD": "Leave it out: sub is the primary key, or with SUBJECT an opaque id.",
    "VERIFYING_KEY": "Leave it out: it is made from the private key in SIGNING_KEYS.",
}
"""What people bring with them from simplejwt → what to do here."""


def are_valid(*names: str) -> bool:
    given = conf.configured
    return all(name not in given or is_valid(name, given) for name in names)


def is_valid(name: str, configured: Any) -> bool:
    try:
        return RULES[name][1](configured[name])
    except TypeError:  # unhashable, for instance
        return False


def error_of(number: str, text: str, hint: str) -> Error:
    return Error(text, hint=hint, id=f"jwt_revoke.{number}")
