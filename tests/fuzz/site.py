"""A site in this process to be fuzzed: the suite's own, on a fresh SQLite file, and one device."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Site:
    """What an attacker has been handed by it, and the keys that no attacker has."""

    access: str
    refresh: str
    ring: Any
    refresh_ring: Any
    secret: bytes


def start() -> Site:
    """Django, the tables, a user who is signed in."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from jwt_revoke.keystore import key_ring, refresh_key_ring
    from jwt_revoke.testing import Device
    from tests.conftest import make_user

    logging.disable(logging.CRITICAL)
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.middleware.locale.LocaleMiddleware",
        "jwt_revoke.middleware.ActorMiddleware",
    ]
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
    # A year: however long it runs, the token is not refused for its age.
    from datetime import timedelta

    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ACCESS_TOKEN_LIFETIME": timedelta(days=365)}
    call_command("migrate", verbosity=0)
    phone = Device(make_user(), "phone", HTTP_USER_AGENT="Phone/1")
    return Site(
        access=phone.access,
        refresh=phone.refresh_token,
        ring=key_ring(),
        refresh_ring=refresh_key_ring(),
        secret=settings.JWT_REVOKE["SIGNING_KEYS"][0].encode(),
    )
