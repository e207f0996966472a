"""System checks: each misconfiguration has an id of its own and a hint that says what to do.

Errors (``E``) stop ``manage.py``; warnings (``W``) are worth mending before users come;
``I001`` only informs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.checks import CheckMessage, Error, Info, Tags, register
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import connections, router
from django.urls import get_resolver
from django.utils.module_loading import import_string
from rest_framework.settings import api_settings

from .authentication import JWTAuthentication
from .backends.base import get_backend
from .conf import DEFAULT_REVOKE_ON, SETTING_NAMES, conf
from .keystore import key_ring, refresh_key_ring
from .models import database
from .standing import unknown_watched_fields
from .throttles import SCOPES, CountingThrottle

Rule = tuple[str, Callable[[Any], bool], str]


def connect() -> None:
    """Register the checks."""
    for check in (check_settings, check_keys, check_backend, check_site):
        register(check, Tags.security)
    register(check_deployment, Tags.security, deploy=True)


def _duration(*, zero: bool = False) -> Callable[[Any], bool]:
    def valid(value: Any) -> bool:
        return isinstance(value, timedelta) and (value > timedelta(0) or (zero and not value))

    return valid


def _text_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value != "")


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


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
    "ACCESS_TOKEN_LIFETIME": ("E101", _POSITIVE, _A_DURATION),
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
    "SIGNING_KEYS": ("E109", _texts, "Set a list of texts; the first signs."),
    "REFRESH_KEYS": ("E110", _texts, "Set a list of texts; the first signs."),
    "ISSUER": ("E111", _text_or_none, "Set a text, or None."),
    "AUDIENCE": ("E112", _text_or_none, "Set a text, or None."),
    "CLIENT_ID": ("E113", _text_or_none, "Set a text, or None."),
    "LEEWAY": ("E114", _duration(zero=True), "Set a datetime.timedelta, e.g. of 10 seconds."),
    "CLAIMS": ("E115", lambda value: value is None or _importable(value), _A_PATH),
    "BACKEND": ("E116", lambda value: isinstance(value, str), "Set the dotted path of a backend."),
    "OPTIONS": ("E117", lambda value: isinstance(value, dict), "Set a dict."),
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
    "BLACKLIST_AFTER_ROTATION": "Leave it out: it is always so.",
    "CHECK_REVOKE_TOKEN": "Leave it out: it is always so.",
    "REFRESH_TOKEN_LIFETIME": "Set SESSION_IDLE_TIMEOUT and SESSION_LIFETIME.",
    "ROTATE_REFRESH_TOKENS": "Leave it out: it is always so.",
    "SIGNING_KEY": "Set SIGNING_KEYS, a list: the first signs, all verify.",
    "VERIFYING_KEY": "Leave it out: it is made from the private key in SIGNING_KEYS.",
}
"""What people bring with them from simplejwt → what to do here."""


def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """The dict, its names, the type of each value, and the order of the lifetimes."""
    configured = getattr(settings, "JWT_REVOKE", {})
    if not isinstance(configured, dict):
        return [_error("E001", "JWT_REVOKE is not a dict.", "Set JWT_REVOKE = {…}.")]
    messages: list[CheckMessage] = [
        _error("E002", f"JWT_REVOKE has {name!r}, which is no setting.", _what_was_meant(str(name)))
        for name in sorted(configured.keys() - SETTING_NAMES, key=str)
    ]
    wrong = [name for name in RULES if name in configured and not _is_valid(name, configured)]
    messages += [
        _error(RULES[name][0], f"JWT_REVOKE[{name!r}] is not valid.", RULES[name][2])
        for name in wrong
    ]
    if not wrong:
        messages += _order_of_lifetimes()
        messages += [
            _error(
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
    if not _are_valid("ALGORITHM", "SIGNING_KEYS", "REFRESH_KEYS"):
        return []
    if _is_pem_as_secret():
        return [
            _error(
                "E205",
                f"JWT_REVOKE['SIGNING_KEYS'] has a key in PEM, and ALGORITHM is {conf.ALGORITHM}.",
                "Set ALGORITHM to what the key is for: RS256, PS256, ES256, ES384 or EdDSA.",
            )
        ]
    rings: dict[str, Callable[[], Any]] = {
        "SIGNING_KEYS": key_ring,
        "REFRESH_KEYS": refresh_key_ring,
    }
    for name, ring in rings.items():
        try:
            ring()
        except ImproperlyConfigured as error:
            messages.append(
                _error(
                    "E201",
                    str(error),
                    "Make one: python -c 'import secrets; print(secrets.token_urlsafe(64))'",
                )
            )
            continue
        if not conf.configured.get(name):
            messages.append(
                checks.Warning(
                    f"JWT_REVOKE[{name!r}] is not set: the key is derived from SECRET_KEY.",
                    hint="Set a key of its own, so that neither has to change with the other.",
                    id="jwt_revoke.W201",
                )
            )
    return [*messages, *_shared_keys()]


def check_backend(**_kwargs: Any) -> list[CheckMessage]:
    """The backend can be made; then what it says itself."""
    if not _are_valid("BACKEND", "OPTIONS"):
        return []
    try:
        backend = get_backend()
    except ImproperlyConfigured as error:
        return [_error("E202", str(error), "See the backends in the documentation.")]
    return list(backend.system_checks())


def check_site(**_kwargs: Any) -> list[CheckMessage]:
    """What surrounds us: apps, URLs, REST framework, the cache, the database, the user model."""
    return [
        *_apps(),
        *_urls(),
        *_rest_framework(),
        *_cache(),
        *_throttle_rates(),
        *_databases(),
        *_user_model(),
    ]


def check_deployment(**_kwargs: Any) -> list[CheckMessage]:
    """What is right on a developer's machine only (``manage.py check --deploy``)."""
    if _cache_backend() != "LocMemCache":
        return []
    return [
        checks.Warning(
            "The default cache is LocMemCache: each process throttles for itself, so that "
            "guessing is as many times faster as there are processes.",
            hint="Use a cache that all processes share, e.g. Redis.",
            id="jwt_revoke.W211",
        )
    ]


def _what_was_meant(name: str) -> str:
    if name.upper() in SIMPLEJWT_NAMES:
        return SIMPLEJWT_NAMES[name.upper()]
    close = get_close_matches(name.upper(), SETTING_NAMES, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known are: {', '.join(sorted(SETTING_NAMES))}."


def _is_pem_as_secret() -> bool:
    return conf.ALGORITHM.startswith("HS") and any("-----BEGIN" in key for key in conf.SIGNING_KEYS)


def _shared_keys() -> Iterator[CheckMessage]:
    if set(conf.SIGNING_KEYS) & set(conf.REFRESH_KEYS):
        yield _error(
            "E206",
            "A key stands in SIGNING_KEYS and in REFRESH_KEYS: whoever is given it to verify "
            "access tokens could make refresh tokens.",
            "Make another for one of the two.",
        )
    for name in ("SIGNING_KEYS", "REFRESH_KEYS"):
        if settings.SECRET_KEY in conf.configured.get(name, ()):
            yield checks.Warning(
                f"JWT_REVOKE[{name!r}] holds SECRET_KEY.",
                hint="Set a key of its own, so that neither has to change with the other.",
                id="jwt_revoke.W209",
            )


def _order_of_lifetimes() -> Iterator[CheckMessage]:
    if conf.ACCESS_TOKEN_LIFETIME > conf.SESSION_IDLE_TIMEOUT:
        yield _error(
            "E003",
            "ACCESS_TOKEN_LIFETIME is longer than SESSION_IDLE_TIMEOUT: a session in use would "
            "be over before its token has to be refreshed.",
            "Make the access token's life the shorter, e.g. 5 minutes.",
        )
    if conf.SESSION_IDLE_TIMEOUT > conf.SESSION_LIFETIME:
        yield _error(
            "E005",
            "SESSION_IDLE_TIMEOUT is longer than SESSION_LIFETIME and never takes effect.",
            "Make the idle time-out the shorter, e.g. 14 days of 90.",
        )
    if conf.REFRESH_GRACE >= conf.ACCESS_TOKEN_LIFETIME:
        yield _error(
            "E006",
            "REFRESH_GRACE is not shorter than ACCESS_TOKEN_LIFETIME.",
            "It is for two tabs and lost answers: some seconds, e.g. 30.",
        )


def _apps() -> Iterator[CheckMessage]:
    for name in ("django.contrib.contenttypes", "django.contrib.auth", "rest_framework"):
        if not apps.is_installed(name):
            yield _error("E203", f"{name} is not installed.", f"Add {name!r} to INSTALLED_APPS.")


def _urls() -> Iterator[CheckMessage]:
    if not getattr(settings, "ROOT_URLCONF", None) or not _includes_ours(get_resolver()):
        yield checks.Warning(
            "The endpoints of jwt_revoke are not in the URLs: nobody can sign in.",
            hint='Add path("api/auth/", include("jwt_revoke.urls")).',
            id="jwt_revoke.W202",
        )


def _includes_ours(resolver: Any) -> bool:
    # Not by reverse(): a site may have included us under a namespace of its own.
    return resolver.app_name == "jwt_revoke" or any(
        _includes_ours(part) for part in resolver.url_patterns if hasattr(part, "url_patterns")
    )


def _rest_framework() -> Iterator[CheckMessage]:
    try:
        # Typed as the texts of the settings; REST framework imports them here.
        classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    except (ImportError, AttributeError) as error:  # the latter for what is no text
        yield _error(
            "E207",
            f"REST framework cannot import DEFAULT_AUTHENTICATION_CLASSES: {error}",
            'Name them by dotted path: "jwt_revoke.authentication.JWTAuthentication".',
        )
        return
    ours = [at for at, cls in enumerate(classes) if issubclass(cls, JWTAuthentication)]
    if not ours:
        yield checks.Warning(
            "JWTAuthentication is not among REST framework's DEFAULT_AUTHENTICATION_CLASSES.",
            hint='Add "jwt_revoke.authentication.JWTAuthentication" there, or on each view.',
            id="jwt_revoke.W203",
        )
    elif ours[0] != 0:
        yield checks.Warning(
            "JWTAuthentication is not the first of DEFAULT_AUTHENTICATION_CLASSES.",
            hint="Put it first: REST framework lets the first one decide between 401 and 403, "
            "and clients refresh on a 401 only.",
            id="jwt_revoke.W204",
        )
    if any(cls.__module__.partition(".")[0] == "rest_framework_simplejwt" for cls in classes):
        yield checks.Warning(
            "simplejwt's authentication is among DEFAULT_AUTHENTICATION_CLASSES: the tokens that "
            "it accepts cannot be revoked.",
            hint="Take it out once its last token has expired.",
            id="jwt_revoke.W210",
        )


def _cache() -> Iterator[CheckMessage]:
    name = _cache_backend()
    if name == "DummyCache":
        yield checks.Warning(
            "The default cache is DummyCache: throttles count nothing, so guessing is free.",
            hint="Use a cache that all processes share, e.g. Redis.",
            id="jwt_revoke.W205",
        )
    elif name in {"DatabaseCache", "FileBasedCache"}:
        yield checks.Warning(
            f"The default cache is {name}: it does not count atomically, so that parallel "
            "guesses pass the throttles.",
            hint="Use Redis or Memcached.",
            id="jwt_revoke.W206",
        )


def _cache_backend() -> str:
    path: str = settings.CACHES.get("default", {}).get("BACKEND", "")
    return path.rpartition(".")[2]


def _throttle_rates() -> Iterator[CheckMessage]:
    rates = api_settings.DEFAULT_THROTTLE_RATES
    for scope in SCOPES:
        if rates.get(scope) and not _is_rate(rates[scope]):
            yield _error(
                "E208",
                f"The throttle rate of {scope} is {rates[scope]!r}, which cannot be read.",
                "Set a number per s, min, hour or day, e.g. '20/min'.",
            )
    missing = [scope for scope in SCOPES if not rates.get(scope)]
    if missing:
        yield checks.Warning(
            f"No throttle rate for {', '.join(missing)}: those endpoints are not throttled.",
            hint="Set them in REST_FRAMEWORK['DEFAULT_THROTTLE_RATES'], e.g. "
            f"{{{missing[0]!r}: '20/min'}}.",
            id="jwt_revoke.W207",
        )


def _databases() -> Iterator[CheckMessage]:
    alias = database()
    users = router.db_for_write(get_user_model())
    if users != alias:
        yield _error(
            "E204",
            f"Users are written to {users!r} and jwt_revoke's tables to {alias!r}: no statement "
            "can read both.",
            "Route the app jwt_revoke to the users' database.",
        )
    options = connections[alias].settings_dict.get("OPTIONS", {})
    vendor = connections[alias].vendor
    bounded = {
        "postgresql": "statement_timeout" in str(options.get("options", "")),
        "mysql": "read_timeout" in options,
    }
    if not bounded.get(vendor, True):
        hints = {
            "postgresql": "OPTIONS: connect_timeout, and options='-c statement_timeout=5000'.",
            "mysql": "OPTIONS: connect_timeout, read_timeout, write_timeout.",
        }
        yield checks.Warning(
            f"The database {alias!r} has no time-outs: while it hangs, each request does.",
            hint=f"Set them in DATABASES[{alias!r}]: {hints[vendor]}",
            id="jwt_revoke.W208",
        )


def _user_model() -> Iterator[CheckMessage]:
    user = get_user_model()
    try:
        user._meta.get_field("is_active")
    except FieldDoesNotExist:
        yield Info(
            f"{user._meta.label} has no field is_active: nobody can be suspended by it.",
            hint="Suspend with jwt_revoke.api.revoke_user() and a check at sign-in of your own.",
            id="jwt_revoke.I001",
        )


def _is_rate(rate: Any) -> bool:
    throttle = CountingThrottle.__new__(CountingThrottle)  # its __init__ reads the settings
    try:
        throttle.parse_rate(str(rate))
    except (ValueError, KeyError, IndexError):
        return False
    return True


def _are_valid(*names: str) -> bool:
    given = conf.configured
    return all(name not in given or _is_valid(name, given) for name in names)


def _is_valid(name: str, configured: Any) -> bool:
    try:
        return RULES[name][1](configured[name])
    except TypeError:  # unhashable, for instance
        return False


def _error(number: str, text: str, hint: str) -> Error:
    return Error(text, hint=hint, id=f"jwt_revoke.{number}")
