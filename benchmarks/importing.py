"""A process that starts a site, with ours, with simplejwt or with neither, and says what it took:
``footprint.py`` starts it.

What every such site has imported is there before the clock starts: Django's own, REST framework
and PyJWT.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Final

import django
from django.conf import settings

_SITE: Final = (
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
)
_ADMIN: Final = "django.contrib.admin"
_PACKAGES: Final = {
    "": ((), ()),
    "jwt_revoke": (("jwt_revoke",), ("jwt_revoke.authentication", "jwt_revoke.urls")),
    # With what it needs to take a refresh token back.
    "rest_framework_simplejwt": (
        ("rest_framework_simplejwt.token_blacklist",),
        ("rest_framework_simplejwt.authentication", "rest_framework_simplejwt.views"),
    ),
}
"""By the package: its apps, and what else such a site imports of it."""
_PRESENT: Final = (
    *("jwt", "jwt.algorithms", "psycopg", "django.db.backends.postgresql.base"),
    *("django.core.handlers.wsgi", "django.urls", "django.views.generic"),
    *("django.contrib.auth.hashers", "django.core.cache", "django.core.mail"),
    *("rest_framework.generics", "rest_framework.authentication", "rest_framework.permissions"),
    *("rest_framework.serializers", "rest_framework.throttling", "rest_framework.views"),
    *("rest_framework.parsers", "rest_framework.renderers", "rest_framework.request"),
    *("rest_framework.response", "rest_framework.exceptions", "rest_framework.fields"),
)
_METRICS: Final = "prometheus_client"
"""Who has it installed uses it, and ours imports it then."""


def main() -> None:
    """Told ``[package, admin]``, it answers with milliseconds."""
    package, admin = json.loads(sys.stdin.readline())
    apps, modules = _PACKAGES[package]
    settings.configure(
        INSTALLED_APPS=[*_SITE, *([_ADMIN] if admin else []), *apps],
        SECRET_KEY="x" * 50,
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "none"}},
        USE_TZ=True,
    )
    for name in _PRESENT:
        import_module(name)
    if find_spec(_METRICS):
        import_module(_METRICS)
    loaded = len(sys.modules)
    began, used = time.perf_counter(), time.process_time()
    django.setup()
    set_up = time.perf_counter()
    for name in modules:
        import_module(name)
    ended = time.perf_counter()
    found = {
        "setup": (set_up - began) * 1000,
        "urls": (ended - set_up) * 1000,
        "all": (ended - began) * 1000,
        "cpu": (time.process_time() - used) * 1000,
        "modules": len(sys.modules) - loaded,
        "own": sum(name.partition(".")[0] == package for name in sys.modules),
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
