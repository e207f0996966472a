"""The site as it is measured, DEBUG off; ``BENCH_CONTENDER`` says for whom.

Without it: the example project, as the process that starts the others sees it. With it: a lean
site with that contender's apps and middleware and nobody else's, since whoever is installed may
listen to what happens to users.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks.contenders import CONTENDERS
from benchmarks.contenders.base import merged
from benchmarks.contenders.signing import LIFETIME
from example_project import settings as example
from example_project.settings import *  # noqa: F403  (as Django's settings extend each other)

DEBUG = False
ROOT_URLCONF = "benchmarks.urls"

_database: dict[str, Any] = {
    **example.DATABASES["default"],
    "CONN_MAX_AGE": None,
    # Django's default. A SELECT before each request's first statement would be held against
    # whoever asks the database.
    "CONN_HEALTH_CHECKS": False,
}
if os.environ.get("BENCH_POOL"):
    # Under ASGI each request has a thread of its own: no connection persists but in a pool.
    _database["CONN_MAX_AGE"] = 0
    _database["OPTIONS"] = {**_database["OPTIONS"], "pool": {"min_size": 2, "max_size": 16}}
elif os.environ.get("BENCH_ASGI"):
    _database["CONN_MAX_AGE"] = 0
DATABASES = {"default": _database}

JWT_REVOKE = {**example.JWT_REVOKE, "ACCESS_TOKEN_LIFETIME": LIFETIME}

# What a server says is read at the end: warnings and worse are all that counts.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"django.request": {"level": "ERROR"}},
}

if _name := os.environ.get("BENCH_CONTENDER"):
    _contender = CONTENDERS[_name]
    INSTALLED_APPS = [
        "example_project.accounts",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        *_contender.apps,
    ]
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        *_contender.middleware,
    ]
    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": [_contender.authentication_class],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    }
    globals().update(merged(globals(), _contender.settings))
