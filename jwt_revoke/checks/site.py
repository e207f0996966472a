"""Checks of what surrounds us: apps, URLs, REST framework, caches, databases, users, places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.checks import CheckMessage, Info
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, router
from django.urls import get_resolver
from rest_framework.settings import api_settings

from ..authentication import JWTAuthentication
from ..models import write_alias
from ..places import problem
from ..throttles import SCOPES, CountingThrottle
from .rules import error_of

SUGGESTED_RATES: Final = dict(
    zip(SCOPES, ("30/min", "10/min", "120/min", "20/min", "10/min"), strict=True)
)


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
        *_places(),
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


def _apps() -> Iterator[CheckMessage]:
    for name in ("django.contrib.contenttypes", "django.contrib.auth", "rest_framework"):
        if not apps.is_installed(name):
            yield error_of("E203", f"{name} is not installed.", f"Add {name!r} to INSTALLED_APPS.")


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
        yield error_of(
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
            "The default cache is DummyCache, which cannot count: what is throttled answers 503.",
            hint="Use a cache that all processes share, e.g. Redis.",
            id="jwt_revoke.W205",
        )
    elif name == "FileBasedCache":
        yield checks.Warning(
            "The default cache is FileBasedCache: it does not count atomically, so that parallel "
            "guesses pass the throttles.",
            hint="Use Redis, Memcached or DatabaseCache.",
            id="jwt_revoke.W206",
        )


def _cache_backend() -> str:
    path: str = settings.CACHES.get("default", {}).get("BACKEND", "")
    return path.rpartition(".")[2]


def _throttle_rates() -> Iterator[CheckMessage]:
    rates = api_settings.DEFAULT_THROTTLE_RATES
    for scope in SCOPES:
        if rates.get(scope) and not _is_rate(rates[scope]):
            yield error_of(
                "E208",
                f"The throttle rate of {scope} is {rates[scope]!r}, which cannot be read.",
                "Set a number per s, min, hour or day, e.g. '20/min'.",
            )
    missing = [scope for scope in SCOPES if not rates.get(scope)]
    if missing:
        yield checks.Warning(
            f"No throttle rate for {', '.join(missing)}: those endpoints are not throttled.",
            hint="Set REST_FRAMEWORK['DEFAULT_THROTTLE_RATES'], e.g. "
            f"{ {scope: SUGGESTED_RATES[scope] for scope in missing} }.",
            id="jwt_revoke.W207",
        )


def _databases() -> Iterator[CheckMessage]:
    alias = write_alias()
    users = router.db_for_write(get_user_model())
    if users != alias:
        yield error_of(
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


def _places() -> Iterator[CheckMessage]:
    if why := problem():
        yield checks.Warning(
            f"GEOIP_PATH is set, and no place of a session can be shown: {why}",
            hint="Install django-jwt-revoke[geoip], and let GEOIP_PATH name a GeoLite2-City.mmdb "
            "or the folder that holds it.",
            id="jwt_revoke.W213",
        )


def _is_rate(rate: Any) -> bool:
    throttle = CountingThrottle.__new__(CountingThrottle)  # its __init__ reads the settings
    try:
        throttle.parse_rate(str(rate))
    except (ValueError, KeyError, IndexError):
        return False
    return True
